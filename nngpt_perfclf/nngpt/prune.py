"""Prune between an NNGPT run's generation and its evaluation, and take it back."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.loop.asking import INSTALLED
from nngpt_perfclf.nngpt.folders import Epoch, Found, open_epoch, read_folder
from nngpt_perfclf.types import Candidate, PerfclfError

# Given candidates and the dataset they are for: a score (or None) and, where it is pruned, the reason for each.
Judge = Callable[[Sequence[Candidate], str], list[tuple[float | None, str]]]


def command(config: Config, action: str, path: str, target: str | None = None, keep: str | None = None,
            dry_run: bool = False) -> dict:
    """``nngpt prune EPOCH_DIR``, ``nngpt undo EPOCH_DIR`` or ``nngpt enable CHECKOUT_DIR``."""
    if action == "prune":
        return prune(config, path, target, None if keep is None else _share(keep), dry_run)
    if target is not None or keep is not None or (dry_run and action == "enable"):
        raise PerfclfError(f"nngpt {action} takes no --target, --keep{' or --dry-run' * (action == 'enable')}")
    if action == "undo":
        return undo(path, dry_run)
    if action == "enable":
        from nngpt_perfclf.nngpt.enable import enable

        return enable(path)
    raise PerfclfError(f"nngpt {action}: say prune, undo or enable")


def prune(config: Config, path: str | Path, target: str | None = None, keep: float | None = None,
          dry_run: bool = False, judge: Judge | None = None) -> dict:
    """Move the candidates that are not worth a training out of NNGPT's sight, into ``pruned_nn``; delete nothing.

    `keep`: instead of the first of `loop.keep`. `judge`: instead of the configured adviser and the anchored policy.
    Those that stand pruned from before are judged with the others and stay pruned, so that a stopped command can be
    repeated: it decides the same and moves the rest. The record is a JSON file in `config.out`, or else beside the root
    of the run's epochs.
    """
    epoch = open_epoch(path)
    if target is not None and config.scorer != INSTALLED:
        known = dataset_properties(config.datasets)
        if target not in known:
            raise PerfclfError(f"--target {target} is no known dataset ({', '.join(sorted(known))}); for another one "
                               "give its properties in a file, datasets=FILE")
    found = [read_folder(folder, target) for folder in epoch.folders()]
    judged = _judged(found, judge or _advised(config, keep))
    rows = [_row(one, *judged.get(one.folder, (None, ""))) for one in found]
    moved = [one for one, row in zip(found, rows, strict=True)
             if row["decision"] == "pruned" and one.folder.parent == epoch.synth]
    result = {"epoch": str(epoch.folder), "dry_run": dry_run, **_counts(rows), "moved": len(moved), "candidates": rows}
    if dry_run or not moved:
        return result
    record = _write_record(epoch, config, result)
    epoch.pruned.mkdir(exist_ok=True)
    for one in moved:
        one.folder.rename(epoch.pruned / one.folder.name)
    return {**result, "record": str(record)}


def undo(path: str | Path, dry_run: bool = False) -> dict:
    """Move every pruned candidate back to where NNGPT left it. Raises PerfclfError where its name is taken."""
    epoch = open_epoch(path)
    back = [folder for folder in epoch.folders() if folder.parent == epoch.pruned]
    if not dry_run and epoch.pruned.is_dir():
        epoch.synth.mkdir(exist_ok=True)
        for folder in back:
            folder.rename(epoch.synth / folder.name)
        epoch.pruned.rmdir()
    return {"epoch": str(epoch.folder), "dry_run": dry_run, "restored": [folder.name for folder in back]}


def _judged(found: Sequence[Found], judge: Judge) -> dict[Path, tuple[float | None, str]]:
    """Candidates are compared with those for the same dataset."""
    by_target = defaultdict(list)
    for one in found:
        if one.candidate is not None:
            by_target[one.target].append(one)
    judged = {}
    for target, some in sorted(by_target.items()):
        verdicts = judge([one.candidate for one in some], target)
        judged |= {one.folder: verdict for one, verdict in zip(some, verdicts, strict=True)}
    return judged


def _advised(config: Config, keep: float | None) -> Judge:
    """The configured scorer under the rule of the configuration. NNGPT trains a candidate for one epoch, so epoch 1
    is asked about."""
    from nngpt_perfclf.loop.asking import ask, manager_of
    from nngpt_perfclf.loop.plan import rule_of
    from nngpt_perfclf.loop.policies import Ask
    from nngpt_perfclf.loop.search import decide

    asked = replace(config, epoch=1)
    rule = rule_of(asked) if keep is None else replace(rule_of(asked), keep=keep)

    @cache
    def manager():
        """What is slow to load: once, and only if there is a candidate to ask about."""
        return manager_of(asked, asked.scorer)

    def judge(candidates: Sequence[Candidate], target: str) -> list[tuple[float | None, str]]:
        scored = ask(manager(), None, asked.scorer, candidates, target)
        return [(decision.score, "" if decision.kept else decision.reason)
                for decision in decide(Ask(rule), candidates, scored, asked.seed)]

    return judge


def _row(one: Found, score: float | None, reason: str) -> dict:
    decision = "left" if one.candidate is None else "pruned" if reason else "kept"
    if decision == "kept":
        reason = "no opinion" if score is None else ""
    return {"candidate": one.folder.name, "target": one.target or None, "decision": decision, "score": score,
            "reason": one.left or reason}


def _counts(rows: Sequence[dict]) -> dict[str, int]:
    counted = Counter(row["decision"] for row in rows)
    return {decision: counted[decision] for decision in ("kept", "pruned", "left")}


def _write_record(epoch: Epoch, config: Config, result: dict) -> Path:
    """Written before anything moves, so that a stopped command leaves a trace of what it was about."""
    from nngpt_perfclf.files import write_json

    folder = Path(config.out) if config.out else epoch.records
    path = folder / f"{epoch.folder.name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    write_json(path, {**result, "adviser": config.scorer, "version": _version()})
    return path


def _version() -> str:
    from nngpt_perfclf import __version__

    return __version__


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise PerfclfError(f"--keep {word}: give a share of the candidates, over 0 and at most 1")
    return share
