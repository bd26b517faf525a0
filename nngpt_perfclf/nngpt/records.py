"""The record of each pruned generation: a JSON file that also receives what the trained candidates reached."""

from __future__ import annotations

import hashlib
import json
import time
from itertools import count
from pathlib import Path

from nngpt_perfclf.evaluation.pruning import KIND
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.nngpt.folders import CODE, Epoch, accuracy_of

TRIALS = "1.json"  # LEMUR's record of a candidate's first epoch
NANOSECONDS = 1e9


def write_record(folder: Path, epoch: Epoch, adviser: str, keep: float | None, result: dict) -> Path:
    """Write what was decided about one generation as a new file in `folder`; its path."""
    from nngpt_perfclf import __version__

    rows = [{**row, "code": _digest(_place(epoch, row["candidate"]) / CODE)} for row in result["candidates"]]
    stamp = f"{epoch.folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (f"{stamp}{'' if number == 0 else f'-{number}'}.json" for number in count())
    path = next(folder / name for name in names if not (folder / name).exists())
    write_json(path, {"kind": KIND, "version": __version__, "adviser": adviser, "keep": keep, "time": time.time(),
                      "synth": str(epoch.synth), **result, "candidates": rows})
    return path


def add_outcomes(path: Path, seconds: float | None = None) -> dict:
    """Add to a record what the candidates' folders hold by now: `accuracy` and `training_seconds`, both as NNGPT's
    evaluation wrote them. `seconds`: how long that evaluation took. Returns the record, which is written if it changed.

    A folder with another code than the one that was judged belongs to a later run and tells nothing.
    """
    record = read_json(path)
    epoch = Epoch(Path(record["synth"]))
    rows = [{**row, **_outcome(_place(epoch, row["candidate"]), row["code"])} for row in record["candidates"]]
    changed = {**record, "candidates": rows}
    if seconds is not None:
        changed["evaluation_seconds"] = round(seconds, 1)
    if changed != record:
        write_json(path, changed)
    return changed


def _place(epoch: Epoch, name: str) -> Path:
    return epoch.synth / name if (epoch.synth / name).is_dir() else epoch.pruned / name


def _outcome(folder: Path, code: str | None) -> dict:
    """Empty where nothing is known of the candidate with this code."""
    if code is None or _digest(folder / CODE) != code:
        return {}
    accuracy = accuracy_of(folder)
    if accuracy is None:
        return {"failed": True} if (folder / "error.txt").is_file() else {}
    return {"accuracy": accuracy, "training_seconds": _seconds(folder / TRIALS), "failed": False}


def _seconds(path: Path) -> float | None:
    """The duration of LEMUR's record, in seconds; None where there is none."""
    try:
        trials = json.loads(path.read_text(encoding="utf-8"))
        trial = trials[0] if isinstance(trials, list) else trials
        return float(trial["duration"]) / NANOSECONDS
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None
