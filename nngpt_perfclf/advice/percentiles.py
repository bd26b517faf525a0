"""From a pointwise prediction to an expected percentile among a dataset's recorded trials, with an 80 % interval.

On validation trials the percentile is regressed on the prediction: isotonic for the mean, and the 10 % and 90 %
quantiles of the trials with similar predictions, made monotone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.weights import MODES
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError

FILE = "percentiles.json"
OTHER = "other"  # any dataset that has no map of its own
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
        following = np.minimum(np.searchsorted(self.knots, predictions, side="right"), len(self.knots) - 1)
        # Rounding lets an interpolated value exceed that of the next knot by a bit, and the map would fall there.
        expected, low, high = (np.minimum(np.interp(predictions, self.knots, column), np.array(column)[following])
                               for column in (self.expected, self.low, self.high))
        return expected, np.minimum(low, expected), np.maximum(high, expected)


def save_percentiles(maps: Mapping[str, Mapping[str, Mapping[str, Percentiles]]], folder: Path) -> None:
    """Write ``percentiles.json``: label -> mode -> dataset -> map."""
    write_json(folder / FILE, {label: {mode: {dataset: vars(found) for dataset, found in by_dataset.items()}
                                       for mode, by_dataset in modes.items()} for label, modes in maps.items()})


def load_percentiles(folder: Path, label: str) -> dict[str, dict[str, Percentiles]]:
    """The maps of one label by mode and dataset; raises PerfclfError where they are missing or damaged."""
    content = read_json(folder / FILE)
    try:
        return {mode: {dataset: _read(content[label][mode][dataset]) for dataset in (OTHER, *content[label][mode])}
                for mode in MODES}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PerfclfError(f"{folder / FILE} holds no percentiles for label={label}") from error


def _read(columns: Mapping[str, Sequence[float]]) -> Percentiles:
    """Raises ValueError for columns of different lengths or without a number."""
    found = Percentiles(**{name: tuple(map(float, column)) for name, column in columns.items()})
    if len({len(column) for column in vars(found).values()}) != 1 or not found.knots:
        raise ValueError("columns of different lengths")
    return found
