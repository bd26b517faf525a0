"""What recorded networks reached beyond what was expected of them: evidence where one of them is used again, with
another recipe or on another dataset.

A trial's residual is how much better or worse it ranked than the adviser expected, in standard normal units. It is the
sum of an effect of the network on all datasets, one of the network on this dataset, and noise. All three are normal, so
that the expected effect, and what is left of its variance, follow from the means of the residuals. Networks are
recognised by the numbers of their text: comments, and names that are not counted, make no other network. The very trial
that is asked about is no evidence. Networks of large near-duplicate groups have no history: theirs says nothing about
other datasets (covariance of residuals below 0.01), since the group itself was learned from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.features import text_rows
from nngpt_perfclf.advice.informed import normal_quantiles, shifted
from nngpt_perfclf.files import read_arrays, write_arrays
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import Candidate, Recipe, Score

if TYPE_CHECKING:
    import pandas as pd

FILE = "history.npz"
# Variances of the residuals, estimated with each recorded dataset left out in turn.
NETWORK, NETWORK_ON_DATASET, NOISE = 0.05, 0.1, 0.5


@dataclass(frozen=True)
class History:
    """Trials in the order of their networks: the `network` (n,) and `recipe` (n,) as digests, the `dataset` (n,) as
    index into `names`, the `residual` (n,), and the `scale` () of a score's value for one unit of rank."""

    names: np.ndarray
    network: np.ndarray
    dataset: np.ndarray
    recipe: np.ndarray
    residual: np.ndarray
    scale: np.ndarray

    @staticmethod
    def of(scorer: Scorer, trials: pd.DataFrame, data: TaskData) -> History:
        """From those of the `trials` whose networks are in small near-duplicate groups."""
        groups = trials["nn"].map(data.networks["group"])
        small = data.networks["group"].value_counts() <= data.config.split.largest_held_out
        return History.fit(scorer, trials[groups.map(small)], data)

    @staticmethod
    def fit(scorer: Scorer, trials: pd.DataFrame, data: TaskData) -> History:
        """From recorded `trials` with their `rank`, none of them held out, and what `scorer` expects of them."""
        parts = []
        for dataset, candidates, rows in data.candidates(trials):
            scores = scorer.score(candidates, dataset)
            scored = np.array([score is not None for score in scores], bool)
            recipes = np.array([_digest(repr(candidate.recipe)) for candidate in candidates], np.uint64)
            expected = normal_quantiles(np.array([score.percentile for score in scores if score is not None]))
            values = np.array([score.value for score in scores if score is not None])
            parts.append((np.full(scored.sum(), dataset, object), _networks(candidates)[scored],
                          recipes[scored], normal_quantiles(rows["rank"].to_numpy()[scored]) - expected,
                          _slope(expected, values)))
        datasets, network, recipe, residual = (np.concatenate([part[place] for part in parts]) for place in range(4))
        order = np.argsort(network, kind="stable")
        names, dataset = np.unique(datasets.astype(str), return_inverse=True)
        return History(names, network[order], dataset[order].astype(np.int8), recipe[order],
                       residual[order].astype(np.float16), np.array(np.mean([part[4] for part in parts])))

    def applied(self, scores: Sequence[Score | None], candidates: Sequence[Candidate],
                target: str) -> list[Score | None]:
        """The scores, moved where the candidate's network has trials that are not the one that is asked about."""
        found = list(scores)
        effects = {place: self._effect(network, candidates[place].recipe, target)
                   for place, network in enumerate(_networks(candidates).tolist())
                   if scores[place] is not None and network in self._places}
        effects = {place: effect for place, effect in effects.items() if effect[2]}
        if effects:
            shifts, left, counts = map(np.array, zip(*effects.values(), strict=True))
            why = [f"{count} recorded trials of this network" for count in counts.tolist()]
            moved = shifted([scores[place] for place in effects], shifts, left, float(self.scale), why)
            for place, score in zip(effects, moved, strict=True):
                found[place] = score
        return found

    def _effect(self, network: int, recipe: Recipe, target: str) -> tuple[float, float, int]:
        """The expected residual, the share of its variance that is left, and of how many trials this is known."""
        first, last = self._places[network]
        dataset, residual = self.dataset[first:last], self.residual[first:last].astype(float)
        own = self.names[dataset] == target
        if own.any():
            other_trials = ~own | (self.recipe[first:last] != _digest(repr(recipe)))
            dataset, residual, own = (part[other_trials] for part in (dataset, residual, own))
        mean, variance = 0.0, NETWORK
        for other in set(dataset[~own].tolist()):
            of = residual[dataset == other]
            mean, variance = _updated(mean, variance, of.mean(), NETWORK_ON_DATASET + NOISE / len(of))
        variance += NETWORK_ON_DATASET
        if own.any():
            mean, variance = _updated(mean, variance, residual[own].mean(), NOISE / own.sum())
        return mean, (variance + NOISE) / (NETWORK + NETWORK_ON_DATASET + NOISE), len(dataset)

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        networks, first = np.unique(self.network, return_index=True)
        return dict(zip(networks.tolist(), zip(first.tolist(), [*first[1:].tolist(), len(self.network)], strict=True),
                        strict=True))

    def save(self, folder: Path) -> None:
        """Write ``history.npz``."""
        write_arrays(folder / FILE, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    @staticmethod
    def load(folder: Path) -> History:
        """Read what `save` wrote; raises PerfclfError where it is missing or damaged."""
        with read_arrays(folder / FILE, "history of the recorded networks") as arrays:
            return History(**{name: arrays[name] for name in History.__dataclass_fields__})


def _updated(mean: float, variance: float, seen: float, noise: float) -> tuple[float, float]:
    """A normal distribution after a measurement with normal noise."""
    gain = variance / (variance + noise)
    return mean + gain * (seen - mean), variance * (1 - gain)


def _slope(ranks: np.ndarray, values: np.ndarray) -> float:
    centred = ranks - ranks.mean()
    return float(centred @ (values - values.mean()) / max(centred @ centred, 1e-12))


def _networks(candidates: Sequence[Candidate]) -> np.ndarray:
    rows = text_rows([candidate.arch_code for candidate in candidates])
    digests: dict[bytes, int] = {}
    return np.array([digests[text] if text in digests else digests.setdefault(text, _digest(text))
                     for text in (row.tobytes() for row in rows)], np.uint64)


def _digest(text: str | bytes) -> int:
    content = text.encode() if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(content, digest_size=6).digest(), "little")
