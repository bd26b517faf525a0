"""In which order candidates are worth training: the first tenth by score, the others by what they may reach.

Of a generation only the best accuracy counts. After its most promising candidates, whose scores say most, a candidate
whose accuracy is uncertain is worth more than a certain one of the same score.
"""

from collections.abc import Sequence

import numpy as np

from nngpt_perfclf.types import Score

# By cross-validation: the share of the candidates that is ordered by score alone, and the standard deviations that are
# added to the other scores.
SURE, OPTIMISM = 0.1, 0.5


def worth_order(values: np.ndarray, ties: np.ndarray, deviations: np.ndarray | None = None) -> np.ndarray:
    """Places (generations, candidates), most worth training first, from scores, tie-breakers and the scores' standard
    deviations of that shape; candidates without a score (NaN) come last. None: by score alone. Of a candidate whose
    deviation is NaN it is the mean of the others'."""
    scored = ~np.isnan(values)
    filled = np.where(scored, values, -np.inf)
    order = np.lexsort((ties, -filled), axis=-1)
    if deviations is None:
        return order
    stated = scored & ~np.isnan(deviations)
    count = np.maximum(stated.sum(axis=-1, keepdims=True), 1)
    mean = np.where(stated, deviations, 0).sum(axis=-1, keepdims=True) / count
    # The small step back keeps 0.1 × 30 at 3 in floating point.
    sure = np.argsort(order, axis=-1) < np.ceil(SURE * scored.sum(axis=-1, keepdims=True) - 1e-9)
    worth = np.where(sure, filled, filled + OPTIMISM * np.where(stated, deviations, mean))
    return np.lexsort((ties, -worth, ~sure), axis=-1)


def deviations_of(scores: Sequence[Score | None]) -> np.ndarray:
    """The standard deviation of each score (n,), NaN where it is not known."""
    return np.array([np.nan if score is None or score.deviation is None else score.deviation for score in scores],
                    float)


def hoped(score: Score) -> float:
    """What one candidate is compared by where there is no generation to compare it in."""
    return float(score.value) + OPTIMISM * (score.deviation or 0.0)


def worth_order_of(scores: Sequence[Score]) -> list[int]:
    """The places of one generation's scores, most worth training first; of equal ones the first is first."""
    values = np.array([score.value for score in scores], float)
    return worth_order(values[None], np.arange(len(scores))[None], deviations_of(scores)[None])[0].tolist()
