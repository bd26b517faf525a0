"""Prune between an NNGPT run's generation and its evaluation, and take it back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.faults import BuildFaults
from nngpt_perfclf.advice.outcomes import informed
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.loop.asking import INSTALLED, ask, manager_of
from nngpt_perfclf.loop.plan import rule_of
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.nngpt.folders import Epoch, Evaluation, Found, left_alone, open_epoch, read_folder
from nngpt_perfclf.nngpt.judging import Asker, Verdict, judge
from nngpt_perfclf.nngpt.records import observed, write_record
from nngpt_perfclf.types import Candidate, Observation, PerfclfError


def prune(config: Config, path: str | Path, target: str | None = None, keep: float | None = None,
          dry_run: bool = False, evaluation: Evaluation | None = None, asker: Asker | None = None) -> dict:
    """Move the candidates that are not worth a training out of NNGPT's sight, into ``pruned_nn``; delete nothing.

    `target`: instead of the dataset that NNGPT would train each candidate on. `keep`: instead of the first of
    `loop.keep`. `evaluation`: how NNGPT will train them (default: as its own defaults say). `asker`: instead of the
    configured scorer, which is told what NNGPT has trained so far.

    Those that were pruned or evaluated before are judged with the others and stay where they are, so that a stopped
    command can be repeated: it decides the same and moves the rest. The record is a JSON file in `config.out`, or
    else beside the root of the run's epochs.
    """
    evaluation = evaluation or Evaluation()
    epoch = open_epoch(path)
    datasets = None if config.scorer == INSTALLED else dataset_properties(config.datasets)
    if target is not None and datasets is not None and target not in datasets:
        raise PerfclfError(f"--target {target} is no known dataset ({', '.join(sorted(datasets))}); for another one "
                           "give its properties in a file, datasets=FILE")
    found = [_readable(epoch, folder, evaluation, target, datasets) for folder in epoch.folders()]
    records = Path(config.out) if config.out else epoch.records
    outcomes = {} if asker else observed(epoch, records, evaluation, config.nngpt.outcomes)
    asked = replace(config, epoch=evaluation.epochs)
    rule = rule_of(asked) if keep is None else replace(rule_of(asked), keep=keep)
    verdicts = judge(found, asker or _configured(asked, outcomes), rule, asked.seed)
    rows = [_row(epoch, entry, verdicts.get(entry.folder)) for entry in found]
    moved = [entry.folder for entry, row in zip(found, rows, strict=True)
             if row["decision"] == "pruned" and entry.folder.parent == epoch.synth]
    result = {"epoch": str(epoch.folder), "dry_run": dry_run, "asked": len(verdicts), **_counts(rows),
              "outcomes": sum(len(outcomes.get(target, ())) for target in {entry.target for entry in found}),
              "moved": len(moved), "candidates": rows}
    if dry_run or not verdicts:
        return result
    # Written before anything moves, so that a stopped command leaves a trace of what it was about.
    record = write_record(records, epoch, config.scorer, rule.keep, result, found, evaluation.epochs)
    if moved:
        epoch.pruned.mkdir(exist_ok=True)
    for folder in moved:
        folder.rename(epoch.pruned / folder.name)
    return {**result, "record": str(record)}


def undo(path: str | Path, dry_run: bool = False) -> dict:
    """Move every pruned candidate back to where NNGPT left it; one whose name is taken there stays, as `blocked`."""
    epoch = open_epoch(path)
    pruned = [folder for folder in epoch.folders() if folder.parent == epoch.pruned]
    blocked = [folder for folder in pruned if epoch.collides(folder)]
    restored = [folder for folder in pruned if folder not in blocked]
    if not dry_run:
        if restored:
            epoch.synth.mkdir(exist_ok=True)
        for folder in restored:
            folder.rename(epoch.synth / folder.name)
        if epoch.pruned.is_dir() and not any(epoch.pruned.iterdir()):
            epoch.pruned.rmdir()
    return {"epoch": str(epoch.folder), "dry_run": dry_run, "restored": [folder.name for folder in restored],
            "blocked": [folder.name for folder in blocked]}


def _readable(epoch: Epoch, folder: Path, evaluation: Evaluation, target: str | None, datasets) -> Found:
    """The candidate in `folder`, left alone where its name stands on both sides or its dataset is unknown."""
    if epoch.collides(folder):
        return Found(folder, left=f"{folder.name} is in {epoch.synth.name} and in {epoch.pruned.name}: "
                                  "move one of the two away")
    found = read_folder(folder, evaluation, target)
    if found.target and datasets is not None and found.target not in datasets:
        return left_alone(found, f"unknown dataset {found.target}: give its properties in a file, datasets=FILE")
    return found


def _configured(config: Config, outcomes: Mapping[str, Sequence[Observation]]) -> Asker:
    """The configured scorer, corrected by what was trained on the dataset before."""
    @cache
    def manager():
        """What is slow to load: once, and only if there is a candidate to ask about."""
        return manager_of(config, config.scorer)

    faults = BuildFaults(config)

    def asker(candidates: Sequence[Candidate], target: str) -> list[Scored]:
        def correct(scorer: Scorer) -> Scorer:
            return informed(scorer, {target: outcomes.get(target, ())}, config)

        return ask(manager(), None, config.scorer, candidates, target, correct, faults)

    return asker


def _row(epoch: Epoch, entry: Found, verdict: Verdict | None) -> dict:
    score = verdict.scored.score if verdict else None
    return {"candidate": entry.folder.name, "target": entry.target or None,
            "decision": _decision(epoch, entry, verdict),
            "broken": bool(verdict and verdict.scored.broken), "evaluated": entry.evaluated,
            "score": score and round(score.value, 4), "percentile": score and score.percentile,
            "low": score and score.low, "high": score and score.high,
            "seconds": round(verdict.scored.seconds, 4) if verdict else 0.0,
            "reason": (entry.left or ("evaluated already" if entry.evaluated else "")
                       or (verdict.reason if verdict else ""))}


def _decision(epoch: Epoch, entry: Found, verdict: Verdict | None) -> str:
    if entry.folder.parent == epoch.pruned and not entry.left:
        return "pruned"
    if entry.evaluated or verdict is None:
        return "left"
    return "kept" if verdict.keep else "pruned"


def _counts(rows: Sequence[dict]) -> dict[str, int | float]:
    counted = Counter(row["decision"] for row in rows)
    return {**{decision: counted[decision] for decision in ("kept", "pruned", "left")},
            "broken": sum(row["broken"] and row["decision"] == "pruned" for row in rows),
            "asking_seconds": round(sum(row["seconds"] for row in rows), 2)}
