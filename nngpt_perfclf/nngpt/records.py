"""The record of each pruned generation, a JSON file that also receives what the trained candidates reached; and what
NNGPT has trained so far, outcomes that correct the scores of the next generation."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path

from nngpt_perfclf import __version__
from nngpt_perfclf.console import say
from nngpt_perfclf.evaluation.pruning import KIND, accuracy_of, digest_of, epochs_of, read_records, with_outcomes
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.nngpt.folders import Epoch, Evaluation, Found, read_folder
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe

RUNS = "perfclf"  # the folder of the runs' folders of records
Outcome = tuple[str, Observation]


def write_record(folder: Path, epoch: Epoch, adviser: str, keep: float | None, result: dict, found: Sequence[Found],
                 epochs: int) -> Path:
    """Write what was decided about one generation as a new file in `folder`; its path. found: what was read of the
    candidates, in the order of the result's; epochs: for how long they will be trained."""
    places = {path.name: path for path in epoch.folders()}
    rows = [{**row, "code": digest_of(places[row["candidate"]]), **remembered(entry.candidate, epochs)}
            for row, entry in zip(result["candidates"], found, strict=True)]
    stamp = f"{epoch.folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (f"{stamp}{'' if number == 0 else f'-{number}'}.json" for number in count())
    path = next(folder / name for name in names if not (folder / name).exists())
    write_json(path, {"kind": KIND, "version": __version__, "adviser": adviser, "keep": keep, "time": time.time(),
                      "synth": str(epoch.synth), "pruned_folder": str(epoch.pruned), **result, "candidates": rows})
    return path


def add_outcomes(path: Path, seconds: float) -> None:
    """Add to a record what the candidates' folders hold after an evaluation of so many seconds."""
    write_json(path, {**with_outcomes(read_json(path)), "evaluation_seconds": round(seconds, 1)})


def observed(epoch: Epoch, records: Path, evaluation: Evaluation, largest: int) -> dict[str, list[Observation]]:
    """By dataset, the newest `largest` outcomes of trainings of as many epochs as `evaluation`, oldest first: from the
    records of earlier generations and runs, which outlive NNGPT's epoch folders, and from the folders of the
    generations beside `epoch`. Of a candidate that was trained more than once, the last accuracy counts."""
    found: dict[str, dict[tuple, Observation]] = {}
    for target, seen in (*_in_records(records), *_in_folders(epoch, evaluation)):
        if seen.epoch == evaluation.epochs and 0 <= seen.accuracy <= 1:
            observations, key = found.setdefault(target, {}), (seen.candidate.arch_code, seen.candidate.recipe)
            observations.pop(key, None)
            observations[key] = seen
    return {target: list(observations.values())[-largest:] for target, observations in found.items()} if largest else {}


def remembered(candidate: Candidate | None, epochs: int) -> dict:
    """What a record keeps of a candidate, so that its outcome can be used when its folder is gone."""
    if candidate is None:
        return {}
    return {"arch_code": candidate.arch_code, "recipe": asdict(candidate.recipe), "epochs": epochs}


def _in_records(folder: Path) -> Iterator[Outcome]:
    for record in (record for run in _runs(folder) for record in _readable(run)):
        for row in record["candidates"]:
            if row.get("accuracy") is not None and row.get("target") and "arch_code" in row:
                candidate = Candidate(row["candidate"], row["arch_code"], Recipe(**row["recipe"]))
                yield row["target"], Observation(candidate, row["accuracy"], row["epochs"])


def _runs(folder: Path) -> list[Path]:
    """The folders of records of earlier runs and of this one, by time."""
    if folder.parent.name == RUNS and folder.parent.is_dir():
        return sorted(path for path in folder.parent.iterdir() if path.is_dir())
    return [folder] if folder.is_dir() else []


def _readable(folder: Path) -> list[dict]:
    try:
        return read_records(folder)
    except PerfclfError as error:
        say(f"{error}; the outcomes in {folder} are not used")
        return []


def _in_folders(epoch: Epoch, evaluation: Evaluation) -> Iterator[Outcome]:
    """The generations beside this one, and this one itself, in NNGPT's numbering."""
    root = epoch.folder.parent
    synths = [path / epoch.synth.name for path in (root.iterdir() if root.is_dir() else ())]
    for synth in sorted((path for path in synths if path.is_dir()), key=lambda path: (len(str(path)), path)):
        for folder in Epoch(synth).folders():
            accuracy = accuracy_of(folder)
            found = None if accuracy is None else read_folder(folder, evaluation)
            if found and found.candidate and found.target and not found.left:
                yield found.target, Observation(found.candidate, accuracy, epochs_of(folder) or evaluation.epochs)
