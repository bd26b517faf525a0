"""What is fitted on the validation part after a fine-tuning: on pairs the weights of the model's log-odds, the pair
prior and the nearest trials, and on single trials the percentiles that scores mean."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf import processes
from nngpt_perfclf.advice.language import LanguageAdviser, LanguageScorer, known_evidence, load, side_question
from nngpt_perfclf.advice.percentiles import Percentiles, maps_of, save_percentiles
from nngpt_perfclf.advice.prior import PairPrior, load_prior
from nngpt_perfclf.advice.weights import MODES, Weights, accuracy, asked_in, fit_weights, save_weights
from nngpt_perfclf.budget import calibration_pairs
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress
from nngpt_perfclf.tasks import LABELS, TaskData, recipe_of
from nngpt_perfclf.types import Candidate, Question

if TYPE_CHECKING:
    import pandas as pd

TRIALS = 100  # of a dataset, that its percentiles are fitted on


def calibration_table(config: Config, data: TaskData, label: str) -> pd.DataFrame:
    """The validation pairs without ties that the weights are fitted on: a sample drawn by the seed, whose size
    `budget.calibration_pairs` bounds, or all."""
    table = data.pairs(label, part="validation", ties=False)
    wanted = calibration_pairs(config.train.labels_count, config.train.calibration_pairs)
    return table if wanted is None or wanted >= len(table) else table.sample(wanted, random_state=config.seed)


def percentile_trials(config: Config, data: TaskData) -> pd.DataFrame:
    """The validation trials that percentiles are fitted on: at most `TRIALS` of each dataset, drawn by the seed, and
    together no more than there may be pairs for one label's weights, since a trial costs what a pair does."""
    trials = data.part("validation").sample(frac=1, random_state=config.seed)
    wanted = calibration_pairs(config.train.labels_count, config.train.calibration_pairs)
    return trials.groupby("dataset").head(TRIALS)[:wanted].sort_values(["nn", "dataset", "trial"])


def calibrate(config: Config, out: Path, data: TaskData, weights: Mapping[str, Weights],
              tables: Mapping[str, pd.DataFrame]) -> dict:
    """Fit the weights of all three sources on the pairs of each label, once asked with the recipes and once without,
    and of an adviser that scores the percentiles; save them. Returns the accuracy on these pairs (slightly optimistic,
    since the weights were fitted on them)."""
    started = time.perf_counter()
    adviser = load(replace(config, adviser=str(out), advice=replace(config.advice, answer_cache=False)))
    asked = {label: data.questions(table) for label, table in tables.items() if len(table)}
    sets = [_Set(label, mode, asked_in(mode, questions), won) for label, (questions, won) in asked.items()
            for mode in MODES]
    result, fitted = {}, {label: {} for label in tables}
    for pair_set, (read, near) in zip(sets, _read(adviser, sets), strict=True):
        prior = load_prior(out, pair_set.label)
        found, figures = _fitted(pair_set, read, near, prior)
        fitted[pair_set.label][pair_set.mode] = found
        result |= {f"validation_{pair_set.label}_{pair_set.mode}{name}": figure for name, figure in figures.items()}
    weights = {**weights, **{label: Weights(**modes) for label, modes in fitted.items() if modes}}
    maps = (fit_percentiles(adviser, weights, percentile_trials(config, data), data.codes)
            if isinstance(adviser, LanguageScorer) else {})
    if processes.is_main():
        save_weights(weights, LanguageAdviser.sources, out)
        if maps:
            save_percentiles(maps, out)
    processes.wait()
    return {**result, "calibration_seconds": round(time.perf_counter() - started, 1)}


def fit_percentiles(adviser: LanguageScorer, weights: Mapping[str, Weights], trials: pd.DataFrame,
                    codes: Mapping[str, str]) -> dict[str, dict[str, dict[str, Percentiles]]]:
    """The maps from a score to a percentile by label, mode and dataset; a dataset with fewer than two trials has none.
    """
    questions = [side_question(Candidate("", codes[row.nn], recipe_of(row)), row.dataset,
                               next(name for name in adviser.datasets if name != row.dataset))
                 for row in trials.itertuples()]
    asked = {mode: asked_in(mode, questions) for mode in MODES}
    evidence = adviser.evidence_of_sides([question for mode in MODES for question in asked[mode]], LABELS)
    maps: dict[str, dict] = {label: {} for label in LABELS}
    for label in LABELS:
        for mode, rows in zip(MODES, np.split(evidence[label], 2), strict=True):
            has_recipes = np.array([question.has_recipes for question in asked[mode]], bool)
            maps[label][mode] = maps_of(trials.assign(predicted=weights[label](rows, has_recipes)))
    return maps


@dataclass(frozen=True)
class _Set:
    """Pairs asked under one label in one mode, and where the first dataset `won` (n,)."""

    label: str
    mode: str
    questions: Sequence[Question]
    won: np.ndarray

    @property
    def both_orders(self) -> list[Question]:
        return [*self.questions, *(question.swapped() for question in self.questions)]


def _read(adviser: LanguageAdviser, sets: Sequence[_Set]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each set, what the model and the nearest trials say in both orders. All sets are read together: questions
    about one code, under any label and in any mode, share its computation."""
    questions = [question for pair_set in sets for question in pair_set.both_orders]
    labels = [pair_set.label for pair_set in sets for _ in pair_set.both_orders]
    with progress() as bar:
        task = bar.add_task("calibration", total=len(questions))
        read, near = adviser.read(questions, labels, lambda done: bar.advance(task, done))
    ends = np.cumsum([len(pair_set.both_orders) for pair_set in sets])[:-1]
    return list(zip(np.split(read, ends), np.split(near, ends), strict=True))


def _fitted(pair_set: _Set, read: np.ndarray, near: np.ndarray, prior: PairPrior) -> tuple[tuple[float, ...], dict]:
    """The weights of the sources, fitted on a set, and the accuracy there with and without the model and by the model
    alone."""
    from nngpt_perfclf.models.rows import log_loss

    both = np.column_stack([read, known_evidence(prior, pair_set.both_orders, near)])
    ab, ba = np.split(both, 2)
    evidence = (ab - ba) / 2
    fitted = fit_weights(evidence, pair_set.won)
    log_odds = (evidence * fitted).sum(axis=1)
    without_model = (evidence * fit_weights(evidence, pair_set.won, [False, True, True])).sum(axis=1)
    right = {"": log_odds, "_without_model": without_model, "_model_alone": evidence[:, 0]}
    return fitted, {**{name: accuracy(found, pair_set.won) for name, found in right.items()},
                    "_n": len(pair_set.questions), "_log_loss": log_loss(log_odds, pair_set.won),
                    "_log_loss_without_model": log_loss(without_model, pair_set.won)}
