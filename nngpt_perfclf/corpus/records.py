"""The content of a source: columns of trials, codes, and what was skipped; and how result files become these columns.

A run is named `<task>_<dataset>_<metric>_<nn>` and holds files `<epoch>.json`, each a list of trials. Names of
tasks and datasets have hyphens but no underscore; a network's name may have both.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

RECIPE = ("lr", "momentum", "batch", "dropout")
CATEGORIES = ("task", "dataset", "metric", "nn", "transform")
COLUMNS = ("task", "dataset", "metric", "nn", "epoch", "accuracy", "duration", *RECIPE, "transform", "trial")
NANOSECONDS = 1e9
_NUMBERS = ("accuracy", "duration", *RECIPE)
_OPTIONAL = frozenset({"momentum", "dropout"})


@dataclass
class Records:
    """The trials of some runs as columns, since 578,595 dicts would take more than a gigabyte."""

    numbers: dict[str, array] = field(default_factory=lambda: {name: array("d") for name in _NUMBERS})
    transforms: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    runs: list[tuple[str, str, str, str, int, int]] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)   # of each file
    of_run: list[int] = field(default_factory=list)   # the file's run, as an index into `runs`
    counts: list[int] = field(default_factory=list)   # trials in the file
    skipped: list[str] = field(default_factory=list)

    def add_run(self, name: str, files: Sequence[str], content: Callable[[str], bytes]) -> None:
        """Add the trials of the run `name`: `content` gives what a file holds, or raises OSError or ValueError.

        A file that is damaged is skipped and named in `skipped`.
        """
        names = name.split("_", 3)
        if len(names) != 4 or not all(names):
            self.skipped.append(f"{name}: not named <task>_<dataset>_<metric>_<nn>")
            return
        empty = sum(self._add_file(name, file, content) for file in sorted(files))
        self.runs.append((*names, len(files), empty))

    def _add_file(self, run: str, file: str, content: Callable[[str], bytes]) -> bool:
        """Add one file's trials; returns whether it holds an empty list."""
        import orjson

        stem, ending = os.path.splitext(file)
        try:
            if ending != ".json" or not stem.isdecimal():
                raise ValueError("not named <epoch>.json")
            trials = orjson.loads(content(file))
            if not isinstance(trials, list) or not all(isinstance(trial, dict) for trial in trials):
                raise ValueError("not a list of trials")
            self._add_trials(int(stem), trials)
        except KeyError as error:
            self.skipped.append(f"{run}/{file}: a trial without {error}")
        except (ValueError, TypeError, OSError) as error:
            self.skipped.append(f"{run}/{file}: {error}")
        else:
            return not trials
        return False

    def _add_trials(self, epoch: int, trials: list[dict]) -> None:
        """Add all trials of one file, or none: KeyError, TypeError or ValueError is raised before anything is added."""
        nan = float("nan")
        columns = {name: array("d", [trial.get(name, nan) for trial in trials] if name in _OPTIONAL
                               else [trial[name] for trial in trials]) for name in _NUMBERS}
        transforms, ids = [trial["transform"] for trial in trials], [trial["uid"] for trial in trials]
        if not all(isinstance(word, str) for word in (*transforms, *ids)):
            raise TypeError("transform and uid must be text")
        for name, column in columns.items():
            self.numbers[name].extend(column)
        self.transforms += transforms
        self.ids += ids
        self.epochs.append(epoch)
        self.of_run.append(len(self.runs))
        self.counts.append(len(trials))


def joined(chunks: Sequence[Records], codes: dict[str, str], damaged: Sequence[str]) -> Reading:
    """All chunks as one table of trials, with the codes; `damaged`: a line for each code that was skipped."""
    import numpy as np
    import pandas as pd

    runs = pd.DataFrame([run for chunk in chunks for run in chunk.runs],
                        columns=["task", "dataset", "metric", "nn", "files", "empty_files"])
    first = np.cumsum([0, *(len(chunk.runs) for chunk in chunks)])
    counts = np.concatenate([np.array(chunk.counts, int) for chunk in chunks])
    of_run = np.concatenate([np.array(chunk.of_run, int) + start for chunk, start in zip(chunks, first, strict=False)])
    epochs = np.concatenate([np.array(chunk.epochs, int) for chunk in chunks])
    columns = {name: np.concatenate([np.frombuffer(chunk.numbers[name]) for chunk in chunks]) for name in _NUMBERS}
    columns["duration"] = columns["duration"] / NANOSECONDS
    columns["epoch"] = np.repeat(epochs, counts)
    run_of_trial = np.repeat(of_run, counts)
    for name in ("task", "dataset", "metric", "nn"):
        categories = pd.Categorical(runs[name])
        columns[name] = pd.Categorical.from_codes(categories.codes[run_of_trial], dtype=categories.dtype)
    columns["transform"] = pd.Categorical([word for chunk in chunks for word in chunk.transforms])
    columns["trial"] = pd.array([word for chunk in chunks for word in chunk.ids], dtype="str")
    trials = pd.DataFrame({name: columns[name] for name in COLUMNS})
    for name in ("task", "dataset", "metric", "nn"):
        trials[name] = trials[name].cat.remove_unused_categories()
    skipped = [line for chunk in chunks for line in chunk.skipped]
    return Reading(trials, codes, runs, (*skipped, *damaged))


