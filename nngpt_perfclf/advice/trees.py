"""Gradient-boosted trees: fitted by LightGBM, kept as plain arrays, and evaluated with numpy alone.

Importing LightGBM takes more than a second, so asking must not need it. The arrays follow LightGBM's text format;
`tests/advice/test_trees.py` checks that both give the same predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.files import read_arrays
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd

PARAMETERS = {
    "objective": "binary", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 100, "lambda_l2": 5.0,
    "feature_fraction": 0.3, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "deterministic": True,
    "force_row_wise": True, "verbosity": -1,
}
TREES = 200
ROWS_AT_ONCE = 2048
# LightGBM's codes in the bits of `decision_type`.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT, _MISSING_ZERO, _MISSING_NAN = 1, 2, 2, 1, 2
# The type of each array and what fills it up. Filled-up children are leaf 0, so that a tree without a split gives it.
_NODES = {"split_feature": (np.int32, 0), "threshold": (np.float64, 0), "decision_type": (np.uint8, 0),
          "left_child": (np.int32, ~0), "right_child": (np.int32, ~0)}
_LEAVES = {"leaf_value": (np.float32, 0)}


@dataclass(frozen=True)
class Forest:
    """All trees of one model: arrays (trees, nodes) and `leaf_value` (trees, leaves), filled up to one width.

    A child below zero is a leaf, stored as its complement. The trees of `seeds` boosters are averaged.
    """

    split_feature: np.ndarray
    threshold: np.ndarray
    decision_type: np.ndarray
    left_child: np.ndarray
    right_child: np.ndarray
    leaf_value: np.ndarray
    seeds: int

    @staticmethod
    def fit(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray, objective: str, seeds: Sequence[int],
            threads: int | None, parameters: Mapping[str, object] | None = None, trees: int | None = None,
            samples: Sequence[np.ndarray] | None = None) -> Forest:
        """Fit one booster a seed on rows (n, width), labels (n,) and weights (n,). The same arguments give the same
        trees, whatever the number of threads. samples: for each seed, the places of the rows that its booster is fitted
        on; None: all rows."""
        import lightgbm

        chosen = {**PARAMETERS, **(parameters or {}), "objective": objective, "num_threads": threads or 0}
        texts = []
        for seed, of in zip(seeds, samples or [slice(None)] * len(seeds), strict=True):
            data = lightgbm.Dataset(rows[of], labels[of], weight=weights[of])
            texts.append(lightgbm.train({**chosen, "seed": seed}, data, trees or TREES).model_to_string())
        return Forest.of(texts)

    @staticmethod
    def of(texts: Sequence[str]) -> Forest:
        """From LightGBM's texts, one a seed."""
        trees = [tree for text in texts for tree in _trees(text)]
        columns = {name: _filled_up([tree[name] for tree in trees], kind, fill)
                   for name, (kind, fill) in (_NODES | _LEAVES).items()}
        return Forest(**columns, seeds=len(texts))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Raw scores (n,) of rows (n, width); a row's score does not depend on the other rows. Raises PerfclfError for
        rows narrower than those that the trees were fitted on."""
        rows = np.asarray(rows, np.float64)
        if rows.shape[1] <= (most := int(self.split_feature.max())):
            raise PerfclfError(f"the trees read feature {most} of {rows.shape[1]}: they were fitted by another version "
                               "of this package; train them again")
        chunks = [self._scores(rows[start:start + ROWS_AT_ONCE]) for start in range(0, len(rows), ROWS_AT_ONCE)]
        return np.concatenate(chunks) if chunks else np.zeros(0)

    def save(self, file: Path) -> None:
        """One compressed .npz file of plain arrays."""
        np.savez_compressed(file, **{name: getattr(self, name) for name in _NODES | _LEAVES}, seeds=self.seeds)

    @staticmethod
    def load(file: Path) -> Forest:
        """Read what `save` wrote; raises PerfclfError for a missing or damaged file."""
        with read_arrays(file, "file of trees") as arrays:
            forest = Forest(**{name: arrays[name] for name in _NODES | _LEAVES}, seeds=arrays["seeds"].item())
            forest._check()
        return forest

    def _check(self) -> None:
        """Raise ValueError where evaluating would read outside the arrays or never end."""
        (trees, nodes), (_, leaves) = self.split_feature.shape, self.leaf_value.shape
        fitting = all(getattr(self, name).shape == (trees, nodes) for name in _NODES) and len(self.leaf_value) == trees
        if not fitting or not trees or self.seeds < 1:
            raise ValueError("its arrays do not fit each other")
        children = np.stack([self.left_child, self.right_child])
        if not ((children < nodes) & (children >= -leaves) & ((children < 0) | (children > np.arange(nodes)))).all():
            raise ValueError("its trees are not trees")
        if (self.split_feature < 0).any():
            raise ValueError("it names a feature below zero")

    def _scores(self, rows: np.ndarray) -> np.ndarray:
        """Every row walks down every tree; walks that have reached a leaf are left out of the next step."""
        trees, nodes = self.split_feature.shape
        feature, threshold, kinds, left_child, right_child = (getattr(self, name).ravel() for name in _NODES)
        values, leaves = rows.ravel(), np.empty(len(rows) * trees, np.int32)
        with_missing = bool(np.isnan(rows).any() or ((kinds >> _MISSING_SHIFT) == _MISSING_ZERO).any())
        walk = np.arange(len(leaves))
        row, root = walk // trees * rows.shape[1], walk % trees * nodes
        node = root
        while len(walk):
            value, split = values[row + feature[node]], threshold[node]
            left = _is_left(value, split, kinds[node]) if with_missing else value <= split
            child = np.where(left, left_child[node], right_child[node])
            ended = child < 0
            leaves[walk[ended]] = ~child[ended]
            walk, row, root, child = (column[~ended] for column in (walk, row, root, child))
            node = root + child
        reached = self.leaf_value[np.arange(trees), leaves.reshape(-1, trees)]
        return reached.astype(np.float64).sum(axis=1) / self.seeds


def _is_left(value: np.ndarray, split: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Which child is next, by LightGBM's rules for missing values."""
    missing, unknown = kind >> _MISSING_SHIFT, np.isnan(value)
    value = np.where(unknown & (missing != _MISSING_NAN), 0.0, value)
    default = ((missing == _MISSING_NAN) & unknown) | ((missing == _MISSING_ZERO) & (np.abs(value) <= 1e-35))
    return np.where(default, kind & _DEFAULT_LEFT > 0, value <= split)


