"""Answers about candidates that are asked for again and again, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.informed import Numbers
from nngpt_perfclf.types import Candidate, Score


@dataclass(frozen=True)
class Remembering:
    """A scorer that is asked once about each candidate."""

    scorer: Scorer
    scores: dict[tuple, Score | None] = field(default_factory=dict)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        return _remembered(self.scores, candidates, target, lambda new: self.scorer.score(new, target))


@dataclass(frozen=True)
class RememberedNumbers:
    """The numbers that make candidates alike, read once for each candidate."""

    numbers: Numbers
    rows: dict[tuple, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __call__(self, candidates: Sequence[Candidate], target: str) -> tuple[np.ndarray, np.ndarray]:
        rows = _remembered(self.rows, candidates, target, lambda new: zip(*self.numbers(new, target), strict=True))
        recipes, networks = zip(*rows, strict=True)
        return np.stack(recipes), np.stack(networks)


def _remembered(found: dict[tuple, object], candidates: Sequence[Candidate], target: str,
                compute: Callable[[list[Candidate]], Iterable]) -> list:
    """What is `found` of the candidates, in order; what is not there yet is computed and put there."""
    keys = [(candidate.arch_code, candidate.recipe, target) for candidate in candidates]
    new = {key: candidate for key, candidate in zip(keys, candidates, strict=True) if key not in found}
    if new:
        found.update(zip(new, compute(list(new.values())), strict=True))
    return [found[key] for key in keys]
