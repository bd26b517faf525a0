"""Gradient-boosted trees: fitted by LightGBM, kept as plain arrays, and evaluated with numpy alone.

Importing LightGBM takes more than a second, so asking must not need it. The arrays follow LightGBM's text format;
`tests/advice/test_trees.py` checks that both give the same predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.files import read_arrays, write_arrays
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd

PARAMETERS = {
    "objective": "binary", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 100, "lambda_l2": 5.0,
    "feature_fraction": 0.3, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "deterministic": True,
    "force_row_wise": True, "verbosity": -1,
}
TREES = 200
ROWS_AT_ONCE = 16  # what they need fits into a processor's cache
# LightGBM's codes in the bits of `decision_type`.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT = 1, 2, 2
_VARIANTS = 5  # of each value: missing values are none, zero and NaN (1), or NaN (2), and go left or right
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
        write_arrays(file, **{name: getattr(self, name) for name in _NODES | _LEAVES}, seeds=self.seeds)

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
        feature, threshold, child = self._steps
        trees, nodes = self.split_feature.shape
        values = _without_missing(rows)
        walk, ends = np.arange(len(rows) * trees), np.empty(len(rows) * trees, np.intp)
        row = np.repeat(np.arange(len(rows)) * values.shape[1], trees)
        node, values = np.tile(np.arange(trees) * nodes, len(rows)), values.ravel()
        while len(walk):
            left = values.take(row + feature.take(node)) <= threshold.take(node)
            node = child.take(2 * node + left)
            going = np.flatnonzero(node >= 0)
            if len(going) < len(node):
                ends[walk] = node
                walk, row, node = walk.take(going), row.take(going), node.take(going)
        return self.leaf_value.ravel().take(~ends).reshape(-1, trees).astype(np.float64).sum(axis=1) / self.seeds

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the nodes of all trees in one sequence: the column of `_without_missing`, the threshold, and the children,
        right and left of each in turn; a leaf is the complement of its place among the leaves of all trees."""
        missing = self.decision_type >> _MISSING_SHIFT
        variant = np.where(missing > 0, 2 * missing - (self.decision_type & _DEFAULT_LEFT > 0), 0)
        first_node, first_leaf = (np.arange(len(table))[:, None] * table.shape[1]
                                  for table in (self.split_feature, self.leaf_value))
        children = [np.where(child < 0, child - first_leaf, child + first_node)
                    for child in (self.right_child, self.left_child)]
        return ((self.split_feature * np.intp(_VARIANTS) + variant).ravel(), self.threshold.ravel(),
                np.stack(children, axis=-1).ravel())


def _without_missing(rows: np.ndarray) -> np.ndarray:
    """Rows (n, width × 5) of which "at most the threshold" is what LightGBM decides: each value five times, for nodes
    without missing values (0 for NaN), and for those to which zeros and NaN, or NaN alone, are missing, with the left
    child as their default (at most any threshold) and with the right one (NaN, which is at most none)."""
    unknown = np.isnan(rows)
    zero = unknown | (np.abs(rows) <= 1e-35)
    found = [np.where(unknown, 0.0, rows),
             *(np.where(missing, side, rows) for missing in (zero, unknown) for side in (-np.inf, np.nan))]
    return np.stack(found, axis=-1).reshape(len(rows), -1)


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
