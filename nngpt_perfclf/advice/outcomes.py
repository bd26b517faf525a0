"""Outcomes of trained candidates, read and checked, and the adviser that takes them into account."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.dataset_model import Curves
from nngpt_perfclf.advice.features import recipe_rows
from nngpt_perfclf.advice.informed import InformedAdviser
from nngpt_perfclf.advice.inputs import read_observation
from nngpt_perfclf.advice.network_features import MEETING, NAMES, network_rows
from nngpt_perfclf.advice.prior import load_prior
from nngpt_perfclf.advice.residuals import Similarity
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.advice.structures import structures_of
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe

if TYPE_CHECKING:
    from nngpt_perfclf.advice.adapters import Scorer
    from nngpt_perfclf.config import Config
    from nngpt_perfclf.datasets import DatasetProperties

POINTWISE = PRETRAINED / "pointwise"
# What a network is by itself, whatever the recipe and the dataset.
_OF_NETWORK = [place for place, name in enumerate(NAMES) if name not in MEETING]


def informed(scorer: Scorer, observations: Mapping[str, Sequence[Observation]], config: Config,
             folder: Path = POINTWISE) -> InformedAdviser:
    """`scorer` with the observations of each dataset. `folder`: a pointwise run folder, whose curves and scales are
    used."""
    datasets = dataset_properties(config.datasets)

    def numbers(candidates: Sequence[Candidate], target: str) -> tuple[np.ndarray, np.ndarray]:
        return numbers_of(candidates, target, datasets, config.advice.profile != "never")

    return InformedAdviser(scorer, Curves.load(folder), datasets, Similarity.load(folder), numbers, observations,
                           config.label, config.advice.confidence, load_prior(PRETRAINED, config.label))


def numbers_of(candidates: Sequence[Candidate], target: str, datasets: Mapping[str, DatasetProperties],
               build: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of recipes (n, r) and of networks (n, c) that make candidates alike; NaN for a network that is not
    built."""
    sides = [(candidate.arch_code, target, candidate.recipe) for candidate in candidates]
    structures = structures_of(sides, datasets) if build else [None] * len(sides)
    networks = network_rows(structures, [None] * len(sides), [datasets[target]] * len(sides))
    return recipe_rows(sides, datasets), networks[:, _OF_NETWORK]


def checked(observations: Iterable[Observation], epoch: int) -> tuple[list[Observation], list[str]]:
    """The usable observations, and one line about each of the others: an accuracy outside of 0..1 or not a number,
    another epoch, or a candidate that is there already (the last one counts)."""
    good: dict[tuple, Observation] = {}
    complaints = []
    for entry in observations:
        fault = _fault(entry, epoch)
        key = (entry.candidate.arch_code, entry.candidate.recipe)
        if not fault and key in good:
            fault = "it was observed before; the last accuracy counts"
            good[key] = entry
        elif not fault:
            good[key] = entry
        if fault:
            complaints.append(f"outcome of {entry.candidate.name}: {fault}")
    return list(good.values()), complaints


def read_outcomes(file: Path, target: str, epoch: int) -> list[Observation]:
    """The usable outcomes on the dataset `target` of a file: JSON lines (`name`, `arch_code` or `net`, `recipe`,
    `accuracy`, `epoch`), all of that dataset, or the run database of a loop. What cannot be used is reported in one
    line each on standard error.

    Raises PerfclfError for a file that is missing or is neither.
    """
    if not file.is_file():
        raise PerfclfError(f"no file of outcomes {file}")
    found, complaints = _from_database(file, target) if file.suffix == ".sqlite" else _from_lines(file, epoch)
    good, more = checked(found, epoch)
    for complaint in (*complaints, *more):
        say(complaint)
    return good


def _fault(entry: Observation, epoch: int) -> str:
    accuracy = entry.accuracy
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or math.isnan(accuracy):
        return f"its accuracy is not a number: {accuracy!r}"
    if 1 < accuracy <= 100:
        return f"its accuracy {accuracy:g} is above 1; percent are given as a share: {accuracy / 100:g}"
    if not 0 <= accuracy <= 1:
        return f"its accuracy {accuracy:g} is not in 0..1"
    return "" if entry.epoch == epoch else f"it is of epoch {entry.epoch}, and epoch {epoch} is asked about"


def _from_lines(file: Path, epoch: int) -> tuple[list[Observation], list[str]]:
    found, complaints = [], []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(read_observation(line, file, number, Recipe(), epoch))
        except PerfclfError as error:
            complaints.append(str(error))
    return found, complaints


def _from_database(file: Path, target: str) -> tuple[list[Observation], list[str]]:
    columns = "nn, epoch, accuracy, lr, momentum, batch, dropout, transform, code"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            query = f"SELECT {columns} FROM trial WHERE dataset = ? ORDER BY trial"
            rows = connection.execute(query, (target,)).fetchall()
    except sqlite3.DatabaseError as error:
        raise PerfclfError(f"{file} is no run database of a loop: {str(error).splitlines()[0]}") from error
    return [Observation(Candidate(name, code, Recipe(lr, momentum, batch, dropout, transform)), accuracy, epoch)
            for name, epoch, accuracy, lr, momentum, batch, dropout, transform, code in rows], []
