"""The contract's data: what a loop asks, what it is told, and what training then showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class PerfclfError(Exception):
    """One clear line: what was wrong, where, and what to do. The command line prints it and exits with 1."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; everything here is known before the training starts.

    `lr`: learning rate; `momentum`: of SGD; `batch`: images in a step; `dropout`: probability;
    `transform`: LEMUR's name of the image pipeline, e.g. ``norm_64_flip``. None: not stated.
    """

    lr: float | None = None
    momentum: float | None = None
    batch: int | None = None
    dropout: float | None = None
    transform: str | None = None


@dataclass(frozen=True)
class Question:
    """On which of two datasets does this network reach the higher label after `epoch` epochs?"""

    arch_code: str
    ds_a: str
    ds_b: str
    recipe_a: Recipe | None = None
    recipe_b: Recipe | None = None
    epoch: int = 1

    def swapped(self) -> Question:
        """The same question with its two sides exchanged."""
        return Question(self.arch_code, self.ds_b, self.ds_a, self.recipe_b, self.recipe_a, self.epoch)

    @property
    def tells_recipes(self) -> bool:
        """Whether both sides' recipes are known."""
        return self.recipe_a is not None and self.recipe_b is not None

    def without_recipes(self) -> Question:
        """The same question about the code alone."""
        return Question(self.arch_code, self.ds_a, self.ds_b, epoch=self.epoch)


@dataclass(frozen=True)
class Advice:
    """An answer: `probability` (calibrated) that `better` wins; `prior`: how often it wins this pair with the
    code unread; `decided`: the probability reaches the configured confidence; `reason`: why, in words.

    `strengths`: of `better` and of the other dataset, from an adviser that judges each side by itself; their difference
    is the log-odds of `probability`. They can be compared from network to network, as probabilities cannot."""

    better: str
    probability: float
    prior: float
    decided: bool
    reason: str
    strengths: tuple[float, float] | None = None


@dataclass(frozen=True)
class Candidate:
    """A network that nobody has trained yet, and the recipe that it would be trained with."""

    name: str
    arch_code: str
    recipe: Recipe = Recipe()
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one training run gave: `accuracy` in 0..1, or None with the `failure` in words; `seconds` it took."""

    candidate: str
    target: str
    accuracy: float | None
    seconds: float
    failure: str = ""
