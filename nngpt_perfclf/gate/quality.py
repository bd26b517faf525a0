"""The quality of a gate's scores: they are compared with the accuracies that were reported since."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

RECENT = 30  # outcomes that the hit rate is about
LEAST = 20  # outcomes below which nothing is said
LOOKED_BACK = RECENT + 300  # outcomes that are compared: the cost of a report does not grow with their number
CHANCE = 0.5


@dataclass(frozen=True)
class Quality:
    """`hit_rate` and `correlation` (Spearman's) of the latest outcomes, None where there are fewer than `LEAST`;
    `warning`: empty where nothing is wrong."""

    hit_rate: float | None = None
    correlation: float | None = None
    warning: str = ""


def quality_of(scores: Sequence[float], accuracies: Sequence[float]) -> Quality:
    """From the scores and the accuracies of trained candidates, oldest first.

    A warning is given where the recent hit rate is no better than chance, or has fallen by more than two standard
    errors against that of the earlier outcomes.
    """
    x, y = np.asarray(scores, float), np.asarray(accuracies, float)
    if len(x) < LEAST:
        return Quality()
    recent, before = slice(-RECENT, None), slice(None, -RECENT)
    rate, correlation = hit_rate(x[recent], y[recent]), _correlation(x[recent], y[recent])
    count = min(len(x), RECENT)
    if rate is None:
        return Quality(None, None, f"all scores or all accuracies of the last {count} outcomes are equal")
    if rate <= CHANCE:
        return Quality(rate, correlation, f"the scores of the last {count} outcomes are no better than chance: "
                                          f"hit rate {rate:.2f}")
    earlier = hit_rate(x[before], y[before]) if len(x) - count >= LEAST else None
    if earlier is not None and earlier - rate > 2 * (_error(count) ** 2 + _error(len(x) - count) ** 2) ** 0.5:
        return Quality(rate, correlation, f"the hit rate fell from {earlier:.2f} to {rate:.2f} in the last {count} "
                                          "outcomes")
    return Quality(rate, correlation)


def hit_rate(scores: np.ndarray, accuracies: np.ndarray) -> float | None:
    """Of the pairs that differ in both, the share in which the higher score has the higher accuracy; None without such
    a pair. (Kendall's tau-a without ties, plus one, halved.)"""
    upper = np.triu_indices(len(scores), 1)
    signs = (np.sign(scores[:, None] - scores) * np.sign(accuracies[:, None] - accuracies))[upper]
    compared = np.count_nonzero(signs)
    return float(np.count_nonzero(signs > 0) / compared) if compared else None


def _error(count: int) -> float:
    """Standard error of the hit rate of `count` outcomes where scores say nothing (Kendall 1938)."""
    return sqrt(2 * (2 * count + 5) / (9 * count * (count - 1))) / 2


def _correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Spearman's rank correlation; None where one side is constant."""
    a, b = (_ranks(values) - (len(values) - 1) / 2 for values in (x, y))
    size = sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else None


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equals share their mean rank."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[places]
