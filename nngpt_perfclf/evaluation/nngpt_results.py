"""What NNGPT's evaluation writes into a candidate's folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

CODE, RESULT, FAILURE = "new_nn.py", "eval_info.json", "error.txt"
TRIALS = "1.json"  # LEMUR's record of the first epoch
NANOSECONDS = 1e9


def accuracy_of(folder: Path) -> float | None:
    """The candidate's accuracy, 0..1; None where it has none."""
    content = _json(folder / RESULT)
    results = content.get("eval_results") if isinstance(content, dict) else None
    if isinstance(results, list) and len(results) > 1:
        results = {"accuracy": results[1]}
    if not isinstance(results, dict):
        return None
    epochs = results.get("epochs")
    first = epochs[0] if isinstance(epochs, list) and epochs and isinstance(epochs[0], dict) else {}
    for given in (results, first):
        accuracy = given.get("accuracy", given.get("acc"))
        if isinstance(accuracy, int | float) and not isinstance(accuracy, bool):
            return float(accuracy)
    return None


def epochs_of(folder: Path) -> int | None:
    """After how many epochs of training the accuracy was measured; None where it is not said."""
    content = _json(folder / RESULT)
    arguments = content.get("eval_args") if isinstance(content, dict) else None
    epochs = arguments.get("epoch") if isinstance(arguments, dict) else None
    return epochs if isinstance(epochs, int) and not isinstance(epochs, bool) and epochs > 0 else None


def outcome_of(folder: Path, code: str | None) -> dict:
    """`accuracy`, `training_seconds` and whether the training `failed`; empty where nothing is known of the candidate
    whose code has the digest `code`: a folder with another code belongs to a later run."""
    if code is None or digest_of(folder) != code:
        return {}
    accuracy = accuracy_of(folder)
    if accuracy is None:
        return {"failed": True} if (folder / FAILURE).is_file() else {}
    return {"accuracy": accuracy, "training_seconds": _seconds(folder), "failed": False}


def digest_of(folder: Path) -> str | None:
    """A digest of the candidate's code; None without any."""
    path = folder / CODE
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None


def _seconds(folder: Path) -> float | None:
    trials = _json(folder / TRIALS)
    trial = trials[0] if isinstance(trials, list) and trials else trials
    duration = trial.get("duration") if isinstance(trial, dict) else None
    return duration / NANOSECONDS if isinstance(duration, int | float) else None


def _json(path: Path) -> object:
    """The content; None for a file that is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
