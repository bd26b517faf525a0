"""From scores to probabilities that can be believed: one factor on the log-odds, fitted on validation pairs.

This is Platt scaling without its intercept (temperature scaling for two options): an intercept would favour whichever
dataset is named first, and the two orders of a question could no longer agree exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.types import PerfclfError


@dataclass(frozen=True)
class Calibration:
    """Multiplies log-odds by `slope`; 1: leaves them as they are, below 1: less sure."""

    slope: float = 1.0

    @staticmethod
    def fit(log_odds: np.ndarray, first_won: np.ndarray) -> Calibration:
        """The slope that makes the log-odds (n,) of `ds_a` the likeliest, given which pairs it won (n,) of bool.

        Raises PerfclfError where nothing can be learned: no pairs, or scores that say less than nothing.
        """
        slope = antisymmetric_weights(np.asarray(log_odds, float)[:, None], first_won)[0]
        if slope <= 0:
            raise PerfclfError(f"calibration: the scores point the wrong way on validation pairs (slope {slope:.3g})")
        return Calibration(float(slope))

    def __call__(self, log_odds: np.ndarray) -> np.ndarray:
        return np.asarray(log_odds, float) * self.slope


def antisymmetric_weights(log_odds: np.ndarray, first_won: np.ndarray) -> np.ndarray:
    """Weights (k,) of a logistic regression without intercept on log-odds (n, k); rows with a NaN are left out.

    Each pair counts in both orders, so that it does not matter which dataset was named first.
    """
    from sklearn.linear_model import LogisticRegression

    told = np.isfinite(log_odds).all(axis=1)
    rows, won = log_odds[told], np.asarray(first_won, bool)[told]
    if not len(rows):
        raise PerfclfError("calibration: no validation pairs with an opinion")
    model = LogisticRegression(fit_intercept=False, C=1e6, max_iter=1000)
    return model.fit(np.vstack([rows, -rows]), np.concatenate([won, ~won])).coef_[0]


def save_calibrations(calibrations: Mapping[str, Calibration], file: Path) -> None:
    """Write the calibration of each label into one JSON file."""
    from nngpt_perfclf.record import write_json

    write_json(file, {label: calibration.slope for label, calibration in calibrations.items()})


def load_calibration(file: Path, label: str) -> Calibration:
    """The calibration of one label; raises PerfclfError where it is missing or no number."""
    from nngpt_perfclf.record import read_json

    content = read_json(file)
    if not isinstance(content.get(label), float | int):
        raise PerfclfError(f"{file} holds no calibration for label={label}")
    return Calibration(float(content[label]))
