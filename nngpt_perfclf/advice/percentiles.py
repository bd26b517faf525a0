"""From a pointwise prediction to an expected percentile among a dataset's recorded trials, with an 80 % interval.

On validation trials the percentile is regressed on the prediction: isotonic for the mean, and the 10 % and 90 %
quantiles of the trials with similar predictions, made monotone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError

FILE = "percentiles.json"
KNOTS = 15  # bins of equal mass
LOW, HIGH = 0.1, 0.9  # quantiles: an 80 % interval
# The 80 % interval of a trial about which nothing is known.
NOTHING_KNOWN = HIGH - LOW


@dataclass(frozen=True)
class Percentiles:
    """Piecewise linear maps from a prediction: `knots` (k,) to the `expected` percentile, its `low` and `high` (k,)."""

    knots: tuple[float, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @staticmethod
    def fit(predictions: np.ndarray, ranks: np.ndarray) -> Percentiles:
        """From predictions (n,) and the percentiles (n,) in 0..1 that those trials reached.

        Raises PerfclfError for fewer than two trials.
        """
        from sklearn.isotonic import IsotonicRegression

        if len(predictions) < 2:
            raise PerfclfError("too few validation trials to learn percentiles from")
        order = np.argsort(predictions, kind="stable")
        bins = np.array_split(order, min(KNOTS, len(order)))
        knots = np.array([predictions[members].mean() for members in bins])
        smooth = IsotonicRegression(out_of_bounds="clip").fit(predictions, ranks)
        low, high = (np.maximum.accumulate([np.quantile(ranks[members], share) for members in bins])
                     for share in (LOW, HIGH))
        columns = (knots, smooth.predict(knots), low, high)
        return Percentiles(*(tuple(np.round(column, 6).tolist()) for column in columns))

    def __call__(self, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected percentile, low and high, each of shape (n,), in 0..1 and in this order of size."""
        expected, low, high = (np.interp(predictions, self.knots, column)
                               for column in (self.expected, self.low, self.high))
        return expected, np.minimum(low, expected), np.maximum(high, expected)


def save_percentiles(maps: Mapping[str, Percentiles], folder: Path) -> None:
    """Write one map for each name into ``percentiles.json``."""
    write_json(folder / FILE, {name: vars(found) for name, found in maps.items()})


def load_percentiles(folder: Path, name: str) -> Percentiles:
    """The map of one name; raises PerfclfError where it is missing or damaged."""
    try:
        content = read_json(folder / FILE)[name]
        columns = {key: tuple(map(float, content[key])) for key in ("knots", "expected", "low", "high")}
    except (KeyError, TypeError, ValueError) as error:
        raise PerfclfError(f"{folder / FILE} holds no percentiles for {name}") from error
    if len({len(column) for column in columns.values()}) != 1 or not columns["knots"]:
        raise PerfclfError(f"{folder / FILE} is damaged: its columns differ in length")
    return Percentiles(**columns)
