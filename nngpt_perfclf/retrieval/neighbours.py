"""What recorded trials say about an untrained network: the nearest ones by code and recipe, under a learned metric.

A trial is a point: its recipe's numbers and a 16-dimensional embedding of its network's code, without comments and
string literals, so that no words put there move it. The metric scales blocks of those numbers; the scales are searched
so that the nearest training trials' mean predicts validation trials best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.files import read_arrays, write_arrays
from nngpt_perfclf.recipes import transform_parts
from nngpt_perfclf.retrieval.embedding import SIZE, CodeEmbedding
from nngpt_perfclf.types import PerfclfError, Recipe

if TYPE_CHECKING:
    import pandas as pd

NEAREST = 20
BLOCKS = {"lr": 1, "momentum": 1, "batch": 1, "dropout": 1, "size": 1, "flip": 1, "kind": 4, "lr_per_image": 1,
          "effective_lr": 1, "code": SIZE}
KINDS = ("norm", "echo", "complex")
_START = np.array([0.9, 1.4, 0.5, 0.2, 0.2, 0.1, 0.4, 0.9, 1.4, 1.5])
_VERSION = 2  # of the file; in version 1 the words of comments and literals counted


def recipe_numbers(recipes: Sequence[Recipe], native_sizes: Sequence[float]) -> np.ndarray:
    """The recipes as rows of the metric's numbers, shape (n, 12): logarithms where the field thinks in factors.

    `native_sizes`: image size in pixels where the transform states none. What a recipe does not state takes the
    middle of what LEMUR uses (lr 0.01, momentum 0.5, batch 64) or, for dropout, a place of its own.
    """
    rows = np.zeros((len(recipes), 12), np.float32)
    for row, recipe, native in zip(rows, recipes, native_sizes, strict=True):
        parts = transform_parts(recipe.transform or "")
        lr = np.log10(max(recipe.lr, 1e-7)) if recipe.lr is not None else -2.0
        momentum = recipe.momentum if recipe.momentum is not None else 0.5
        batch = np.log2(recipe.batch) if recipe.batch else 6.0
        dropout = recipe.dropout if recipe.dropout is not None else -0.2
        kind = KINDS.index(parts.kind) if parts.kind in KINDS else len(KINDS)
        row[:6] = lr, momentum, batch, dropout, np.log2(parts.size or native), parts.flip
        row[6 + kind] = 1.0
        row[10:] = lr - batch * np.log10(2.0), -np.log10(1.0 - min(momentum, 0.99))
    if not np.isfinite(rows).all():  # every distance would be meaningless
        raise PerfclfError("a recipe holds a value that is not a finite number")
    return rows


@dataclass(frozen=True)
class Neighbours:
    """The training trials as points. `numbers` (n, 12), `code` (n,) row of `vectors` (m, 16), `dataset` (n,) index into
    `datasets`, `labels` (n, 2): norm and rank in 0..1, `group` (n,) near-duplicate group, `scales` (10,) of the blocks,
    `sizes`: native image size of each dataset."""

    embedding: CodeEmbedding
    datasets: tuple[str, ...]
    sizes: np.ndarray
    numbers: np.ndarray
    code: np.ndarray
    vectors: np.ndarray
    dataset: np.ndarray
    labels: np.ndarray
    group: np.ndarray
    scales: np.ndarray

    @staticmethod
    def fit(trials: pd.DataFrame, codes: dict[str, str], groups: pd.Series, sizes: dict[str, int],
            seed: int = 0) -> Neighbours:
        """Points of the labelled `trials` (of the training part only) with the metric's first scales."""
        networks = sorted(trials.nn.astype(str).unique())
        embedding = CodeEmbedding.fit([codes[nn] for nn in networks], seed)
        names = tuple(sorted(trials.dataset.astype(str).unique()))
        row_of = {nn: row for row, nn in enumerate(networks)}
        recipes = recipes_of(trials)
        return Neighbours(
            embedding, names, np.array([sizes[name] for name in names], np.float32),
            recipe_numbers(recipes, [sizes[name] for name in trials.dataset.astype(str)]).astype(np.float16),
            trials.nn.astype(str).map(row_of).to_numpy(np.int32),
            embedding([codes[nn] for nn in networks]).astype(np.float16),
            trials.dataset.astype(str).map({name: at for at, name in enumerate(names)}).to_numpy(np.int8),
            trials[["norm", "rank"]].to_numpy(np.float16),
            groups.reindex(trials.nn.astype(str)).to_numpy(np.int64), _START.copy())

    def learn_metric(self, trials: pd.DataFrame, codes: dict[str, str], seed: int = 0,
                     proposals: int = 120) -> Neighbours:
        """Scales searched by hill climbing: those whose neighbours explain most of the rank of validation `trials`."""
        random = np.random.default_rng(seed)
        sample = trials.sample(min(len(trials), 2500), random_state=seed)
        truth, names = sample["rank"].to_numpy(), sample.dataset.astype(str).to_numpy()
        question = ([codes[nn] for nn in sample.nn.astype(str)], names.tolist(), recipes_of(sample))
        kept = random.random(len(self.dataset)) < 20000 / len(self.dataset)
        thin = replace(self, **{name: getattr(self, name)[kept]
                                for name in ("numbers", "code", "dataset", "labels", "group")})
        points = thin._points(*question)

        telling = [name for name in thin.datasets if (names == name).sum() > 10 and truth[names == name].std() > 0]
        if not telling:
            raise PerfclfError("too few validation trials to learn from which recorded trials are near")

        def explained(scales: np.ndarray) -> float:
            missed = (truth - replace(thin, scales=scales)._average(points, None)[:, 1]) ** 2
            return float(np.mean([1 - missed[names == name].mean() / truth[names == name].var() for name in telling]))

        best, score = self.scales, explained(self.scales)
        for _ in range(proposals):
            tried = best * np.exp(random.normal(0, 0.35, len(best)))
            value = explained(tried)
            if value > score:
                best, score = tried, value
        return replace(self, scales=best)

    def lookup(self, codes: Sequence[str], datasets: Sequence[str], recipes: Sequence[Recipe],
               not_in: np.ndarray | None = None) -> np.ndarray:
        """Distance-weighted mean (norm, rank) of the nearest trials on the same dataset, shape (n, 2); NaN where the
        dataset has none. `not_in` (n,): a near-duplicate group whose trials must not answer, so that a training
        question sees what a question about a new network would see. No answer depends on the others asked for."""
        return self._average(self._points(codes, datasets, recipes), not_in)

    def _points(self, codes, datasets, recipes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.array([self.datasets.index(name) if name in self.datasets else -1 for name in datasets])
        distinct = list(dict.fromkeys(codes))
        vectors = self.embedding(distinct) if distinct else np.zeros((0, BLOCKS["code"]))
        row_of = {code: row for row, code in enumerate(distinct)}
        sizes = np.where(at >= 0, self.sizes[at], 32)
        return at, recipe_numbers(recipes, sizes), vectors[[row_of[code] for code in codes]].astype(np.float32)

    def _average(self, points, not_in: np.ndarray | None) -> np.ndarray:
        at, numbers, vectors = points
        result = np.full((len(at), 2), np.nan, np.float32)
        for index in range(len(self.datasets)):
            asked = np.flatnonzero(at == index)
            if len(asked) == 0:
                continue
            there, length, labels, group = self._places[index]
            # Each point by itself: one product of matrices would round by how many are asked about together.
            for place, here in zip(asked, self._scaled(numbers[asked], vectors[asked]), strict=True):
                apart = here @ here + length - 2 * (there @ here)
                if not_in is not None:
                    apart[group == not_in[place]] = np.inf
                result[place] = _weighted_mean(apart, labels)
        return result

    @cached_property
    def _places(self) -> list[tuple[np.ndarray, ...]]:
        """For each dataset its trials' scaled points, their squared lengths, labels and groups."""
        places = []
        for index in range(len(self.datasets)):
            rows = np.flatnonzero(self.dataset == index)
            points = self._scaled(self.numbers[rows], self.vectors[self.code[rows]])
            places.append((points, (points**2).sum(1), self.labels[rows].astype(np.float32), self.group[rows]))
        return places

    def _scaled(self, numbers: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        scales = np.repeat(self.scales, list(BLOCKS.values())).astype(np.float32)
        return np.hstack([numbers, vectors]).astype(np.float32) * scales

    def save(self, path: Path) -> None:
        """One compressed .npz file, plain arrays only."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        write_arrays(path, version=_VERSION, idf=self.embedding.idf, components=self.embedding.components,
                     datasets=np.array(self.datasets), **arrays)

    @staticmethod
    def load(path: Path) -> Neighbours:
        """Read what `save` wrote; raises PerfclfError for a missing or foreign file."""
        with read_arrays(path, "table of recorded trials") as file:
            version = int(file["version"]) if "version" in file.files else 1
            if version != _VERSION:
                raise ValueError(f"it has version {version}, not {_VERSION}; train again")
            return Neighbours(CodeEmbedding(file["idf"], file["components"]), tuple(file["datasets"].tolist()),
                              **{name: file[name] for name in _ARRAYS})


_ARRAYS = ("sizes", "numbers", "code", "vectors", "dataset", "labels", "group", "scales")


def recipes_of(trials: pd.DataFrame) -> list[Recipe]:
    """The recipe of each trial, in order; what was not recorded is None."""
    columns = [[None if value != value or value is None else value for value in trials[name].astype(object)]
               for name in ("lr", "momentum", "batch", "dropout", "transform")]
    return [Recipe(*values) for values in zip(*columns, strict=True)]


def _weighted_mean(apart: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean label (2,) of the nearest trials, from squared distances (m,) and labels (m, 2)."""
    count = min(NEAREST, len(apart))
    near = np.argpartition(apart, count - 1)[:count]
    distance = np.sqrt(np.maximum(apart[near], 0)) + 1e-3
    weight = np.where(np.isfinite(distance), 1 / distance, 0)
    with np.errstate(invalid="ignore"):
        return weight @ labels[near] / weight.sum()
