"""How long one epoch of training takes on the machines that the recorded trials ran on.

Trees predict the logarithm of the seconds for one training image, from the dataset, the recipe's batch and transform
and, where the network was built, its profile. Seconds of an epoch would need extrapolation to datasets of another size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.features import RECIPE_NUMBERS, Side, dataset_rows, recipe_rows
from nngpt_perfclf.advice.trees import Forest
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.profiling.types import Structure
from nngpt_perfclf.types import PerfclfError

BUILT, UNBUILT, MEDIANS = "built.npz", "unbuilt.npz", "medians.json"
# What of a recipe decides how long an epoch takes.
_OF_RECIPE = [RECIPE_NUMBERS.index(name) for name in ("batch", "size", "flip", "kind", "augmentations")]
PARAMETERS = {"learning_rate": 0.05, "min_data_in_leaf": 10, "feature_fraction": 0.6}
TREES, BOOSTERS = 300, 3


@dataclass(frozen=True)
class SecondsModel:
    """`built`: trees for networks with a profile; `unbuilt`: for all others; `medians`: of the recorded seconds of an
    epoch, by the datasets that were learned from, whose order numbers them."""

    built: Forest
    unbuilt: Forest
    medians: Mapping[str, float]

    def seconds(self, sides: Sequence[Side], structures: Sequence[Structure | None],
                datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The expected seconds (n,) of one epoch of each side's training."""
        there = np.array([structure is not None for structure in structures], bool)
        logs = np.empty(len(sides))
        for forest, chosen, with_profile in ((self.built, there, True), (self.unbuilt, ~there, False)):
            places = np.flatnonzero(chosen)
            if len(places):
                rows = rows_of([sides[place] for place in places], [structures[place] for place in places], datasets,
                               tuple(self.medians), with_profile)
                logs[places] = forest.predict(rows)
        return np.exp(logs) * np.array([datasets[dataset].images for _, dataset, _ in sides], float)

    @staticmethod
    def fit(sides: Sequence[Side], structures: Sequence[Structure | None], seconds: np.ndarray,
            datasets: Mapping[str, DatasetProperties], seed: int, threads: int | None) -> SecondsModel:
        """From recorded sides and the `seconds` (n,) of one epoch of each. Least absolute deviations: a few trials took
        a hundred times as long as the same training on the next day."""
        names = np.array([dataset for _, dataset, _ in sides])
        medians = {name: float(np.median(seconds[names == name])) for name in sorted(set(names.tolist()))}
        logs = np.log(seconds / np.array([datasets[name].images for name in names], float))
        there = np.array([structure is not None for structure in structures], bool)

        def forest(chosen: np.ndarray, with_profile: bool) -> Forest:
            places = np.flatnonzero(chosen)
            rows = rows_of([sides[place] for place in places], [structures[place] for place in places], datasets,
                           tuple(medians), with_profile)
            return Forest.fit(rows, logs[places], np.ones(len(places)), "l1", range(seed, seed + BOOSTERS), threads,
                              PARAMETERS, TREES)

        return SecondsModel(forest(there, True), forest(np.ones(len(sides), bool), False), medians)

    def save(self, folder: Path) -> None:
        """Two files of trees, and the medians."""
        self.built.save(folder / BUILT)
        self.unbuilt.save(folder / UNBUILT)
        write_json(folder / MEDIANS, {name: round(value, 3) for name, value in self.medians.items()})

    @staticmethod
    def load(folder: Path) -> SecondsModel:
        """Read what `save` wrote; raises PerfclfError where it is missing or damaged."""
        medians = read_json(folder / MEDIANS)
        if not medians or not all(isinstance(value, int | float) and value > 0 for value in medians.values()):
            raise PerfclfError(f"{folder / MEDIANS} must hold a positive number of seconds for each dataset")
        return SecondsModel(Forest.load(folder / BUILT), Forest.load(folder / UNBUILT), medians)


def rows_of(sides: Sequence[Side], structures: Sequence[Structure | None], datasets: Mapping[str, DatasetProperties],
            names: Sequence[str], with_profile: bool) -> np.ndarray:
    """What the trees read, one row a side. names: the datasets that were learned from."""
    recipes = recipe_rows(sides, datasets)[:, _OF_RECIPE]
    blocks = [dataset_rows(sides, datasets, names), recipes]
    if with_profile:
        blocks.append(np.array([_profile_numbers(structure, batch) for structure, batch
                                in zip(structures, recipes[:, 0], strict=True)], np.float32))
    return np.hstack(blocks)


def _profile_numbers(structure: Structure, batch: float) -> list[float]:
    """Logarithms of what has to be computed and kept; `batch`: that of the batch. `activations` + `batch`: the memory
    of a step."""
    counts = (structure.macs, structure.parameters, structure.activations, sum(structure.operators.values()),
              structure.depth, len(structure.layers) + structure.layers_left_out,
              structure.kinds.get("op:conv_depthwise", 0), structure.kinds.get("op:conv", 0), structure.trainable)
    macs, parameters, activations, *rest = (math.log2(1 + count) for count in counts)
    return [macs, parameters, activations, *rest, activations + batch, macs - parameters, macs - activations]
