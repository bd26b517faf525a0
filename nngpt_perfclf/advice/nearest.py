"""The adviser that goes by the recorded trials nearest to each side, by code and recipe: k nearest neighbours.

A pair question is answered by the difference of the mean labels of both sides' nearest trials, a score is that mean on
the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from nngpt_perfclf.advice.base import Adviser, answered, check_dataset, has_valid_recipe, note_on_recipes
from nngpt_perfclf.advice.features import Side, sides_of
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.run_folders import common, folder_of, leave_manifest
from nngpt_perfclf.advice.tree_models import data_of
from nngpt_perfclf.advice.weights import Weights, accuracy, fit_on_validation, load_weights, save_weights
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.files import found_above
from nngpt_perfclf.retrieval import Neighbours
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import AdviserSpec, Candidate, Question, Recipe, Score

KIND = "nearest"
FILE = "neighbours.npz"
COLUMNS = ("normalized", "rank")  # the labels that `Neighbours.lookup` gives, in its order


@dataclass
class NearestAdviser(Adviser):
    """`neighbours`: the recorded trials; `label`: which of their labels is compared."""

    neighbours: Neighbours | None = None
    label: str = "normalized"
    sources: ClassVar[tuple[str, ...]] = ("near",)

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        near = near_labels(self.neighbours, questions, [self.label] * len(questions))
        return near[:, :1] - near[:, 1:]

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order; None for an invalid recipe (logged) and for a target without recorded
        trials. Raises PerfclfError for a dataset without properties."""
        check_dataset(target, self.datasets)
        return answered(candidates, map(has_valid_recipe, candidates), lambda valid: self._scores(valid, target))

    def note(self, question: Question) -> str:
        return note_on_recipes(question)

    def _scores(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        sides = [(candidate.arch_code, target, candidate.recipe) for candidate in candidates]
        near = labels_near(self.neighbours, sides)
        has_recipe = np.array([not candidate.recipe.is_empty for candidate in candidates], bool)
        values = (self.weights or Weights.ones(self.sources))(near[:, [COLUMNS.index(self.label)]], has_recipe)
        return [None if np.isnan(value) else
                Score(value, rank, 0.0, 1.0, True, f"the nearest recorded trials on {target} did better than "
                                                   f"{rank:.0%} of all on average; no interval is known")
                for value, rank in zip(values.tolist(), near[:, 1].tolist(), strict=True)]


def near_labels(neighbours: Neighbours | None, questions: Sequence[Question], labels: Sequence[str],
                not_in: np.ndarray | None = None) -> np.ndarray:
    """What the nearest recorded trials of both sides reached in the label named beside each question, shape (n, 2), in
    0..1; NaN where there is none. `not_in` (n,): see `Neighbours.lookup`."""
    found = labels_near(neighbours, sides_of(questions), None if not_in is None else np.repeat(not_in, 2))
    columns = np.repeat(np.array([COLUMNS.index(label) for label in labels], int), 2)
    return found[np.arange(len(found)), columns].reshape(-1, 2)


def labels_near(neighbours: Neighbours | None, sides: Sequence[Side], not_in: np.ndarray | None = None) -> np.ndarray:
    """The mean labels (n, 2), as `COLUMNS` names them, of the trials nearest to each side, in 0..1; NaN where there is
    none. `not_in` (n,): see `Neighbours.lookup`."""
    if neighbours is None or not sides:
        return np.full((len(sides), len(COLUMNS)), np.nan)
    codes, datasets, recipes = zip(*sides, strict=True)
    return neighbours.lookup(codes, datasets, [recipe or Recipe() for recipe in recipes], not_in)


def fit_neighbours(data: TaskData) -> Neighbours:
    """The training trials, with the metric under which they explain the validation part best."""
    say("learning which recorded trials are near")
    return _neighbours(data).learn_metric(data.part("validation"), data.codes, data.config.seed)


def _neighbours(data: TaskData) -> Neighbours:
    groups = data.networks["group"].astype("category").cat.codes
    sizes = {name: properties.size for name, properties in data.datasets.items()}
    return Neighbours.fit(data.part("train"), data.codes, groups, sizes, data.config.seed)


def load_neighbours(folder: Path) -> Neighbours:
    """The recorded trials in a run folder, or those that pretrained advisers share; raises PerfclfError where they are
    missing or damaged."""
    return Neighbours.load(found_above(folder, FILE))


def load(config: Config) -> NearestAdviser:
    """The recorded trials of a run folder; raises PerfclfError where a file is missing or damaged."""
    folder = folder_of(config, KIND)
    return NearestAdviser(folder.name, load_prior(folder, config.label), **common(config), label=config.label,
                          weights=load_weights(folder, config.label, NearestAdviser.sources),
                          neighbours=load_neighbours(folder))


def train(config: Config, out: Path) -> dict:
    """Gather the training trials, learn the metric and one weight for each label and mode on validation; leave a run
    folder that `load` opens. With `train.folds`, the trials of the validation part are added afterwards.

    Raises PerfclfError for a split without validation pairs."""
    data = TaskData.load(config)
    out.mkdir(parents=True, exist_ok=True)
    neighbours, priors, weights, result = fit_neighbours(data), {}, {}, {}
    learned, _ = data_of(data)
    (neighbours if learned is data else replace(_neighbours(learned), scales=neighbours.scales)).save(out / FILE)
    for label in config.train.labels:
        priors[label] = PairPrior.fit(data.pairs(label, part="train"))
        adviser = NearestAdviser(KIND, priors[label], data.datasets, neighbours=neighbours, label=label)
        weights[label], evidence, won = fit_on_validation([(data, adviser)], label)
        result |= {f"validation_{label}_{mode}": accuracy(np.nan_to_num(rows[:, 0]), won)
                   for mode, rows in evidence.items()}
        result[f"validation_{label}_n"] = len(won)
    save_priors(priors, out)
    save_weights(weights, NearestAdviser.sources, out)
    return leave_manifest(KIND, data, out, result)


SPECS = (AdviserSpec(KIND, load, train),)
