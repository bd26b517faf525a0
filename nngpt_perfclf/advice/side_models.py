"""LightGBM regressors of one side of a question: the expected label of a (network, recipe, dataset).

There are two kinds, by how the network is read: from its profile or from its text. Trials of near-duplicates together
weigh as much as one network's, and several boosters are averaged that differ by their seed and by the trials of the
large groups that they see: in cross-validation that mattered more than any parameter of the trees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.features import Side, dataset_rows, recipe_rows, sides_of, text_rows
from nngpt_perfclf.advice.network_features import network_rows
from nngpt_perfclf.advice.percentiles import (
    FITTED,
    NOTHING_KNOWN,
    OF_FOLDS,
    OTHER,
    Percentiles,
    load_percentiles,
    maps_of,
    save_percentiles,
)
from nngpt_perfclf.advice.structures import structures_of
from nngpt_perfclf.advice.tree_models import Held, TreeAdviser, TreeModel, load_trees, train_trees
from nngpt_perfclf.advice.trees import Forest, weights_of
from nngpt_perfclf.advice.weights import MODES, Weights
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.tasks import LABELS, TaskData, recipe_of
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Score

if TYPE_CHECKING:
    import pandas as pd

BOOSTERS = 5
PARAMETERS = {"min_data_in_leaf": 40}
# The trees that expect how far a label is from its prediction: in cross-validation larger ones did not prune better.
SPREAD, SPREAD_BOOSTERS, SPREAD_TREES, SPREAD_PARAMETERS = "spread.npz", 2, 100, {"num_leaves": 15}
SPREAD_LABEL = "normalized"  # in units of which candidates compete for the best accuracy
# Of a normal distribution: the standard deviation is as many times the mean distance from the mean.
DEVIATION, LEAST_DISTANCE = math.sqrt(math.pi / 2), 0.01
# Trials of the groups that always train, by kind: a profile costs the building of its network, a text nothing.
LARGE_GROUPS_TRIALS = {"profile": 4_000, "text": 15_000}
# The share of them that each booster sees.
SEEN = {"profile": 0.6, "text": 0.6}
# The log-odds of a pair grow more slowly than the difference of its sides' labels: by cross-validation.
USUAL, POWER = 0.2, 0.8


@dataclass(frozen=True)
class SideModel(TreeModel):
    """Trees that predict the label of one trial from the network's text."""

    def predict(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The expected label (n,) of sides; each distinct one is computed once."""
        return self._predicted(sides, datasets, lambda rows: self.forest.predict(rows))

    def predict_unknown(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties],
                        without: str | None = None) -> np.ndarray:
        """The expected label (n,) on a dataset that was not learned from: the mean over those that were, each in its
        place, but for `without`. Trees cannot extrapolate from the few datasets that they know, and what most of them
        agree on holds for others too."""
        names = [name for name in self.datasets if name != without] or self.datasets
        learned_rows = dataset_rows([("", name, None) for name in names], datasets, self.datasets)

        def mean(rows: np.ndarray) -> np.ndarray:
            there = [np.hstack([np.tile(row, (len(rows), 1)), rows[:, learned_rows.shape[1]:]]) for row in learned_rows]
            return self.forest.predict(np.vstack(there)).reshape(len(learned_rows), -1).mean(axis=0)

        return self._predicted(sides, datasets, mean)

    def _predicted(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties],
                   of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        if not sides:
            return np.zeros(0)
        distinct = list(dict.fromkeys(sides))
        found = dict(zip(distinct, of(self.rows(distinct, datasets)), strict=True))
        return np.array([found[side] for side in sides])

    def rows(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The features (n, width) that these trees read."""
        blocks = [dataset_rows(sides, datasets, self.datasets)]
        blocks += [recipe_rows(sides, datasets)] if self.reads_recipe else []
        blocks += [self.network_rows(sides, datasets)] if self.reads_code else []
        return np.hstack(blocks)

    def network_rows(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """What is read of the networks (n, …)."""
        return text_rows([code for code, _, _ in sides])

    def log_odds(self, questions: Sequence[Question], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The expected label of side a minus that of side b, (n,), in units of the label, where `USUAL` is a usual
        difference; of larger ones a part counts that falls with their size."""
        predicted = self.predict(sides_of(questions), datasets).reshape(-1, 2)
        difference = predicted[:, 0] - predicted[:, 1]
        return USUAL * np.sign(difference) * (np.abs(difference) / USUAL) ** POWER


class ProfileModel(SideModel):
    """Trees that predict the label of one trial from the network's profile."""

    def network_rows(self, sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        recipes = [recipe if self.reads_recipe else None for _, _, recipe in sides]
        return network_rows(structures_of(sides, datasets), recipes, [datasets[dataset] for _, dataset, _ in sides])


KINDS: dict[str, type[SideModel]] = {"profile": ProfileModel, "text": SideModel}


@dataclass
class SideAdviser(TreeAdviser):
    """`percentiles`: by mode and dataset. `ranks`: the same trees for the rank label, which tell the percentile on a
    dataset that has no map of its own. `spread`: how far the label of a trial with a recipe is expected to be from its
    prediction."""

    percentiles: Mapping[str, Mapping[str, Percentiles]] = field(default_factory=dict)
    ranks: SideAdviser | None = None
    spread: SideModel | None = None

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score]:
        """One score a candidate, in order."""
        scores: list[Score | None] = [None] * len(candidates)
        empty = np.array([candidate.recipe.is_empty for candidate in candidates], bool)
        for mode, chosen in zip(MODES, (~empty, empty), strict=True):
            places = np.flatnonzero(chosen)
            sides = [(candidates[place].arch_code, target, candidates[place].recipe if mode == MODES[0] else None)
                     for place in places]
            predicted = self._predicted(self.models[mode], sides, target)
            weights = self.weights or Weights.ones(self.sources)
            values = weights(predicted[:, None], ~empty[places])
            for place, value, *range_ in zip(places, values, *self._ranges(sides, predicted, target, mode),
                                             strict=True):
                scores[place] = self._score(target, mode, float(value), *map(float, range_))
            if mode == MODES[0] and self.spread is not None:
                distance = np.maximum(self._predicted(self.spread, sides, target), LEAST_DISTANCE)
                deviations = weights(DEVIATION * distance[:, None], ~empty[places])
                for place, deviation in zip(places, deviations, strict=True):
                    scores[place] = replace(scores[place], deviation=float(deviation))
        return scores

    def on_one_scale(self) -> SideAdviser:
        """For comparing datasets: each one's percentile by the map of those that have none of their own. A dataset's
        own map depends on which few networks of the validation part were trained on it."""
        return replace(self, percentiles={mode: {OTHER: maps[OTHER]} for mode, maps in self.percentiles.items()})

    def _ranges(self, sides: Sequence[Side], predicted: np.ndarray, target: str, mode: str) -> tuple:
        """Expected percentile, low and high."""
        if target in self.percentiles[mode] or self.ranks is None:
            return self.percentiles[mode].get(target, self.percentiles[mode][OTHER])(predicted)
        return self.ranks.percentiles[mode][OTHER](self.ranks._predicted(self.ranks.models[mode], sides, target))

    def _predicted(self, model: SideModel, sides: Sequence[Side], target: str) -> np.ndarray:
        return (model.predict if target in model.datasets else model.predict_unknown)(sides, self.datasets)

    def _score(self, target: str, mode: str, value: float, expected: float, low: float, high: float) -> Score:
        decided = high - low < NOTHING_KNOWN and value != 0  # a weight of 0 leaves nothing to choose by
        where = f"on {target}" if target in self.percentiles[mode] else f"on other datasets, {target} having none"
        reasons = [f"expected to do better than {expected:.0%} of the recorded trials {where}",
                   "" if mode == MODES[0] else "scored without a recipe, which matters more than the code",
                   "" if decided else "undecided: its interval is no narrower than that of an unknown network"]
        return Score(value, expected, low, high, decided, "; ".join(filter(None, reasons)))


def load_sides(kind: str, config: Config, folder: Path) -> SideAdviser:
    """The trees of `config.label` that read the network as `kind` says; raises PerfclfError where a file is missing or
    damaged."""
    def adviser(label: str, ranks: SideAdviser | None) -> SideAdviser:
        asked = replace(config, label=label, adviser=str(folder))
        found = SideAdviser(**load_trees(kind, KINDS[kind], asked), percentiles=load_percentiles(folder, label),
                            ranks=ranks)
        if label != SPREAD_LABEL or not (folder / SPREAD).is_file():
            return found
        return replace(found, spread=replace(found.models[MODES[0]], forest=Forest.load(folder / SPREAD)))

    if config.label == "rank" or not (folder / f"rank-{MODES[0]}.npz").is_file():
        return adviser(config.label, None)
    return adviser(config.label, adviser("rank", None))


def train_sides(kind: str, config: Config, out: Path) -> dict:
    """Fit the trees of each of `config.train.labels` on training trials, and their weights, percentiles and spread on
    trials that they have not learned from; leave a folder that `load_sides` opens."""
    import pandas as pd

    maps: dict[str, dict[str, dict[str, Percentiles]]] = {}
    expected: dict[str, dict[str, pd.DataFrame]] = {}

    def fit(data: TaskData, label: str, blanks: dict[str, SideModel]) -> dict[str, SideModel]:
        learned = training_trials(data, LARGE_GROUPS_TRIALS[kind])
        return {mode: fit_side_model(learned, label, data, blank, SEEN[kind]) for mode, blank in blanks.items()}

    def check(label: str, held: Sequence[Held]) -> None:
        expected[label] = {mode: pd.concat([expected_of(models[mode], data.part("validation"), data)
                                            for data, models in held]) for mode in MODES}
        ends = OF_FOLDS if len(held) > 1 else FITTED
        maps[label] = {mode: percentiles_of(trials, ends) for mode, trials in expected[label].items()}
        save_percentiles(maps, out)

    found = train_trees(kind, KINDS[kind], config, out, fit, check)
    if SPREAD_LABEL in expected:
        model = load_sides(kind, replace(config, label=SPREAD_LABEL), out).models[MODES[0]]
        predicted = expected[SPREAD_LABEL][MODES[0]]["predicted"]
        fit_spread(predicted, TaskData.load(config), model).forest.save(out / SPREAD)
    return found


def training_trials(data: TaskData, large_groups_trials: int) -> pd.DataFrame:
    """The trials to learn from, with the `weight` of each and whether it is of a `large` group: all of the small
    near-duplicate groups, and of those that always train `large_groups_trials` at their networks' most frequent images,
    which leaves fewer networks to build.

    Raises PerfclfError where there is none.
    """
    import pandas as pd

    trials = data.part("train")
    if trials.empty:
        raise PerfclfError("no trials to learn from: change split.*")
    weights = pd.Series(weights_of(trials["nn"], data.networks["group"], power=1.0), trials.index)
    large = trials["nn"].map(data.networks["group"]).map(data.networks["group"].value_counts())
    large = large > data.config.split.largest_held_out
    usual = trials[large].groupby("nn")["transform"].transform(lambda names: names.mode().iloc[0])
    candidates = trials[large][trials.loc[large, "transform"] == usual]
    order = candidates["nn"].drop_duplicates().sample(frac=1, random_state=data.config.seed)
    counts = candidates["nn"].value_counts()[order].cumsum()
    chosen = candidates[candidates["nn"].isin(counts.index[counts <= large_groups_trials])]
    if large.any() and len(chosen):
        weights[chosen.index] *= weights[large].sum() / weights[chosen.index].sum()
    kept = pd.concat([trials[~large], chosen])
    return kept.assign(weight=weights[kept.index] / weights[kept.index].mean(), large=large[kept.index])


def fit_side_model(trials: pd.DataFrame, label: str, data: TaskData, blank: SideModel, seen: float = 1.0) -> SideModel:
    """Trees fitted on what `training_trials` gives; `blank`: a model without trees; `seen`: the share of the trials of
    large groups that each booster is fitted on. Not calibrated."""
    blank = replace(blank, datasets=tuple(sorted(trials["dataset"].unique())))
    rows = blank.rows(sides_in(trials, data.codes), data.datasets)
    seed, threads = data.config.seed, data.config.threads
    seeds, large = range(BOOSTERS * seed, BOOSTERS * seed + BOOSTERS), trials["large"].to_numpy()
    weights = trials["weight"].to_numpy() / np.where(large, seen, 1.0)
    return replace(blank, forest=Forest.fit(rows, trials[LABELS[label]].to_numpy(), weights, "regression", seeds,
                                            threads, PARAMETERS, samples=_samples(large, seen, seeds)))


def fit_spread(predicted: pd.Series, data: TaskData, model: SideModel) -> SideModel:
    """Trees like those of `model` that expect how far a trial's label is from the one that was `predicted` (NaN: not
    used), by trees that have not learned from the trial; index: of `data.trials`."""
    trials = data.trials.loc[predicted.dropna().index]
    distance = (trials[LABELS[SPREAD_LABEL]] - predicted[trials.index]).abs().to_numpy()
    return replace(model, forest=Forest.fit(
        model.rows(sides_in(trials, data.codes), data.datasets), distance,
        weights_of(trials["nn"], data.networks["group"], power=1.0), "regression", range(SPREAD_BOOSTERS),
        data.config.threads, {**PARAMETERS, **SPREAD_PARAMETERS}, SPREAD_TREES))


def _samples(large: np.ndarray, seen: float, seeds: Sequence[int]) -> list[np.ndarray]:
    """For each seed the places of all trials of small groups and of a share of the others, the next one in a random
    order that is repeated."""
    order = np.random.default_rng(0).permutation(np.flatnonzero(large))
    count = round(seen * len(order))
    drawn = [np.take(order, range(seed * count, (seed + 1) * count), mode="wrap") if count else order[:0]
             for seed in seeds]
    return [np.sort(np.concatenate([np.flatnonzero(~large), part])) for part in drawn]


def sides_in(trials: pd.DataFrame, codes: Mapping[str, str]) -> list[Side]:
    """The (code, dataset, recipe) of each trial."""
    return [(codes[row.nn], row.dataset, recipe_of(row)) for row in trials.itertuples()]


def expected_of(model: SideModel, trials: pd.DataFrame, data: TaskData) -> pd.DataFrame:
    """What a model expects of trials that it has not learned from: their `dataset` and `rank`, the label `predicted`,
    NaN for a dataset that it has not learned from, and that `as_unknown`, as if it had not."""
    sides, found = sides_in(trials, data.codes), trials[["dataset", "rank"]].assign(predicted=np.nan, as_unknown=np.nan)
    found["predicted"] = np.where(found["dataset"].isin(model.datasets), model.predict(sides, data.datasets), np.nan)
    for dataset in found["dataset"].unique():
        places = np.flatnonzero(found["dataset"] == dataset)
        found.iloc[places, -1] = model.predict_unknown([sides[place] for place in places], data.datasets, dataset)
    return found


def percentiles_of(trials: pd.DataFrame, ends: tuple[float, float] = FITTED) -> dict[str, Percentiles]:
    """The maps by dataset from what `expected_of` gives; a dataset with fewer than two trials has none of its own."""
    return {OTHER: Percentiles.fit(trials["as_unknown"].to_numpy(), trials["rank"].to_numpy()),
            **maps_of(trials, ends)}