def weights_of(networks: pd.Series, groups: pd.Series, power: float) -> np.ndarray:
    """One over a power of the number of networks in each network's near-duplicate group; the mean is 1.

    With power 1 near-duplicates together count as much as one network; on validation the weights mattered more than
    any parameter of the trees.
    """
    sizes = networks.map(groups).map(groups.value_counts()).to_numpy(float)
    return sizes**-power / np.mean(sizes**-power)


def _trees(text: str) -> list[dict[str, list[float]]]:
    """The trees of one LightGBM text: node and leaf lists by name."""
    found = []
    for block in text.split("\nTree=")[1:]:
        lines = dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines()[1:] if "=" in line)
        tree = {name: [float(word) for word in lines.get(name, "").split()] for name in _NODES | _LEAVES}
        if any(int(kind) & _CATEGORICAL for kind in tree["decision_type"]):
            raise PerfclfError("trees with categorical splits are not supported")
        found.append(tree)
    if not found:
        raise PerfclfError("LightGBM learned no tree: there is too little to learn from")
    return found


def _filled_up(lists: Sequence[Sequence[float]], kind: type, fill: float) -> np.ndarray:
    table = np.full((len(lists), max(1, *map(len, lists))), fill, kind)
    for row, values in zip(table, lists, strict=True):
        row[:len(values)] = values
    return table
