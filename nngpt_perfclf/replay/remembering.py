"""Answers about candidates that are asked for again and again, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.informed import Numbers
from nngpt_perfclf.types import Candidate, Score


@dataclass(frozen=True)
class Remembering:
    """A scorer that is asked once about each candidate."""

    scorer: Scorer
    known: dict[tuple, Score | None] = field(default_factory=dict)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        keys = [(one.arch_code, one.recipe, target) for one in candidates]
        new = list({key: one for key, one in zip(keys, candidates, strict=True) if key not in self.known}.items())
        if new:
            answers = self.scorer.score([one for _, one in new], target)
            self.known.update(zip((key for key, _ in new), answers, strict=True))
        return [self.known[key] for key in keys]


@dataclass(frozen=True)
class RememberedNumbers:
    """The numbers that make candidates alike, read once for each candidate."""

    numbers: Numbers
    known: dict[tuple, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __call__(self, candidates: Sequence[Candidate], target: str) -> tuple[np.ndarray, np.ndarray]:
        keys = [(one.arch_code, one.recipe, target) for one in candidates]
        new = list({key: one for key, one in zip(keys, candidates, strict=True) if key not in self.known}.items())
        if new:
            rows = zip(*self.numbers([one for _, one in new], target), strict=True)
            self.known.update(zip((key for key, _ in new), rows, strict=True))
        recipes, networks = zip(*(self.known[key] for key in keys), strict=True)
        return np.stack(recipes), np.stack(networks)
