"""Result files and codes, of any source: runs become columns of trials, codes become text.

A run is named `<task>_<dataset>_<metric>_<nn>` and holds files `<epoch>.json`, each a list of trials. Names of
tasks and datasets have hyphens but no underscore; a network's name may have both.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.corpus.reading import Reading

_NUMBERS = ("accuracy", "duration", "lr", "momentum", "batch", "dropout")
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

    from nngpt_perfclf.corpus.reading import COLUMNS, NANOSECONDS, Reading

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
