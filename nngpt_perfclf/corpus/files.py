"""LEMUR's files: results in `stat/train/<task>_<dataset>_<metric>_<nn>/<epoch>.json`, codes in `nn/<nn>.py`.

Tasks and datasets hold hyphens but no underscore; a network's name may hold both.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.corpus.reading import Reading

_READERS = 4  # two processors and the wait for the disk; with more the threads wait for each other
_FOLDERS_AT_ONCE = 200
_NUMBERS = ("accuracy", "duration", "lr", "momentum", "batch", "dropout")
_OPTIONAL = frozenset({"momentum", "dropout"})


def state(root: Path) -> str:
    """Hex digest of the name of every run folder and the number, sizes and times of change of the files in it.

    Every file is looked at, not only the folders: writing into a file leaves its folder's time as it was. That is
    115,000 looks, about half a second.
    """
    folders = [*_run_folders(root), str(root / "nn")]
    digest = hashlib.blake2b(str(root).encode(), digest_size=16)
    for folder, stamp in zip(folders, _stamps(folders), strict=True):
        digest.update(f"{folder} {stamp}".encode())
    return digest.hexdigest()


def read_files(root: Path) -> Reading:
    """Every trial and code below `root`. Damaged files are skipped and named; an empty tree raises PerfclfError."""
    from nngpt_perfclf.console import progress

    folders = _run_folders(root)
    if not folders:
        raise PerfclfError(f"{root / 'stat' / 'train'} holds no results")
    parts = [folders[start:start + _FOLDERS_AT_ONCE] for start in range(0, len(folders), _FOLDERS_AT_ONCE)]
    chunks = []
    with progress() as bar, ThreadPoolExecutor(_READERS) as pool:
        reading = bar.add_task("reading LEMUR's results", total=len(folders))
        for part, chunk in zip(parts, pool.map(_read_runs, parts), strict=True):
            chunks.append(chunk)
            bar.advance(reading, len(part))
        codes, damaged = _read_codes(root / "nn", pool)
    return _joined(chunks, codes, damaged)


@dataclass
class _Chunk:
    """The trials of some run folders as columns: 578,595 dicts would take more than a gigabyte."""

    numbers: dict[str, array] = field(default_factory=lambda: {name: array("d") for name in _NUMBERS})
    transforms: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    runs: list[tuple[str, str, str, str, int, int]] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)   # of each file
    of_run: list[int] = field(default_factory=list)   # the file's run, as an index into `runs`
    counts: list[int] = field(default_factory=list)   # trials in the file
    skipped: list[str] = field(default_factory=list)

    def add_file(self, epoch: int, trials: list[dict]) -> None:
        """All trials of one file, or none: raises KeyError, TypeError or ValueError before anything is kept."""
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


def _read_runs(folders: list[str]) -> _Chunk:
    chunk = _Chunk()
    for folder in folders:
        name = os.path.basename(folder)
        names = name.split("_", 3)
        if len(names) != 4 or not all(names):
            chunk.skipped.append(f"{name}: not named <task>_<dataset>_<metric>_<nn>")
            continue
        files = sorted(os.listdir(folder))
        empty = sum(_read_file(chunk, folder, file) for file in files)
        chunk.runs.append((*names, len(files), empty))
    return chunk


def _read_file(chunk: _Chunk, folder: str, file: str) -> bool:
    """Add one file's trials to the chunk; True: it holds an empty list."""
    import orjson

    stem, ending = os.path.splitext(file)
    try:
        if ending != ".json" or not stem.isdecimal():
            raise ValueError("not named <epoch>.json")
        trials = orjson.loads(_content(f"{folder}/{file}"))
        if not isinstance(trials, list) or not all(isinstance(trial, dict) for trial in trials):
            raise ValueError("not a list of trials")
        chunk.add_file(int(stem), trials)
    except KeyError as error:
        chunk.skipped.append(f"{os.path.basename(folder)}/{file}: a trial without {error}")
    except (ValueError, TypeError, OSError) as error:
        chunk.skipped.append(f"{os.path.basename(folder)}/{file}: {error}")
    else:
        return not trials
    return False


def _joined(chunks: list[_Chunk], codes: dict[str, str], damaged: list[str]) -> Reading:
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
    return Reading(trials, codes, runs, tuple(skipped + damaged))


def _read_codes(folder: Path, pool: ThreadPoolExecutor) -> tuple[dict[str, str], list[str]]:
    files = sorted(file for file in folder.glob("*.py") if file.stem != "__init__")
    codes, damaged = {}, []
    for file, content in zip(files, pool.map(_content, map(str, files)), strict=True):
        try:
            # As text files are read, and as nn-dataset's database holds them: every line ends in a bare newline.
            codes[file.stem] = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            damaged.append(f"nn/{file.name}: {error}")
    return codes, damaged


def _run_folders(root: Path) -> list[str]:
    with os.scandir(root / "stat" / "train") as entries:
        return sorted(entry.path for entry in entries if entry.is_dir())


def _stamps(folders: Iterable[str]) -> list[tuple[int, int, int, int]]:
    """Of each folder: its time of change (which tells of renamed files), the number of its files, and the sums of
    their sizes and times of change."""
    stamps = []
    for folder in folders:
        count = size = changed = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == "__pycache__":
                    continue  # whoever imports a network changes it
                status = entry.stat()
                count += 1
                size += status.st_size
                changed += status.st_mtime_ns
        stamps.append((os.stat(folder).st_mtime_ns, count, size, changed))
    return stamps


def _content(path: str) -> bytes:
    # open() builds three layers of objects around each of 105,447 files.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
