"""Each side by itself: trees that foretell the label of one trial, from the code, the dataset and the recipe.

A question is answered by the difference of its two sides' strengths, as Bradley and Terry have it: exchanging the sides
changes the sign, and there is nothing else to learn about an order. A strength can be compared from network to network,
which the probability of winning a pair cannot: a network that is good at everything wins no pair more often. Trials of
near-duplicates weigh together as much as one network's, so that what is rare is learned too, and the mean of a few
forests is told: on validation the choice of their seed mattered more than that of any parameter.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.calibration import Calibration, load_calibration, save_calibrations
from nngpt_perfclf.advice.features import CodeReader, Side, kept_columns, side_rows
from nngpt_perfclf.advice.loading import common
from nngpt_perfclf.advice.pairwise import (
    DRAWS,
    PARAMETERS,
    TREES,
    PairwiseAdviser,
    drawn_pairs,
    forest_files,
    ground,
    load_boosters,
    weights_of,
)
from nngpt_perfclf.advice.prior import PairPrior, save_priors
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.record import read_json, record, write_json
from nngpt_perfclf.tasks import (
    LABELS,
    add_split,
    make_pairs,
    question_of,
    recipe_of,
    trials_of_part,
)
from nngpt_perfclf.types import PerfclfError, Question

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd

FORESTS = 3
# What LightGBM writes down and nobody needs who only asks: more than half of a file.
_STATISTICS = re.compile(r"^(split_gain|leaf_weight|leaf_count|internal_value|internal_weight|internal_count|"
                         r"tree_sizes)=.*\n", re.MULTILINE)
_LEAVES = re.compile(r"(?<=^leaf_value=).*$", re.MULTILINE)


@dataclass(frozen=True)
class Judge:
    """The forests of one label. `reads`: code, recipe, both or nothing; `slope`: log-odds for one unit of the label."""

    reader: CodeReader
    forests: tuple[lightgbm.Booster, ...]
    datasets: tuple[str, ...]
    reads: str
    slope: float = 1.0

    def strengths(self, questions: Sequence[Question], known: Mapping[str, DatasetProperties]) -> np.ndarray:
        """Of the sides a and b of each question, in log-odds; shape (n, 2)."""
        sides = [side for one in questions for side in
                 ((one.arch_code, one.ds_a, one.recipe_a), (one.arch_code, one.ds_b, one.recipe_b))]
        if not sides:
            return np.zeros((0, 2))
        # Many questions share a side: the candidate's, or a reference's.
        distinct = list(dict.fromkeys(sides))
        rows = self.rows(distinct, known)
        labels = np.mean([trees.predict(rows, num_threads=1) for trees in self.forests], axis=0)
        found = dict(zip(distinct, labels, strict=True))
        return self.slope * np.array([found[side] for side in sides]).reshape(-1, 2)

    def rows(self, sides: Sequence[Side], known: Mapping[str, DatasetProperties]) -> np.ndarray:
        """The features (n, width) that this judge reads."""
        rows = side_rows(sides, self.reader.again([code for code, _, _ in sides]), known, self.datasets)
        return rows[:, kept_columns(rows.shape[1], self.reads, sides=1)]


@dataclass
class PointwiseAdviser(PairwiseAdviser):
    """`forest` judges questions with both recipes, `bare`, which reads the code alone, all others."""

    forest: Judge | None = None
    bare: Judge | None = None

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        sides = self._sides(questions)
        return sides[:, 0] - sides[:, 1]

    def strengths(self, questions: Sequence[Question]) -> list[tuple[float, float]]:
        return [(float(a), float(b)) for a, b in self._sides(questions)]

    def _sides(self, questions: Sequence[Question]) -> np.ndarray:
        told = np.array([question.tells_recipes for question in questions], bool)
        sides = np.empty((len(questions), 2))
        for judge, chosen in ((self.forest, told), (self.bare, ~told)):
            sides[chosen] = judge.strengths([questions[at] for at in np.flatnonzero(chosen)], self.known)
        return sides

    @classmethod
    def load(cls, folder: Path, config: Config) -> PointwiseAdviser:
        """The judges of `config.label` in a run folder; raises PerfclfError where one is missing or damaged."""
        told = read_json(folder / "run.json")
        reader, datasets = CodeReader.load(folder / "reader.npz"), tuple(told["datasets"])
        forest, bare = (Judge(reader, load_boosters(folder / name), datasets, reads,
                              load_calibration(folder / "calibration.json", _stem(name)).slope)
                        for name, reads in forest_files(config.label, told["reads"]).items())
        return cls(name=folder.name, **common(folder, config), forest=forest, bare=bare)


def fit_judge(trials: pd.DataFrame, label: str, codes: Mapping[str, str], groups: pd.Series, reader: CodeReader,
              config: Config, known: Mapping[str, DatasetProperties], reads: str) -> Judge:
    """Forests for the label of labelled `trials`, all of the training part; not calibrated.

    groups: network -> near-duplicate group. The same configuration gives the same trees, whatever the threads.
    """
    import lightgbm

    judge = Judge(reader, (), tuple(sorted(trials["dataset"].unique())), reads)
    sides = [(codes[row.nn], row.dataset, recipe_of(row)) for row in trials.itertuples()]
    rows, labels = judge.rows(sides, known), trials[LABELS[label]].to_numpy()
    weights = weights_of(trials["nn"], groups, power=1.0)

    def forest(seed: int) -> lightgbm.Booster:
        parameters = {**PARAMETERS, "objective": "regression", "seed": seed, "num_threads": config.threads or 0}
        text = lightgbm.train(parameters, lightgbm.Dataset(rows, labels, weight=weights), TREES).model_to_string()
        return lightgbm.Booster(model_str=_leanly(text))

    return replace(judge, forests=tuple(forest(FORESTS * config.seed + number) for number in range(FORESTS)))


def pack(judge: Judge) -> bytes:
    """The forests as `load_boosters` reads them."""
    texts = [_leanly(trees.model_to_string()) for trees in judge.forests]
    return gzip.compress("\f".join(texts).encode(), mtime=0)


def train_pointwise(config: Config, out: Path) -> dict:
    """Fit a judge for each of `config.train.labels` on all training trials, and its slope on validation pairs; leave a
    run folder that `load_advisor` opens."""
    corpus, trials, codes, known, networks, reader = ground(config, out)
    learned = trials_of_part(trials, networks, config.split, "train")
    if learned.empty:
        raise PerfclfError("no trials to learn from: change split.*")
    priors, slopes, result, datasets = {}, {}, {}, ()
    for label in config.train.labels:
        say(f"fitting trees for label={label}")
        checked = add_split(drawn_pairs(trials, label, config, DRAWS), codes, config.split)
        checked = checked[checked["part"] == "validation"]
        if checked.empty:
            raise PerfclfError("no pairs to calibrate on: change split.*")
        questions = [question_of(row, codes) for row in checked.itertuples()]
        won = (checked["better"] == checked["ds_a"]).to_numpy()
        for file, reads in forest_files(label, config.advice.features).items():
            judge = fit_judge(learned, label, codes, networks["group"], reader, config, known, reads)
            (out / file).write_bytes(pack(judge))
            sides = judge.strengths(questions, known)
            odds, datasets = sides[:, 0] - sides[:, 1], judge.datasets
            slopes[_stem(file)] = Calibration.fit(odds, won)
            result[f"validation_{_stem(file)}"] = float(np.mean((odds > 0) == won))
        result[f"validation_{label}_n"] = len(checked)
        once = add_split(make_pairs(trials, label, config.trial, config.seed), codes, config.split)
        priors[label] = PairPrior.fit(once[once["part"] == "train"])
    save_priors(priors, out / "prior.json")
    save_calibrations(slopes, out / "calibration.json")
    write_json(out / "run.json", record("strength", to_dict(config), corpus.fingerprint, status="done", result=result,
                                        datasets=list(datasets), reads=config.advice.features))
    return {"run": str(out), **result}


def _leanly(text: str) -> str:
    """LightGBM's text of a model without its statistics, leaves to seven digits."""
    return _LEAVES.sub(lambda line: " ".join(f"{float(leaf):.7g}" for leaf in line[0].split()),
                       _STATISTICS.sub("", text))


def _stem(file: str) -> str:
    return file.removesuffix(".txt.gz")
