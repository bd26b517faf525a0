"""What pruning an NNGPT run kept, lost and saved, from the records of its generations and from what NNGPT's evaluation
writes into the candidates' folders."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from nngpt_perfclf.files import read_json
from nngpt_perfclf.types import PerfclfError

KIND = "nngpt"
CODE, RESULT, FAILURE = "new_nn.py", "eval_info.json", "error.txt"
TRIALS = "1.json"  # LEMUR's record of the first epoch
NANOSECONDS = 1e9


def read_records(folder: Path) -> list[dict]:
    """The records in `folder`, oldest first, the newest of each generation, with what its candidates reached so far;
    empty where there are none. Raises PerfclfError for a damaged file."""
    records = [record for path in sorted(folder.glob("*.json"))
               if (record := read_json(path)).get("kind") == KIND and isinstance(record.get("candidates"), list)]
    newest = {record["epoch"]: record for record in sorted(records, key=lambda record: record["time"])}
    return [with_outcomes(record) for record in sorted(newest.values(), key=lambda record: record["time"])]


def with_outcomes(record: dict) -> dict:
    """The record with what its candidates' folders hold by now, where they still are."""
    sides = Path(record["synth"]), Path(record["pruned_folder"])
    rows = [{**row, **next((found for side in sides if (found := outcome_of(side / row["candidate"], row["code"]))),
                           {})} for row in record["candidates"]]
    return {**record, "candidates": rows}


def summary(records: Sequence[dict]) -> dict:
    """Counts and estimates over generations: `asked`, `kept`, `pruned`, `broken`, `left`, `asking_seconds`,
    `trained` (with an accuracy), `seconds_each` and `hours_saved` (both None while nothing was trained)."""
    total = {key: sum(record.get(key, 0) for record in records)
             for key in ("asked", "kept", "pruned", "left", "broken", "asking_seconds")}
    rows = [row for record in records for row in record["candidates"]]
    each = [seconds for record in records if (seconds := seconds_each(record)) is not None]
    saved = [hours for record in records if (hours := hours_saved(record)) is not None]
    return {**total, "asking_seconds": round(total["asking_seconds"], 2),
            "trained": sum(row.get("accuracy") is not None for row in rows),
            "seconds_each": round(mean(each), 1) if each else None,
            "hours_saved": round(sum(saved), 2) + 0.0 if saved else None}


def seconds_each(record: dict) -> float | None:
    """Seconds that one training of this generation took: the evaluation's wall time by candidate tried, or without it
    the mean recorded duration; None where nothing was trained."""
    tried = [row for row in record["candidates"]
             if row["decision"] != "pruned" and not row["evaluated"] and "failed" in row]
    if tried and record.get("evaluation_seconds") is not None:
        return record["evaluation_seconds"] / len(tried)
    durations = [row["training_seconds"] for row in tried if row.get("training_seconds")]
    return mean(durations) if durations else None


def hours_saved(record: dict) -> float | None:
    """Estimate: what training the pruned candidates would have taken, each as long as a trained one of its generation,
    less the time spent asking. Broken ones count as free. None where nothing was trained."""
    each = seconds_each(record)
    if each is None:
        return None
    return ((record["pruned"] - record["broken"]) * each - record["asking_seconds"]) / 3600


def line(records: Sequence[dict]) -> str:
    """One line about the newest generation, and about all where there are several."""
    newest, total = summary(records[-1:]), summary(records)
    said = (f"{_names(records)[-1]}: {newest['asked']} asked, {newest['kept']} kept, "
            f"{newest['pruned']} pruned ({newest['broken']} broken), {newest['asking_seconds']:.1f} s asking, "
            f"{_hours(newest['hours_saved'])}")
    return said if len(records) == 1 else f"{said}; {len(records)} generations: {_hours(total['hours_saved'])}"


def _names(records: Sequence[dict]) -> list[str]:
    """The generations' folders as far as they tell them apart: A0, A1, or cycle_1/generation/A0."""
    paths = [Path(record["epoch"]) for record in records]
    if len({path.name for path in paths}) == len(paths):
        return [path.name for path in paths]
    return [str(path.relative_to(os.path.commonpath(paths))) for path in paths]


def _hours(hours: float | None) -> str:
    return "time saved not known yet" if hours is None else f"about {hours:.2f} h saved"


def page(records: Sequence[dict], name: str) -> dict:
    """What the report shows of these generations: `total`, a row for each, and its candidates, best score first."""
    if not records:
        raise PerfclfError(f"{name} holds no record of a pruned generation")
    generations = [{"name": name, **summary([record]), "best": _best(record["candidates"]),
                    "rows": sorted(record["candidates"], key=lambda row: (
                        row["score"] is None, -(row["score"] or 0), row["candidate"]))}
                   for name, record in zip(_names(records), records, strict=True)]
    points = [{"score": row["score"], "accuracy": row["accuracy"], "target": row["target"]}
              for record in records for row in record["candidates"]
              if row.get("score") is not None and row.get("accuracy") is not None]
    return {"name": name, "line": line(records), "total": summary(records), "generations": generations,
            "best": _best([row for record in records for row in record["candidates"]]), "points": points,
            "adviser": records[-1]["adviser"], "keep": records[-1]["keep"], "correlation": rank_correlation(points)}


def rank_correlation(points: Sequence[dict]) -> dict | None:
    """Spearman's correlation of score and accuracy within each dataset, weighted by its candidates; None under three of
    a dataset. Only trained candidates count, so that it is narrower than among all."""
    targets: dict[str, list[dict]] = {}
    for point in points:
        targets.setdefault(point["target"], []).append(point)
    found = [(len(members), value) for members in targets.values()
             if len(members) > 2 and (value := _spearman(members)) is not None]
    n = sum(count for count, _ in found)
    return {"n": n, "value": sum(count * value for count, value in found) / n} if n else None


def _spearman(members: Sequence[dict]) -> float | None:
    ranks = [np.argsort(np.argsort([member[key] for member in members])) for key in ("score", "accuracy")]
    if len({member["accuracy"] for member in members}) < 2 or len({member["score"] for member in members}) < 2:
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _best(rows: Sequence[dict]) -> float | None:
    return max((row["accuracy"] for row in rows if row.get("accuracy") is not None), default=None)


def accuracy_of(folder: Path) -> float | None:
    """The candidate's accuracy, 0..1; None where it has none."""
    content = content_of(folder / RESULT)
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
    content = content_of(folder / RESULT)
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
    trials = content_of(folder / TRIALS)
    trial = trials[0] if isinstance(trials, list) and trials else trials
    duration = trial.get("duration") if isinstance(trial, dict) else None
    return duration / NANOSECONDS if isinstance(duration, int | float) else None


def content_of(path: Path) -> object:
    """What a JSON file holds; None for one that is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
