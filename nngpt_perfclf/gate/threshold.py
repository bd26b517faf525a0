"""The streaming threshold: which candidates of a stream belong to its best share, by their scores alone.

A candidate is let through where the chance that another one scores higher is below a level. The chance is read off the
recent scores, recent ones weighing more, blended with a normal distribution of their mean and spread, which keeps it
steady while few are known. The level moves against the error made so far (adaptive conformal inference, Gibbs and
Candès 2021): whatever the scores do, the share that is let through approaches the wanted one.

Everything works on many streams at once: rows are streams, columns candidates in the order in which they come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nngpt_perfclf.types import PerfclfError

WINDOW = 500  # scores that are looked back on
AT_ONCE = 500  # streams


@dataclass(frozen=True)
class Settings:
    """How a stream is thresholded. `keep`: the share to let through for its scores. Chosen on LEMUR's validation part:
    `first`: candidates that are let through before any threshold; `explore`: share of the others that is let through
    by chance, on top of `keep`; `half_life`: candidates after which a score counts half; `normal`: candidates that the
    normal distribution counts as; `gain`: how far one candidate too many lowers the level; `patience`: after how many
    times the usual distance between two that are let through the level rises until there is one."""

    keep: float = 0.5
    first: int = 4
    explore: float = 0.02
    half_life: float = 100.0
    normal: float = 30.0
    gain: float = 0.01
    patience: float = 1.0

    def __post_init__(self):
        if not 0 < self.keep <= 1:
            raise PerfclfError(f"keep must lie in (0, 1], not {self.keep}")


def level(settings: Settings, balance: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """The chance of a better candidate below which one is let through. `balance`: how many candidates fewer than the
    wanted share were let through so far, below zero: more; `refused`: how many in a row were refused. All (n,)."""
    if settings.keep == 1:
        return np.full_like(balance, np.inf)
    steady = settings.keep + settings.gain * balance
    waited = np.maximum(settings.keep * refused - settings.patience, 0.0)
    # Halfway to letting everything through: the worst candidates stay out.
    return np.maximum(steady, np.minimum(steady * (1 + waited / 2), (1 + settings.keep) / 2))


@dataclass(frozen=True)
class Recent:
    """The recent scores of n streams, oldest first: `scores` and `ties` (n, t), their `weights`, and the `total`,
    `mean` and `spread` (n,) of each stream. `ties`, uniform numbers in [0, 1), order equal scores."""

    scores: np.ndarray
    ties: np.ndarray
    weights: np.ndarray
    total: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    normal: float

    @staticmethod
    def of(scores: np.ndarray, ties: np.ndarray, settings: Settings) -> Recent:
        """From `scores` (n, t), NaN: no score, and `ties` (n, t)."""
        scored = ~np.isnan(scores)
        ages = np.cumsum(scored[:, ::-1], axis=1)[:, ::-1] - 1  # in scored candidates
        weights = np.where(scored, 0.5 ** (ages / settings.half_life), 0.0)
        total, values = weights.sum(axis=1), np.where(scored, scores, 0.0)
        mean = (weights * values).sum(axis=1) / np.maximum(total, 1e-12)
        squares = (weights * (values - mean[:, None]) ** 2).sum(axis=1)
        spread = np.sqrt(squares / np.where(total > 1.5, total - 1, 1.0))
        spread[(total <= 1.5) | (spread <= 1e-12 * (1 + np.abs(mean)))] = 0.0
        return Recent(scores, ties, weights, total, mean, spread, settings.normal)

    def chance_of_better(self, scores: np.ndarray, ties: np.ndarray) -> np.ndarray:
        """How probable it is that the next candidate of each stream scores higher than `scores` (n,); returns (n,)."""
        mine, my_tie = scores[:, None], ties[:, None]
        above = (self.scores > mine) | ((self.scores == mine) & (self.ties < my_tie))
        empirical = ((self.weights * above).sum(axis=1) + ties) / (self.total + 1)
        has_spread = self.spread > 0
        tail = np.where(has_spread, _normal_tail((scores - self.mean) / np.where(has_spread, self.spread, 1.0)), ties)
        return (self.total * empirical + self.normal * tail) / (self.total + self.normal)

    def threshold(self, at: float) -> float:
        """The score (to about six digits) from which the next candidate of a single stream is let through at the level
        `at`; there must be a score."""
        if not 0 < at < 1:
            return float("inf") if at <= 0 else float("-inf")
        spread = float(self.spread[0]) or max(abs(float(self.mean[0])), 1.0) * 1e-9
        low, high = float(self.scores.min()) - 30 * spread, float(self.scores.max()) + 30 * spread
        for _ in range(26):
            middle = (low + high) / 2
            better = self.chance_of_better(np.array([middle]), np.array([0.5]))[0] >= at
            low, high = (middle, high) if better else (low, middle)
        return high


def let_through(scores: np.ndarray, ties: np.ndarray, settings: Settings) -> np.ndarray:
    """Which candidates of whole streams are let through: `scores` (n, t), NaN: no score, always let through; `ties`
    (n, t) uniform numbers in [0, 1), which order equals and choose those that are let through by chance."""
    if len(scores) > AT_ONCE:  # what fits into a processor's cache is several times faster
        parts = range(0, len(scores), AT_ONCE)
        return np.concatenate([let_through(scores[start:start + AT_ONCE], ties[start:start + AT_ONCE], settings)
                               for start in parts])
    scored, chosen = ~np.isnan(scores), by_chance(ties, settings)
    balance, refused, through = np.zeros(len(scores)), np.zeros(len(scores)), np.ones(scores.shape, bool)
    places = np.cumsum(scored, axis=1) - 1
    for place in range(scores.shape[1]):
        start = max(0, place - WINDOW)
        recent = Recent.of(scores[:, start:place], ties[:, start:place], settings)
        better = recent.chance_of_better(scores[:, place], ties[:, place])
        good = better < level(settings, balance, refused)
        free = ~scored[:, place] | (places[:, place] < settings.first) | chosen[:, place]
        through[:, place] = free | good
        balance += np.where(free, 0.0, settings.keep - good)
        refused = np.where(scored[:, place], np.where(through[:, place], 0.0, refused + 1), refused)
    return through


def by_chance(ties: np.ndarray, settings: Settings) -> np.ndarray:
    """Which candidates are let through whatever their score. It reads the later bits of the tie-breakers, which do not
    decide ties."""
    return np.mod(ties * 2.0**20, 1.0) < settings.explore


def _normal_tail(x: np.ndarray) -> np.ndarray:
    """Probability that a standard normal variable is larger than each of `x`; the logistic approximation of Bowling and
    others (2009), at most 0.0002 off, so that no statistics library need be imported."""
    bounded = np.clip(x, -30.0, 30.0)
    return 1 / (1 + np.exp(np.clip(0.07056 * bounded**3 + 1.5976 * bounded, -700, 700)))
