"""LightGBM regressor that scores each (network, recipe, dataset) independently.

A pair question is answered by the difference of its two sides' scores (Bradley and Terry's model): exchanging the sides
changes the sign. A score can be compared from network to network, which the probability of winning a pair cannot: a
network that is good at everything wins no pair more often. Trials of near-duplicates together weigh as much as one
network's, and several forests that differ by their seed are averaged: on validation the seed mattered more than any
parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nngpt_perfclf.advice.base import Adviser, check_dataset, note_on_recipes
from nngpt_perfclf.advice.features import Side, kept_columns, side_rows
from nngpt_perfclf.advice.pairwise import DRAWS
from nngpt_perfclf.advice.percentiles import NOTHING_KNOWN, Percentiles, load_percentiles, save_percentiles
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.run_folders import common, folder_of
from nngpt_perfclf.advice.tree_models import TreeModel, file_of, finish, fit_reader, load_models, reads_of
from nngpt_perfclf.advice.trees import Forest, weights_of
from nngpt_perfclf.advice.weights import MODES, Weights, fit_weights, load_weights, save_weights
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.types import AdviserSpec, Candidate, PerfclfError, Question, Score

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.datasets import DatasetProperties
    from nngpt_perfclf.tasks import TaskData

KIND = "pointwise"
FORESTS = 3


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


@dataclass
class PointwiseAdviser(Adviser):
    """`models`: for sides with a recipe, and for those without, which read the code alone. `percentiles`: by mode and
    dataset; the dataset "" is any other."""

    models: Mapping[str, SideModel] = field(default_factory=dict)
    percentiles: Mapping[tuple[str, str], Percentiles] = field(default_factory=dict)
    sources: ClassVar[tuple[str, ...]] = ("trees",)

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        found = np.empty(len(questions))
        has_recipes = np.array([question.has_recipes for question in questions], bool)
        for mode, chosen in zip(MODES, (has_recipes, ~has_recipes), strict=True):
            asked = [questions[place] for place in np.flatnonzero(chosen)]
            found[chosen] = differences(self.models[mode], asked, self.datasets)
        return found[:, None]

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order. Raises PerfclfError for a dataset without properties."""
        check_dataset(target, self.datasets)
        empty = np.array([candidate.recipe.is_empty for candidate in candidates], bool)
        scores: list[Score | None] = [None] * len(candidates)
        for mode, chosen in zip(MODES, (~empty, empty), strict=True):
            places = np.flatnonzero(chosen)
            sides = [(candidates[place].arch_code, target, candidates[place].recipe if mode == MODES[0] else None)
                     for place in places]
            predicted = self.models[mode].predict(sides, self.datasets)
            values = (self.weights or Weights.ones(self.sources))(predicted[:, None], ~empty[places])
            percentiles = self.percentiles.get((mode, target), self.percentiles[mode, ""])
            for place, value, *range_ in zip(places, values, *percentiles(predicted), strict=True):
                scores[place] = self._score(target, mode, float(value), *map(float, range_))
        return scores

    def note(self, question: Question) -> str:
        return note_on_recipes(question)

    def _score(self, target: str, mode: str, value: float, expected: float, low: float, high: float) -> Score:
        decided = high - low < NOTHING_KNOWN
        reasons = [f"expected to do better than {expected:.0%} of the recorded trials on {target}",
                   "" if (mode, target) in self.percentiles else f"{target} has no recorded trials",
                   "" if mode == MODES[0] else "scored without a recipe, which matters more than the code",
                   "" if decided else "undecided: its interval is no narrower than that of an unknown network"]
        return Score(value, expected, low, high, decided, "; ".join(filter(None, reasons)))


