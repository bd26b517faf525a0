"""How accuracies are distributed on a dataset: known where trials are recorded, a Bayesian guess where they are not.

A dataset is described by its accuracy at each percentile of its trials. For an unknown one the prior are the recorded
datasets' curves, each stretched and shifted at random on the logit scale above the chance level (one over the number of
classes), which gives weighted particles. An outcome (a trained candidate with its accuracy) updates the weights by
Bayes' rule: how probable is this accuracy, given where the candidate was expected to rank?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError, Score

if TYPE_CHECKING:
    import pandas as pd

FILE = "curves.json"
BINS = 20  # of percentiles
MIDDLES = (np.arange(BINS) + 0.5) / BINS
PARTICLES = 150  # for each recorded dataset
# Chosen with each recorded dataset left out in turn; the figures hardly depend on them.
SHIFT, STRETCH, NOISE = 0.5, 0.25, 0.35  # standard deviations, in logits
GRID = 101  # of normalized accuracies 0..1
_EDGE = 0.002  # how near to 0 and 1 an accuracy above chance may come, so that its logit is finite
_SURPRISE = 1e-4  # likelihood of an outcome that no particle explains


@dataclass(frozen=True)
class Curves:
    """The recorded datasets' accuracies at each percentile bin and, last, the best one: (BINS + 1,) by dataset; and how
    many classes each has."""

    accuracies: Mapping[str, np.ndarray]
    classes: Mapping[str, int]

    @staticmethod
    def fit(trials: pd.DataFrame, classes: Mapping[str, int]) -> Curves:
        """From trials with `dataset` and `accuracy`, all of them allowed to be learned from."""
        found = {name: np.append(np.quantile(rows, MIDDLES), rows.max())
                 for name, rows in trials.groupby("dataset", observed=True)["accuracy"]}
        return Curves(found, {name: classes[name] for name in found})

    def save(self, folder: Path) -> None:
        """Write ``curves.json``."""
        write_json(folder / FILE, {name: {"classes": self.classes[name], "accuracies": np.round(values, 5).tolist()}
                                   for name, values in sorted(self.accuracies.items())})

    @staticmethod
    def load(folder: Path) -> Curves:
        """Read what `save` wrote; raises PerfclfError where it is missing or damaged."""
        content = read_json(folder / FILE)
        try:
            accuracies = {name: np.array(entry["accuracies"], float) for name, entry in content.items()}
            classes = {name: int(entry["classes"]) for name, entry in content.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise PerfclfError(f"{folder / FILE} holds no accuracy curves: {error}") from error
        if not accuracies or any(values.shape != (BINS + 1,) for values in accuracies.values()):
            raise PerfclfError(f"{folder / FILE} holds no accuracy curves of {BINS + 1} values")
        return Curves(accuracies, classes)


@dataclass(frozen=True)
class DatasetModel:
    """Weighted guesses at a dataset's curve: `accuracies` (particles, BINS + 1), `weights` (particles,), and the number
    of `classes`."""

    accuracies: np.ndarray
    weights: np.ndarray
    classes: int

    @staticmethod
    def of(curves: Curves, dataset: str, datasets: Mapping[str, DatasetProperties]) -> DatasetModel:
        """The model of a dataset before any outcome, whether its trials are recorded or not."""
        if dataset in curves.accuracies:
            return DatasetModel.recorded(curves, dataset)
        return DatasetModel.unknown(curves, datasets[dataset].classes)

    @staticmethod
    def recorded(curves: Curves, dataset: str) -> DatasetModel:
        """The model of a dataset whose trials are recorded: certain."""
        return DatasetModel(curves.accuracies[dataset][None], np.ones(1), curves.classes[dataset])

    @staticmethod
    def unknown(curves: Curves, classes: int, seed: int = 0) -> DatasetModel:
        """The prior of a dataset with so many classes, from the curves of the recorded ones."""
        random = np.random.default_rng(seed)
        particles = []
        for name in sorted(curves.accuracies):
            logits = logit_above_chance(curves.accuracies[name], curves.classes[name])
            shift, stretch = random.normal(0, SHIFT, (PARTICLES, 1)), np.exp(random.normal(0, STRETCH, (PARTICLES, 1)))
            particles.append(shift + stretch * logits)
        accuracies = accuracy_at(np.concatenate(particles), classes)
        return DatasetModel(accuracies, np.full(len(accuracies), 1 / len(accuracies)), classes)

    def updated(self, percentiles: np.ndarray, accuracies: np.ndarray) -> DatasetModel:
        """After outcomes: `percentiles` (k, BINS), where each was expected to rank, and `accuracies` (k,) in 0..1."""
        if len(self.weights) == 1 or not len(accuracies):
            return self
        curves = logit_above_chance(self.accuracies[:, :BINS], self.classes)
        logs = np.log(self.weights)
        for expected, seen in zip(percentiles, logit_above_chance(np.asarray(accuracies), self.classes), strict=True):
            logs = logs + np.log((np.exp(-0.5 * ((seen - curves) / NOISE) ** 2) * expected).sum(axis=1) + _SURPRISE)
        weights = np.exp(logs - logs.max())
        return DatasetModel(self.accuracies, weights / weights.sum(), self.classes)

    def percentiles_of(self, percentiles: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
        """The expected percentile (k,) of outcomes, given where they were expected to rank (k, BINS) and their
        accuracies (k,)."""
        curves = logit_above_chance(self.accuracies[:, :BINS], self.classes)
        found = []
        for expected, seen in zip(percentiles, logit_above_chance(np.asarray(accuracies), self.classes), strict=True):
            joint = self.weights[:, None] * expected * (np.exp(-0.5 * ((seen - curves) / NOISE) ** 2) + _SURPRISE)
            found.append((joint * MIDDLES).sum() / joint.sum())
        return np.array(found, float)

    def percentile(self, accuracies: np.ndarray) -> np.ndarray:
        """The share of the trials that are below each accuracy (n,), between the first and the last recorded bin."""
        below = [np.interp(accuracies, curve, MIDDLES) for curve in np.maximum.accumulate(self.accuracies[:, :BINS], 1)]
        return self.weights @ np.array(below).reshape(len(self.weights), -1)

    def accuracy(self, percentiles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, 10 % and 90 % quantile (n,) of the accuracy of candidates that are expected to rank so (n, BINS)."""
        values = self.accuracies[:, :BINS].ravel()
        order = np.argsort(values)
        chances = (self.weights[:, None] * np.asarray(percentiles)[:, None, :]).reshape(len(percentiles), -1)[:, order]
        cumulated = np.cumsum(chances, axis=1)
        low, high = (values[order][np.argmax(cumulated >= share * cumulated[:, -1:], axis=1)] for share in (0.1, 0.9))
        return (chances * values[order]).sum(axis=1) / cumulated[:, -1], low, high

    def normalized(self, percentiles: np.ndarray) -> np.ndarray:
        """How probable each normalized accuracy (accuracy / best of the dataset) is, shape (n, GRID), for candidates
        that are expected to rank so (n, BINS)."""
        shares = np.clip(self.accuracies[:, :BINS] / self.accuracies[:, BINS:], 0, 1)
        table = np.zeros((BINS, GRID))
        for place, column in enumerate(np.rint(shares * (GRID - 1)).astype(int).T):
            np.add.at(table[place], column, self.weights)
        return np.asarray(percentiles) @ table


