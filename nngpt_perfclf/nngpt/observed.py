"""What NNGPT has trained so far: outcomes that correct the scores of the next generation.

They are found in the records of earlier generations and runs, which outlive NNGPT's epoch folders, and in the folders
of the generations beside the one that is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from nngpt_perfclf.console import say
from nngpt_perfclf.evaluation.nngpt_results import accuracy_of, epochs_of
from nngpt_perfclf.evaluation.pruning import read_records
from nngpt_perfclf.nngpt.folders import Epoch, Evaluation, read_folder
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe

RUNS = "perfclf"  # the folder of the runs' folders of records

Outcome = tuple[str, Observation]


def observed(epoch: Epoch, records: Path, evaluation: Evaluation, largest: int) -> dict[str, list[Observation]]:
    """By dataset, the newest `largest` outcomes of trainings of as many epochs as `evaluation`, oldest first. Of a
    candidate that was trained more than once, the last accuracy counts."""
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