def differences(model: SideModel, questions: Sequence[Question],
                datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
    """The expected label of side a minus that of side b, (n,), in units of the label."""
    sides = [side for asked in questions for side in
             ((asked.arch_code, asked.ds_a, asked.recipe_a), (asked.arch_code, asked.ds_b, asked.recipe_b))]
    predicted = model.predict(sides, datasets).reshape(-1, 2)
    return predicted[:, 0] - predicted[:, 1]


def load(config: Config) -> PointwiseAdviser:
    """The models of `config.label`; raises PerfclfError where a file is missing or damaged."""
    folder = folder_of(config, KIND)
    models = load_models(folder, config.label, SideModel)
    names = {(mode, name): _map_name(config.label, mode, name)
             for mode, model in models.items() for name in (*model.datasets, "")}
    return PointwiseAdviser(
        name=folder.name, prior=load_prior(folder, config.label), **common(config),
        weights=load_weights(folder, config.label, PointwiseAdviser.sources), models=models,
        percentiles={key: load_percentiles(folder, name) for key, name in names.items()})


def fit_side_model(trials: pd.DataFrame, label: str, codes: Mapping[str, str], groups: pd.Series, blank: SideModel,
                   config: Config, datasets: Mapping[str, DatasetProperties]) -> SideModel:
    """Trees fitted on labelled `trials`, all of the training part; `blank`: a model without trees. Not calibrated.

    groups: network -> near-duplicate group.
    """
    from nngpt_perfclf.tasks import LABELS

    blank = replace(blank, datasets=tuple(sorted(trials["dataset"].unique())))
    rows, labels = blank.rows(sides_of(trials, codes), datasets), trials[LABELS[label]].to_numpy()
    weights = weights_of(trials["nn"], groups, power=1.0)
    seeds = range(FORESTS * config.seed, FORESTS * config.seed + FORESTS)
    return replace(blank, forest=Forest.fit(rows, labels, weights, "regression", seeds, config.threads))


def sides_of(trials: pd.DataFrame, codes: Mapping[str, str]) -> list[Side]:
    """The (code, dataset, recipe) of each trial."""
    from nngpt_perfclf.tasks import recipe_of

    return [(codes[row.nn], row.dataset, recipe_of(row)) for row in trials.itertuples()]


def train(config: Config, out: Path) -> dict:
    """Fit the models of each of `config.train.labels` on all training trials, and their weights and percentiles on the
    validation part; leave a run folder that `load` opens."""
    from nngpt_perfclf.tasks import TaskData, question_of

    data = TaskData.load(config)
    reader = fit_reader(data, out)
    learned, held_out = data.part("train"), data.part("validation")
    if learned.empty or held_out.empty:
        raise PerfclfError("no trials to learn from or none to calibrate on: change split.*")
    priors, weights, maps, result, datasets = {}, {}, {}, {}, ()
    for label in config.train.labels:
        say(f"fitting pointwise trees for label={label}")
        checked = data.pairs(label, DRAWS, "validation", ties=False)
        questions = [question_of(row, data.codes) for row in checked.itertuples()]
        won, slopes = (checked["better"] == checked["ds_a"]).to_numpy(), {}
        for mode, reads in reads_of(config.advice.features).items():
            blank = SideModel(reader, None, (), reads)
            model = fit_side_model(learned, label, data.codes, data.networks["group"], blank, config, data.datasets)
            model.forest.save(out / file_of(label, mode))
            found, datasets = differences(model, questions, data.datasets), model.datasets
            slopes[mode] = fit_weights(found[:, None], won)
            maps |= percentiles_of(model, held_out, label, mode, data)
            result[f"validation_{label}_{mode}"] = float(np.mean((found > 0) == won))
        result[f"validation_{label}_n"] = len(checked)
        priors[label], weights[label] = PairPrior.fit(data.pairs(label, part="train")), Weights(**slopes)
    save_priors(priors, out)
    save_weights(weights, PointwiseAdviser.sources, out)
    save_percentiles(maps, out)
    return finish(KIND, config, data, out, result, datasets)


def percentiles_of(model: SideModel, trials: pd.DataFrame, label: str, mode: str,
                   data: TaskData) -> dict[str, Percentiles]:
    """The maps of one model, for each of its datasets and, under the name of none, for any other."""
    predicted, ranks = model.predict(sides_of(trials, data.codes), data.datasets), trials["rank"].to_numpy()
    maps = {_map_name(label, mode, ""): Percentiles.fit(predicted, ranks)}
    for dataset in model.datasets:
        own = (trials["dataset"] == dataset).to_numpy()
        maps[_map_name(label, mode, dataset)] = Percentiles.fit(predicted[own], ranks[own])
    return maps


def _map_name(label: str, mode: str, dataset: str) -> str:
    return f"{label}-{mode}-{dataset or 'other'}"


SPECS = (AdviserSpec(KIND, load, train),)
