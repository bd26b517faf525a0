"""LightGBM regressor that scores each (network, recipe, dataset) independently.

A pair question is answered by the difference of its two sides' scores (Bradley and Terry's model): exchanging the sides
changes the sign. A score can be compared from network to network, which the probability of winning a pair cannot: a
network that is good at everything wins no pair more often. Trials of near-duplicates together weigh as much as one
network's, and several forests that differ by their seed are averaged: on validation the seed mattered more than any
parameter.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.base import check_dataset
from nngpt_perfclf.advice.features import Side, kept_columns, side_rows
from nngpt_perfclf.advice.percentiles import NOTHING_KNOWN, OTHER, Percentiles, load_percentiles, save_percentiles
from nngpt_perfclf.advice.run_folders import folder_of
from nngpt_perfclf.advice.tree_models import TreeAdviser, TreeModel, load_trees, train_trees
from nngpt_perfclf.advice.trees import Forest, weights_of
from nngpt_perfclf.advice.weights import MODES, Weights
from nngpt_perfclf.config import Config
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import AdviserSpec, Candidate, PerfclfError, Question, Score

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.datasets import DatasetProperties
    from nngpt_perfclf.tasks import TaskData

KIND = "pointwise"
FORESTS = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SideModel(TreeModel):
    """Trees that predict the label of one trial."""

    def predict(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The expected label (n,) of sides; each distinct one is computed once."""
        if not sides:
            return np.zeros(0)
        distinct = list(dict.fromkeys(sides))
        found = dict(zip(distinct, self.forest.predict(self.rows(distinct, datasets)), strict=True))
        return np.array([found[side] for side in sides])

    def rows(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The features (n, width) that these trees read."""
        rows = side_rows(sides, self.reader.again([code for code, _, _ in sides]), datasets, self.datasets)
        return rows[:, kept_columns(rows.shape[1], self.reads, sides=1)]

    def log_odds(self, questions: Sequence[Question], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The expected label of side a minus that of side b, (n,), in units of the label."""
        sides = [side for asked in questions for side in
                 ((asked.arch_code, asked.ds_a, asked.recipe_a), (asked.arch_code, asked.ds_b, asked.recipe_b))]
        predicted = self.predict(sides, datasets).reshape(-1, 2)
        return predicted[:, 0] - predicted[:, 1]


@dataclass
class PointwiseAdviser(TreeAdviser):
    """`percentiles`: by mode and dataset; the dataset `OTHER` is any that has none of its own."""

    percentiles: Mapping[str, Mapping[str, Percentiles]] = field(default_factory=dict)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order; None for an invalid recipe (logged). Raises PerfclfError for a dataset
        without properties."""
        check_dataset(target, self.datasets)
        scores: list[Score | None] = [None] * len(candidates)
        valid = [place for place, candidate in enumerate(candidates) if _is_valid(candidate)]
        empty = np.array([candidates[place].recipe.is_empty for place in valid], bool)
        for mode, chosen in zip(MODES, (~empty, empty), strict=True):
            places = np.array(valid, int)[chosen]
            sides = [(candidates[place].arch_code, target, candidates[place].recipe if mode == MODES[0] else None)
                     for place in places]
            predicted = self.models[mode].predict(sides, self.datasets)
            values = (self.weights or Weights.ones(self.sources))(predicted[:, None], ~empty[chosen])
            percentiles = self.percentiles[mode].get(target, self.percentiles[mode][OTHER])
            for place, value, *range_ in zip(places, values, *percentiles(predicted), strict=True):
                scores[place] = self._score(target, mode, float(value), *map(float, range_))
        return scores

    def _score(self, target: str, mode: str, value: float, expected: float, low: float, high: float) -> Score:
        decided = high - low < NOTHING_KNOWN and value != 0  # a weight of 0 leaves nothing to choose by
        where = f"on {target}" if target in self.percentiles[mode] else f"on other datasets, {target} having none"
        reasons = [f"expected to do better than {expected:.0%} of the recorded trials {where}",
                   "" if mode == MODES[0] else "scored without a recipe, which matters more than the code",
                   "" if decided else "undecided: its interval is no narrower than that of an unknown network"]
        return Score(value, expected, low, high, decided, "; ".join(filter(None, reasons)))


def load(config: Config) -> PointwiseAdviser:
    """The models of `config.label`; raises PerfclfError where a file is missing or damaged."""
    return PointwiseAdviser(**load_trees(KIND, SideModel, config),
                            percentiles=load_percentiles(folder_of(config, KIND), config.label))


def fit_side_model(trials: pd.DataFrame, label: str, data: TaskData, blank: SideModel) -> SideModel:
    """Trees fitted on labelled `trials`, all of the training part; `blank`: a model without trees. Not calibrated."""
    from nngpt_perfclf.tasks import LABELS

    blank = replace(blank, datasets=tuple(sorted(trials["dataset"].unique())))
    rows, labels = blank.rows(sides_of(trials, data.codes), data.datasets), trials[LABELS[label]].to_numpy()
    weights = weights_of(trials["nn"], data.networks["group"], power=1.0)
    seed, threads = data.config.seed, data.config.threads
    seeds = range(FORESTS * seed, FORESTS * seed + FORESTS)
    return replace(blank, forest=Forest.fit(rows, labels, weights, "regression", seeds, threads))


def sides_of(trials: pd.DataFrame, codes: Mapping[str, str]) -> list[Side]:
    """The (code, dataset, recipe) of each trial."""
    from nngpt_perfclf.tasks import recipe_of

    return [(codes[row.nn], row.dataset, recipe_of(row)) for row in trials.itertuples()]


def train(config: Config, out: Path) -> dict:
    """Fit the models of each of `config.train.labels` on all training trials, and their weights and percentiles on the
    validation part; leave a run folder that `load` opens."""
    maps: dict[str, dict[str, dict[str, Percentiles]]] = {}

    def fit(data: TaskData, label: str, blanks: dict[str, SideModel]) -> dict[str, SideModel]:
        learned, held_out = data.part("train"), data.part("validation")
        if learned.empty:
            raise PerfclfError("no trials to learn from: change split.*")
        models = {mode: fit_side_model(learned, label, data, blank) for mode, blank in blanks.items()}
        maps[label] = {mode: percentiles_of(model, held_out, data) for mode, model in models.items()}
        save_percentiles(maps, out)
        return models

    return train_trees(KIND, SideModel, config, out, fit)


def percentiles_of(model: SideModel, trials: pd.DataFrame, data: TaskData) -> dict[str, Percentiles]:
    """The maps of one model by dataset, from validation `trials`; a dataset with fewer than two has none of its own."""
    predicted, ranks = model.predict(sides_of(trials, data.codes), data.datasets), trials["rank"].to_numpy()
    maps = {OTHER: Percentiles.fit(predicted, ranks)}
    for dataset in model.datasets:
        own = (trials["dataset"] == dataset).to_numpy()
        if own.sum() >= 2:
            maps[dataset] = Percentiles.fit(predicted[own], ranks[own])
    return maps


def _is_valid(candidate: Candidate) -> bool:
    try:
        recipe_words(candidate.recipe)
    except PerfclfError as error:
        _log.warning("no opinion: %s", error)
        return False
    return True


SPECS = (AdviserSpec(KIND, load, train),)
