"""The adviser that goes by the recorded trials nearest to each side, by code and recipe: k nearest neighbours.

A pair question is answered by the difference of the mean labels of both sides' nearest trials, a score is that mean on
the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nngpt_perfclf.advice.base import Adviser, check_dataset, has_valid_recipe, note_on_recipes
from nngpt_perfclf.advice.features import Side, sides_of
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.run_folders import common, folder_of
from nngpt_perfclf.advice.tree_models import DRAWS, data_of
from nngpt_perfclf.advice.weights import MODES, Weights, accuracy, asked_in, fit_weights, load_weights, save_weights
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.retrieval import Neighbours
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.types import AdviserSpec, Candidate, PerfclfError, Question, Recipe, Score

if TYPE_CHECKING:
    from nngpt_perfclf.tasks import TaskData

KIND = "nearest"
FILE = "neighbours.npz"
_COLUMNS = ("normalized", "rank")  # the labels that `Neighbours.lookup` gives, in its order


@dataclass
class NearestAdviser(Adviser):
    """`neighbours`: the recorded trials; `label`: which of their labels is compared."""

    neighbours: Neighbours | None = None
    label: str = "normalized"
    sources: ClassVar[tuple[str, ...]] = ("near",)

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        near = self._near(sides_of(questions))[:, _COLUMNS.index(self.label)].reshape(-1, 2)
        return near[:, :1] - near[:, 1:]

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order; None for an invalid recipe (logged) and for a target without recorded
        trials. Raises PerfclfError for a dataset without properties."""
        check_dataset(target, self.datasets)
        scores: list[Score | None] = [None] * len(candidates)
        places = [place for place, candidate in enumerate(candidates) if has_valid_recipe(candidate)]
        near = self._near([(candidates[place].arch_code, target, candidates[place].recipe) for place in places])
        has_recipe = np.array([not candidates[place].recipe.is_empty for place in places], bool)
        values = (self.weights or Weights.ones(self.sources))(near[:, [_COLUMNS.index(self.label)]], has_recipe)
        for place, value, rank in zip(places, values.tolist(), near[:, 1].tolist(), strict=True):
            if not np.isnan(value):
                scores[place] = Score(value, rank, 0.0, 1.0, True, f"the nearest recorded trials on {target} did "
                                      f"better than {rank:.0%} of all on average; no interval is known")
        return scores

    def note(self, question: Question) -> str:
        return note_on_recipes(question)

    def _near(self, sides: Sequence[Side]) -> np.ndarray:
        """The mean labels (n, 2) of the trials nearest to each side; NaN where its dataset has none."""
        if not sides:
            return np.zeros((0, 2))
        return self.neighbours.lookup(*zip(*((code, dataset, recipe or Recipe()) for code, dataset, recipe in sides),
                                           strict=True))


def fit_neighbours(data: TaskData) -> Neighbours:
    """The training trials, with the metric under which they explain the validation part best."""
    say("learning which recorded trials are near")
    return _neighbours(data).learn_metric(data.part("validation"), data.codes, data.config.seed)


def _neighbours(data: TaskData) -> Neighbours:
    groups = data.networks["group"].astype("category").cat.codes
    sizes = {name: properties.size for name, properties in data.datasets.items()}
    return Neighbours.fit(data.part("train"), data.codes, groups, sizes, data.config.seed)


def load(config: Config) -> NearestAdviser:
    """The recorded trials of a run folder; raises PerfclfError where a file is missing or damaged."""
    folder = folder_of(config, KIND)
    return NearestAdviser(folder.name, load_prior(folder, config.label), **common(config), label=config.label,
                          weights=load_weights(folder, config.label, NearestAdviser.sources),
                          neighbours=Neighbours.load(folder / FILE))


def train(config: Config, out: Path) -> dict:
    """Gather the training trials, learn the metric and one weight for each label and mode on validation; leave a run
    folder that `load` opens. With `train.folds`, the trials of the validation part are added afterwards.

    Raises PerfclfError for a split without validation pairs."""
    from nngpt_perfclf.tasks import TaskData, question_of

    data = TaskData.load(config)
    out.mkdir(parents=True, exist_ok=True)
    neighbours, priors, weights, result = fit_neighbours(data), {}, {}, {}
    learned, _ = data_of(data)
    (neighbours if learned is data else replace(_neighbours(learned), scales=neighbours.scales)).save(out / FILE)
    for label in config.train.labels:
        pairs = data.pairs(label, DRAWS, "validation", ties=False)
        if pairs.empty:
            raise PerfclfError("no pairs to calibrate on: change split.*")
        questions = [question_of(row, data.codes) for row in pairs.itertuples()]
        won, slopes = (pairs["better"] == pairs["ds_a"]).to_numpy(), {}
        priors[label] = PairPrior.fit(data.pairs(label, part="train"))
        adviser = NearestAdviser(KIND, priors[label], data.datasets, neighbours=neighbours, label=label)
        for mode in MODES:
            evidence = adviser.evidence(asked_in(mode, questions))
            slopes[mode] = fit_weights(evidence, won)
            result[f"validation_{label}_{mode}"] = accuracy(np.nan_to_num(evidence[:, 0]), won)
        result[f"validation_{label}_n"], weights[label] = len(pairs), Weights(**slopes)
    save_priors(priors, out)
    save_weights(weights, NearestAdviser.sources, out)
    RunFolder(out).note(manifest(KIND, to_dict(config), data.fingerprint, status="done", result=result))
    return {"run": str(out), **result}


SPECS = (AdviserSpec(KIND, load, train),)
