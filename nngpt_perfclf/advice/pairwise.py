"""LightGBM classifier of pairs: features of the code, both recipes and both datasets.

A question is asked in the datasets' alphabetical order only, and the other order gets the negative: the model cannot
depend on the order, and has half as much to learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nngpt_perfclf.advice.base import Adviser, note_on_recipes
from nngpt_perfclf.advice.features import kept_columns, question_rows
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.run_folders import common, folder_of
from nngpt_perfclf.advice.tree_models import TreeModel, file_of, finish, fit_reader, load_models, reads_of
from nngpt_perfclf.advice.trees import Forest, weights_of
from nngpt_perfclf.advice.weights import MODES, Weights, fit_weights, load_weights, save_weights
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.types import AdviserSpec, PerfclfError, Question

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.datasets import DatasetProperties

KIND = "pairwise"
DRAWS = 4  # pairs of trials for each network and pair of datasets: there are far more trials than one draw shows


@dataclass(frozen=True)
class PairModel(TreeModel):
    """Trees that answer questions."""

    def log_odds(self, questions: Sequence[Question], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """Log-odds (n,) that `ds_a` is the better one."""
        if not questions:
            return np.zeros(0)
        rows, turned = self.rows(questions, datasets)
        scores = self.forest.predict(rows)
        return np.where(turned, -scores, scores)

    def rows(self, questions: Sequence[Question],
             datasets: Mapping[str, DatasetProperties]) -> tuple[np.ndarray, np.ndarray]:
        """The features (n, width) of the questions in alphabetical order, and which of them (n,) were turned for it."""
        turned = np.array([question.ds_a > question.ds_b for question in questions])
        ordered = [question.swapped() if turn else question for question, turn in zip(questions, turned, strict=True)]
        codes = self.reader.again([question.arch_code for question in ordered])
        rows = question_rows(ordered, codes, datasets, self.datasets)
        return rows[:, kept_columns(rows.shape[1], self.reads)], turned


@dataclass
class PairwiseAdviser(Adviser):
    """`models`: for questions with both recipes, and for all others, which read the code alone."""

    models: Mapping[str, PairModel] = field(default_factory=dict)
    sources: ClassVar[tuple[str, ...]] = ("trees",)

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        found = np.empty(len(questions))
        has_recipes = np.array([question.has_recipes for question in questions], bool)
        for mode, chosen in zip(MODES, (has_recipes, ~has_recipes), strict=True):
            asked = [questions[place] for place in np.flatnonzero(chosen)]
            found[chosen] = self.models[mode].log_odds(asked, self.datasets)
        return found[:, None]

    def note(self, question: Question) -> str:
        return note_on_recipes(question)


def load(config: Config) -> PairwiseAdviser:
    """The trees of `config.label`; raises PerfclfError where a file is missing or damaged."""
    folder = folder_of(config, KIND)
    return PairwiseAdviser(
        name=folder.name, prior=load_prior(folder, config.label), **common(config),
        weights=load_weights(folder, config.label, PairwiseAdviser.sources),
        models=load_models(folder, config.label, PairModel))


def fit_pair_model(pairs: pd.DataFrame, codes: Mapping[str, str], groups: pd.Series, blank: PairModel, config: Config,
                   datasets: Mapping[str, DatasetProperties]) -> PairModel:
    """Trees fitted on `pairs`, all of the training part and without ties; `blank`: a model without trees.

    groups: network -> near-duplicate group.
    """
    from nngpt_perfclf.tasks import question_of

    blank = replace(blank, datasets=tuple(sorted({*pairs["ds_a"], *pairs["ds_b"]})))
    rows, turned = blank.rows([question_of(row, codes) for row in pairs.itertuples()], datasets)
    first_won = (pairs["better"] == pairs["ds_a"]).to_numpy() ^ turned
    weights = weights_of(pairs["nn"], groups, power=0.5)
    return replace(blank, forest=Forest.fit(rows, first_won, weights, "binary", [config.seed], config.threads))


def train(config: Config, out: Path) -> dict:
    """Fit and calibrate trees for each of `config.train.labels`; leave a run folder that `load` opens."""
    from nngpt_perfclf.tasks import TaskData, question_of

    data = TaskData.load(config)
    reader = fit_reader(data, out)
    priors, weights, result, datasets = {}, {}, {}, ()
    for label in config.train.labels:
        say(f"fitting pairwise trees for label={label}")
        learned, checked = (data.pairs(label, DRAWS, part, ties=False) for part in ("train", "validation"))
        if learned.empty or checked.empty:
            raise PerfclfError("no pairs to learn from or none to calibrate on: change split.*")
        questions = [question_of(row, data.codes) for row in checked.itertuples()]
        won, slopes = (checked["better"] == checked["ds_a"]).to_numpy(), {}
        for mode, reads in reads_of(config.advice.features).items():
            blank = PairModel(reader, None, (), reads)
            model = fit_pair_model(learned, data.codes, data.networks["group"], blank, config, data.datasets)
            model.forest.save(out / file_of(label, mode))
            log_odds, datasets = model.log_odds(questions, data.datasets), model.datasets
            slopes[mode] = fit_weights(log_odds[:, None], won)
            result[f"validation_{label}_{mode}"] = float(np.mean((log_odds > 0) == won))
        result[f"validation_{label}_n"] = len(checked)
        priors[label], weights[label] = PairPrior.fit(data.pairs(label, part="train")), Weights(**slopes)
    save_priors(priors, out)
    save_weights(weights, PairwiseAdviser.sources, out)
    return finish(KIND, config, data, out, result, datasets)


SPECS = (AdviserSpec(KIND, load, train),)