def decoded(files: Iterable[str], content: Callable[[str], bytes]) -> tuple[dict[str, str], list[str]]:
    """The codes by network, from the files `<nn>.py`, and a line for each that cannot be read as text."""
    codes, damaged = {}, []
    for file in files:
        try:
            # Every line ends in a bare newline, as in nn-dataset's database.
            text = content(file).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
            codes[file.removesuffix(".py")] = text
        except (ValueError, OSError) as error:
            damaged.append(f"nn/{file}: {error}")
    return codes, damaged


def is_code(file: str) -> bool:
    """Whether a file in the folder of codes is the code of a network."""
    return file.endswith(".py") and file != "__init__.py"


@dataclass(frozen=True)
class Reading:
    """`trials` has `COLUMNS`; `runs` has a row for each task, dataset, metric and nn that was run, with or without
    trials, with `files` and `empty_files`; `skipped`: a line for each damaged file; `statistics`: nn, parameters, flops
    and layers of the networks that the source has measured, None where it has none."""

    trials: pd.DataFrame
    codes: dict[str, str]
    runs: pd.DataFrame
    skipped: tuple[str, ...] = ()
    statistics: pd.DataFrame | None = None

    def summary(self, place: str) -> dict:
        """Counts and the fingerprint, JSON-able."""
        runs, trials = self.runs, self.trials
        return {
            "source": place,
            "fingerprint": fingerprint(self.trials, self.codes),
            "trials": len(trials),
            "networks": len(runs[["task", "metric", "nn"]].drop_duplicates()),
            "networks_with_trials": int(trials["nn"].nunique()),
            "codes": len(self.codes),
            "networks_with_statistics": 0 if self.statistics is None else len(self.statistics),
            "runs": len(runs),
            "empty_runs": int((runs["empty_files"] == runs["files"]).sum()),
            "empty_files": int(runs["empty_files"].sum()),
            "skipped_files": len(self.skipped),
            "skipped": list(self.skipped),
            "tasks": _by_task(runs, trials),
        }


def fingerprint(trials: pd.DataFrame, codes: Mapping[str, str]) -> str:
    """Hex digest of the set of trials (`COLUMNS`) and of the codes of the networks that have trials.

    It does not depend on the order of the rows, on duplicates of a trial, or on the place and time of the files:
    LEMUR's files, a copy of them and the database that nn-dataset fills from them have the same fingerprint.
    """
    import numpy as np
    import pandas as pd

    digest = hashlib.blake2b(" ".join(COLUMNS).encode(), digest_size=16)
    digest.update(np.unique(pd.util.hash_pandas_object(trials[list(COLUMNS)], index=False)).astype("<u8").tobytes())
    for nn in sorted(trials["nn"].unique()):
        digest.update(f"{nn}\0{codes.get(nn, '')}\0".encode())
    return digest.hexdigest()


def _by_task(runs: pd.DataFrame, trials: pd.DataFrame) -> list[dict]:
    keys = ["task", "dataset", "metric"]
    networks = runs.groupby(keys).agg(networks=("nn", "nunique"), empty_runs=("files", "size"))
    counts = trials.groupby(keys, observed=True).agg(
        trials=("accuracy", "size"), with_trials=("nn", "nunique"), first_epoch=("epoch", "min"),
        last_epoch=("epoch", "max"), best_accuracy=("accuracy", "max"), hours=("duration", lambda s: s.sum() / 3600))
    table = networks.join(counts, how="left")
    table["empty_runs"] -= table["with_trials"].fillna(0).astype(int)
    rows = table.reset_index().astype(object)
    return rows.where(rows.notna(), None).to_dict("records")
