"""LightGBM classifier of pairs: features of the code, both recipes and both datasets.

A question is asked in the datasets' alphabetical order only, and the other order gets the negative: the model cannot
depend on the order, and has half as much to learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.features import dataset_rows, recipe_rows, sides_of, text_rows
from nngpt_perfclf.advice.tree_models import TreeAdviser, TreeModel, load_trees, train_trees
from nngpt_perfclf.advice.trees import Forest, weights_of
from nngpt_perfclf.advice.weights import DRAWS
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.tasks import TaskData, question_of
from nngpt_perfclf.types import AdviserSpec, PerfclfError, Question

if TYPE_CHECKING:
    import pandas as pd

KIND = "pairwise"


@dataclass(frozen=True)
class PairModel(TreeModel):
    """Trees that answer questions."""

    def log_odds(self, questions: Sequence[Question], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
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
        sides = sides_of(ordered)
        places = dataset_rows(sides, datasets, self.datasets)
        blocks = [np.hstack([places[::2], places[1::2]])]
        if self.reads_recipe:
            recipes = recipe_rows(sides, datasets)
            blocks += [recipes[::2], recipes[1::2], recipes[::2] - recipes[1::2]]
        if self.reads_code:
            blocks.append(text_rows([question.arch_code for question in ordered]))
        return np.hstack(blocks), turned


def load(config: Config) -> TreeAdviser:
    """The trees of `config.label`; raises PerfclfError where a file is missing or damaged."""
    return TreeAdviser(**load_trees(KIND, PairModel, config))


def fit_pair_model(pairs: pd.DataFrame, data: TaskData, blank: PairModel) -> PairModel:
    """Trees fitted on `pairs`, all of the training part and without ties; `blank`: a model without trees."""
    blank = replace(blank, datasets=tuple(sorted({*pairs["ds_a"], *pairs["ds_b"]})))
    rows, turned = blank.rows([question_of(row, data.codes) for row in pairs.itertuples()], data.datasets)
    first_won = (pairs["better"] == pairs["ds_a"]).to_numpy() ^ turned
    weights = weights_of(pairs["nn"], data.networks["group"], power=0.5)
    config = data.config
    return replace(blank, forest=Forest.fit(rows, first_won, weights, "binary", [config.seed], config.threads))


def train(config: Config, out: Path) -> dict:
    """Fit and calibrate trees for each of `config.train.labels`; leave a run folder that `load` opens."""
    return train_trees(KIND, PairModel, config, out, _fit)


def _fit(data: TaskData, label: str, blanks: dict[str, PairModel]) -> dict[str, PairModel]:
    learned = data.pairs(label, DRAWS, "train", ties=False)
    if learned.empty:
        raise PerfclfError("no pairs to learn from: change split.*")
    return {mode: fit_pair_model(learned, data, blank) for mode, blank in blanks.items()}


SPECS = (AdviserSpec(KIND, load, train),)
