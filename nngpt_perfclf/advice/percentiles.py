"""From a pointwise prediction to an expected percentile among a dataset's recorded trials, with an 80 % interval.

On validation trials the percentile is regressed on the prediction: isotonic for the mean, and for the interval two
quantiles of what remains. A dataset's quantiles are shrunk towards those of all datasets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.weights import MODES
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.isotonic import IsotonicRegression

FILE = "percentiles.json"
OTHER = "other"  # any dataset that has no map of its own
KNOTS = 15  # bins of equal mass
LOW, HIGH = 0.1, 0.9  # quantiles: an 80 % interval
# Of the residuals, for such an interval: the regression lies closer to the trials that it was fitted on than to others,
# unless these are the trials of several folds.
FITTED, OF_FOLDS = (0.08, 0.92), (LOW, HIGH)
SHRINKAGE = 50  # trials of a dataset from which its own quantiles count more than half; both by cross-validation
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
    def fit(predictions: np.ndarray, ranks: np.ndarray, common: np.ndarray | None = None,
            ends: tuple[float, float] = FITTED) -> Percentiles:
        """From predictions (n,) and the percentiles (n,) in 0..1 that those trials reached. common: the two quantiles
        of the residuals of all datasets (`common_quantiles`); None: these are all. ends: which quantiles.

        Raises PerfclfError for fewer than two trials.
        """
        if len(predictions) < 2:
            raise PerfclfError("too few validation trials to learn percentiles from")
        order = np.argsort(predictions, kind="stable")
        bins = np.array_split(order, min(KNOTS, len(order)))
        knots = np.array([predictions[members].mean() for members in bins])
        smooth = _isotonic(predictions, ranks)
        own = np.quantile(ranks - smooth.predict(predictions), ends)
        if common is not None:
            own = (len(predictions) * own + SHRINKAGE * common) / (len(predictions) + SHRINKAGE)
        expected = smooth.predict(knots)
        low, high = (np.clip(expected + offset, 0, 1) for offset in own)
        columns = (knots, expected, low, high)
        return Percentiles(*(tuple(np.round(column, 6).tolist()) for column in columns))

    def __call__(self, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected percentile, low and high, each of shape (n,), in 0..1 and in this order of size."""
        following = np.minimum(np.searchsorted(self.knots, predictions, side="right"), len(self.knots) - 1)
        # Rounding lets an interpolated value exceed that of the next knot by a bit, and the map would fall there.
        expected, low, high = (np.minimum(np.interp(predictions, self.knots, column), np.array(column)[following])
                               for column in (self.expected, self.low, self.high))
        return expected, np.minimum(low, expected), np.maximum(high, expected)


def common_quantiles(trials: Iterable[tuple[np.ndarray, np.ndarray]],
                     ends: tuple[float, float] = FITTED) -> np.ndarray:
    """The quantiles `ends` (2,) of what remains when each dataset's percentiles (n,) are regressed on its
    predictions (n,)."""
    residuals = [ranks - _isotonic(predictions, ranks).predict(predictions) for predictions, ranks in trials]
    return np.quantile(np.concatenate(residuals), ends)


def maps_of(trials: pd.DataFrame, ends: tuple[float, float] = FITTED) -> dict[str, Percentiles]:
    """The map of each dataset from the `dataset`, `predicted` (NaN: not used) and `rank` of at least two trials."""
    by_dataset = {str(dataset): (rows["predicted"].to_numpy(), rows["rank"].to_numpy())
                  for dataset, rows in trials.dropna(subset="predicted").groupby("dataset") if len(rows) >= 2}
    common = common_quantiles(by_dataset.values(), ends) if by_dataset else None
    return {dataset: Percentiles.fit(*own, common, ends) for dataset, own in by_dataset.items()}


def save_percentiles(maps: Mapping[str, Mapping[str, Mapping[str, Percentiles]]], folder: Path) -> None:
    """Write ``percentiles.json``: label -> mode -> dataset -> map."""
    write_json(folder / FILE, {label: {mode: {dataset: vars(found) for dataset, found in by_dataset.items()}
                                       for mode, by_dataset in modes.items()} for label, modes in maps.items()})


def load_percentiles(folder: Path, label: str, needed: Sequence[str] = (OTHER,)) -> dict[str, dict[str, Percentiles]]:
    """The maps of one label by mode and dataset; raises PerfclfError where they are missing, as where one of those
    `needed` is, or damaged."""
    content = read_json(folder / FILE)
    try:
        return {mode: {dataset: _read(content[label][mode][dataset]) for dataset in (*needed, *content[label][mode])}
                for mode in MODES}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PerfclfError(f"{folder / FILE} holds no percentiles for label={label}") from error


def _isotonic(predictions: np.ndarray, ranks: np.ndarray) -> IsotonicRegression:
    from sklearn.isotonic import IsotonicRegression

    return IsotonicRegression(out_of_bounds="clip").fit(predictions, ranks)


def _read(columns: Mapping[str, Sequence[float]]) -> Percentiles:
    """Raises ValueError for columns of different lengths or without a number."""
    found = Percentiles(**{name: tuple(map(float, column)) for name, column in columns.items()})
    if len({len(column) for column in vars(found).values()}) != 1 or not found.knots:
        raise ValueError("columns of different lengths")
    return found
