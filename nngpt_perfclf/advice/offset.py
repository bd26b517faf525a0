"""What is known before the language model reads: the pair prior and nearby recorded trials, as log-odds.

They are added to the model's log-odds in training and afterwards, so that it learns what they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.calibration import antisymmetric_weights
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.types import PerfclfError


@dataclass(frozen=True)
class Offset:
    """Log-odds of `ds_a`: `reading` times the model's own, `prior` times the pair prior's, and `near` times the
    difference of the labels (0..1) that the nearest recorded trials of the two sides reached."""

    reading: float = 1.0
    prior: float = 0.0
    near: float = 0.0

    @staticmethod
    def before_reading(reading: float, prior: np.ndarray, near: np.ndarray, first_won: np.ndarray) -> Offset:
        """The weights of `prior` (log-odds (n,)) and `near` (n, 2) that make `first_won` (n,) likeliest without the
        model; `reading`: what the model is to weigh in training."""
        weights = antisymmetric_weights(np.stack([prior, _difference(near)], axis=1), first_won)
        return Offset(reading, *map(float, weights))

    def known(self, prior: np.ndarray, near: np.ndarray) -> np.ndarray:
        """What is added to the model's part, shape (n,): from the prior's log-odds (n,) and the labels near by (n, 2),
        NaN where no trial is recorded."""
        return self.prior * np.asarray(prior, float) + self.near * _difference(near)

    def weigh(self, scores: np.ndarray, prior: np.ndarray, near: np.ndarray) -> np.ndarray:
        """The whole log-odds, shape (n,): the model's `scores` (n,) and what is known."""
        return self.reading * scores + self.known(prior, near)

    def refit(self, scores: np.ndarray, prior: np.ndarray, near: np.ndarray, first_won: np.ndarray) -> Offset:
        """The weights of all three that make `first_won` (n,) likeliest, on pairs of which nothing was learned; a part
        that this one does not use, or that points the wrong way, gets none. `scores` (n,): the model's log-odds."""
        parts = np.stack([scores, prior, _difference(near)], axis=1)
        used = np.array([self.reading != 0, self.prior != 0, self.near != 0])
        while used.any():
            weights = np.zeros(3)
            weights[used] = antisymmetric_weights(parts[:, used], first_won)
            if (weights >= 0).all():
                return Offset(*map(float, weights))
            used &= weights > 0
        return Offset(0.0, 0.0, 0.0)


def prior_log_odds(prior: PairPrior, datasets: Sequence[tuple[str, str]]) -> np.ndarray:
    """The pair prior's log-odds of the first of each two datasets, shape (n,)."""
    return np.array([prior.log_odds(*pair) for pair in datasets], float)


def bare(label: str) -> str:
    """The name of a label's second offset: for questions without recipes, which other weights fit."""
    return f"{label}-bare"


def save_offsets(offsets: Mapping[str, Offset], file: Path) -> None:
    """Write the offset of each label, asked with recipes and without, into one JSON file."""
    from nngpt_perfclf.record import write_json

    write_json(file, {label: asdict(offset) for label, offset in offsets.items()})


def load_offset(file: Path, label: str) -> Offset:
    """The offset of one label; raises PerfclfError where it is missing or damaged."""
    from nngpt_perfclf.record import read_json

    try:
        return Offset(**{name: float(value) for name, value in read_json(file)[label].items()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PerfclfError(f"{file} holds no offset for label={label}") from error


def _difference(near: np.ndarray) -> np.ndarray:
    return np.nan_to_num(near[:, 0] - near[:, 1])
