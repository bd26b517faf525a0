"""What outcomes say beyond the score: a Gaussian process on the residuals of trained candidates.

A candidate's residual is how much better or worse it ranked than expected, in standard normal units. Candidates with
similar recipes and similar networks have similar residuals. The kernel's parameters were chosen with each recorded
dataset left out in turn, and the figures hardly depend on them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.files import read_arrays, write_arrays

FILE = "likeness.npz"
RECIPE_LENGTH, NETWORK_LENGTH = 2.0, 0.7  # length scales, in standard deviations of a feature
RECIPE_VARIANCE, NETWORK_VARIANCE, BOTH_VARIANCE = 0.3, 0.3, 0.1  # of the residuals that each kind of likeness shares
NOISE_VARIANCE = 0.7  # of what no likeness explains
_CLIP = 4.0  # standard deviations


@dataclass(frozen=True)
class Similarity:
    """The scales of the features that make candidates alike: mean and deviation (r,) of recipes' numbers and (c,) of
    networks'."""

    recipe_mean: np.ndarray
    recipe_deviation: np.ndarray
    network_mean: np.ndarray
    network_deviation: np.ndarray

    @staticmethod
    def fit(recipes: np.ndarray, networks: np.ndarray) -> Similarity:
        """From the features of training trials (n, r) and of their networks (m, c); NaN: not stated. A feature that
        nobody states has no scale and makes no candidates alike."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of columns without a number
            return Similarity(*(part.astype(np.float32) for table in (recipes, networks)
                                for part in (np.nanmean(table, axis=0), np.nanstd(table, axis=0) + 1e-6)))

    def place(self, recipes: np.ndarray, networks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, r) and (n, c) whose distances are comparable; what is not stated is in the middle."""
        recipe = np.nan_to_num((recipes - self.recipe_mean) / self.recipe_deviation)
        network = np.nan_to_num((networks - self.network_mean) / self.network_deviation)
        network = np.clip(network, -_CLIP, _CLIP) / np.sqrt(network.shape[1])
        return np.clip(recipe, -_CLIP, _CLIP), network

    def save(self, folder: Path) -> None:
        """Write ``likeness.npz``."""
        write_arrays(folder / FILE, **vars(self))

    @staticmethod
    def load(folder: Path) -> Similarity:
        """Read what `save` wrote; raises PerfclfError where it is missing or damaged."""
        with read_arrays(folder / FILE, "file of likeness") as arrays:
            return Similarity(**{name: arrays[name] for name in Similarity.__dataclass_fields__})


def corrections(asked: tuple[np.ndarray, np.ndarray], trained: tuple[np.ndarray, np.ndarray],
                residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The expected residual (n,) of candidates, and the share (n,) of its variance that is left, 0..1.

    asked, trained: points of recipes and networks, as `Similarity.place` gives them; residuals: (k,) of the trained.
    """
    if not len(residuals):
        return np.zeros(len(asked[0])), np.ones(len(asked[0]))
    among = _kernel(trained, trained) + NOISE_VARIANCE * np.eye(len(residuals))
    across = _kernel(asked, trained)
    solved = np.linalg.solve(among, np.column_stack([residuals, across.T]))
    prior = RECIPE_VARIANCE + NETWORK_VARIANCE + BOTH_VARIANCE
    explained = np.einsum("nk,kn->n", across, solved[:, 1:])
    left = (prior - explained + NOISE_VARIANCE) / (prior + NOISE_VARIANCE)
    return across @ solved[:, 0], np.clip(left, 0.0, 1.0)


def _kernel(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    recipe, network = (np.exp(-_squared_distances(a, b) / (2 * length**2))
                       for a, b, length in zip(first, second, (RECIPE_LENGTH, NETWORK_LENGTH), strict=True))
    return RECIPE_VARIANCE * recipe + NETWORK_VARIANCE * network + BOTH_VARIANCE * recipe * network


def _squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    lengths = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    return np.maximum(lengths - 2 * first @ second.T, 0)
