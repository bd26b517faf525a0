"""Outcomes from files: JSON lines, or the run database of a loop."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from nngpt_perfclf.advice.inputs import read_observation
from nngpt_perfclf.console import say
from nngpt_perfclf.databases import check
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe

# Datasets with their observations, and complaints about lines that hold none.
Found = tuple[list[tuple[str, Observation]], list[str]]


def read_outcomes(file: Path, epoch: int, target: str | None = None) -> dict[str, list[Observation]]:
    """The outcomes in a file, by dataset: JSON lines (`name`, `arch_code` or `net`, `recipe`, `accuracy`, `dataset`,
    `epoch`, `seconds`), or the run database of a loop (.sqlite). `target`: the dataset of lines that name none.

    A line that cannot be read is reported in one line on standard error and costs no other. Raises PerfclfError for a
    file that is missing or is neither.
    """
    if not file.is_file():
        raise PerfclfError(f"no file of outcomes {file}")
    found, complaints = _from_database(file) if file.suffix == ".sqlite" else _from_lines(file, epoch, target)
    for complaint in complaints:
        say(complaint)
    by_dataset: dict[str, list[Observation]] = {}
    for dataset, entry in found:
        by_dataset.setdefault(dataset, []).append(entry)
    return by_dataset


def _from_lines(file: Path, epoch: int, target: str | None) -> Found:
    found, complaints = [], []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(read_observation(line, file, number, Recipe(), epoch, target))
        except PerfclfError as error:
            complaints.append(str(error))
    return found, complaints


def _from_database(file: Path) -> Found:
    columns = "dataset, nn, epoch, accuracy, duration, lr, momentum, batch, dropout, transform, code"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            check(connection, file, "a run database of a loop")
            rows = connection.execute(f"SELECT {columns} FROM trial ORDER BY trial").fetchall()
    except sqlite3.DatabaseError as error:
        raise PerfclfError(f"{file} is not a run database of a loop: {str(error).splitlines()[0]}") from error
    return [(dataset, Observation(Candidate(name, code, Recipe(lr, momentum, batch, dropout, transform)), accuracy,
                                  epoch, duration))
            for dataset, name, epoch, accuracy, duration, lr, momentum, batch, dropout, transform, code in rows], []
