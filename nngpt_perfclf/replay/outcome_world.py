"""What `replay.outcomes` asks about: the candidates and the pairs of each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.history import History
from nngpt_perfclf.advice.pointwise import PointwiseAdviser
from nngpt_perfclf.config import Config
from nngpt_perfclf.replay.pools import Pool, all_trials, held_out_trials, pools_of
from nngpt_perfclf.tasks import TaskData, recipe_of
from nngpt_perfclf.types import Candidate, PerfclfError

LABELS = ("normalized", "rank")


@dataclass(frozen=True)
class Sides:
    """The pairs of one target and label: `own` and `other` candidates, the `others`' datasets, whether the target
    `won`, the pairs' networks `nn`, and the `units` that a bootstrap draws."""

    own: list[Candidate]
    other: list[Candidate]
    others: np.ndarray
    won: np.ndarray
    nn: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class World:
    """`pools` by target, and the `sides` of the pairs by target and label; `best`: each dataset's best accuracy;
    `usual`: its trials' mean normalized accuracy; `known_networks`: whether the networks are known from other
    datasets."""

    data: TaskData
    pools: Mapping[str, Pool]
    sides: Mapping[str, Mapping[str, Sides]]
    best: Mapping[str, float]
    usual: Mapping[str, float]
    known_networks: bool

    @staticmethod
    def load(config: Config) -> World:
        """Of the held-out part, or with `loop.known_networks` of all networks. Raises PerfclfError as `pools_of`
        does."""
        data, known_networks = TaskData.load(config), config.loop.known_networks
        part = None if known_networks else config.evaluate.part
        pools = pools_of(config, data, all_trials(data) if known_networks else held_out_trials(config, data))
        pairs = {label: _sampled(data.pairs(label, part=part, ties=False), config) for label in LABELS}
        sides = {pool.target: {label: sides_of(table, pool.target, data.codes, "nn" if known_networks else "group")
                               for label, table in pairs.items()} for pool in pools}
        by_dataset = data.trials.groupby("dataset")
        return World(data, {pool.target: pool for pool in pools}, sides, by_dataset["accuracy"].max().to_dict(),
                     by_dataset["norm"].mean().to_dict(), known_networks)

    def history(self, adviser: PointwiseAdviser, target: str) -> History:
        """What all networks reached on the datasets other than the target. Raises PerfclfError for an adviser that
        reads no history."""
        if not isinstance(adviser, PointwiseAdviser):
            raise PerfclfError("loop.known_networks measures pointwise: no other adviser reads a history")
        trials = all_trials(self.data)
        return History.of(adviser.by_text, trials[trials["dataset"] != target], self.data)

    def units_of(self, target: str) -> np.ndarray:
        """What a bootstrap draws of the target's candidates: networks that are known, groups of those that are not."""
        pool = self.pools[target]
        return np.array([candidate.meta["nn"] for candidate in pool.candidates]) if self.known_networks else pool.groups

    def units(self) -> list[str]:
        """All of them, in order."""
        found = [self.units_of(target) for target in self.pools]
        found += [sides.units for by_label in self.sides.values() for sides in by_label.values()]
        return sorted(set(np.concatenate(found)))


def _sampled(pairs: pd.DataFrame, config: Config) -> pd.DataFrame:
    """`evaluate.pairs` of them, or all."""
    count = config.evaluate.pairs
    return pairs if count is None or count >= len(pairs) else pairs.sample(count, random_state=config.seed)


def sides_of(pairs: pd.DataFrame, target: str, codes: Mapping[str, str], unit: str = "group") -> Sides:
    """The pairs with the dataset `target` of a table of pairs; `unit`: its column that a bootstrap draws."""
    rows = pairs[(pairs["ds_a"] == target) | (pairs["ds_b"] == target)]
    own, other, others = [], [], []
    for row in rows.itertuples():
        sides = {row.ds_a: "a", row.ds_b: "b"}
        rest = row.ds_b if row.ds_a == target else row.ds_a
        own.append(Candidate(row.nn, codes[row.nn], recipe_of(row, sides[target])))
        other.append(Candidate(row.nn, codes[row.nn], recipe_of(row, sides[rest])))
        others.append(rest)
    return Sides(own, other, np.array(others), (rows["better"] == target).to_numpy(), rows["nn"].to_numpy(str),
                 rows[unit].to_numpy(str))