def percentiles_of(scores: Sequence[Score]) -> np.ndarray:
    """Where candidates are expected to rank, shape (n, BINS): a tenth of the probability below `low`, a tenth above
    `high`, the rest evenly on both sides of the expected percentile."""
    points = np.array([(0.0, score.low, score.percentile, score.high, 1.0) for score in scores], float).reshape(-1, 5)
    points = np.maximum.accumulate(points, axis=1) + np.arange(5) * 1e-9  # an interpolation needs points that differ
    edges, levels = np.linspace(0, 1, BINS + 1), np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    part = (points[:, 1:4, None] <= edges).sum(axis=1)  # which of the four parts each edge is in
    left, right = (np.take_along_axis(points, part + offset, axis=1) for offset in (0, 1))
    share = np.clip((edges - left) / (right - left), 0, 1)
    table = np.diff(levels[part] + share * (levels[part + 1] - levels[part]), axis=1)
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1e-12)


def chance_of_more(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The probability (n,) that a draw from the distributions `first` (n, m) is larger than one from `second` (n, m);
    equal ones count one half."""
    below = np.cumsum(second, axis=1) - second / 2
    return (first * below).sum(axis=1)


def logit_above_chance(accuracies: np.ndarray, classes: int) -> np.ndarray:
    """Log-odds of the share of the way from chance (one over the number of classes) to 1, cut near its ends."""
    chance = 1 / classes
    share = np.clip((accuracies - chance) / (1 - chance), _EDGE, 1 - _EDGE)
    return np.log(share / (1 - share))


def accuracy_at(logits: np.ndarray, classes: int) -> np.ndarray:
    """The accuracy at log-odds above chance: the inverse of `logit_above_chance`."""
    chance = 1 / classes
    return chance + (1 - chance) / (1 + np.exp(-logits))
