"""The data of the contract with a host: questions and candidates in, advice, scores and outcomes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nngpt_perfclf.config import Config


class PerfclfError(Exception):
    """One clear line: what was wrong, where, and what to do. The command line prints it and exits with status 1."""


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

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stated."""
        return self == Recipe()


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
    def has_recipes(self) -> bool:
        """Whether both sides' recipes are known."""
        return self.recipe_a is not None and self.recipe_b is not None

    def without_recipes(self) -> Question:
        """The same question about the code alone."""
        return Question(self.arch_code, self.ds_a, self.ds_b, epoch=self.epoch)


@dataclass(frozen=True)
class Advice:
    """The answer to a Question. `probability` (calibrated, rounded to 6 decimals): that `better` wins; `prior`: how
    often `better` wins this pair of datasets when neither code nor recipe is read; `decided`: the probability reaches
    the configured confidence; `reason`: why, in words."""

    better: str
    probability: float
    prior: float
    decided: bool
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A network and the recipe that it would be, or is being, trained with.

    `seen`: the accuracy in 0..1 after each epoch that it was trained for already; `seconds`: from the start of its
    training to the end of each epoch.
    """

    name: str
    arch_code: str
    recipe: Recipe = Recipe()
    meta: Mapping[str, object] = field(default_factory=dict, hash=False, compare=False)
    seen: Mapping[int, float] = field(default_factory=dict, hash=False)
    seconds: Mapping[int, float] = field(default_factory=dict, hash=False, compare=False)

    @property
    def next_epoch(self) -> int:
        """The epoch that it would be trained for next, from 1."""
        return max(self.seen, default=0) + 1

    def after(self, outcome: Outcome) -> Candidate:
        """The candidate after one more epoch of training, whose accuracy and seconds `outcome` holds."""
        epoch = self.next_epoch
        return replace(self, seen={**self.seen, epoch: outcome.accuracy},
                       seconds={**self.seconds, epoch: self.seconds.get(epoch - 1, 0.0) + outcome.seconds})


@dataclass(frozen=True)
class Interval:
    """An expected value with its 80 % interval `low`..`high`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Score:
    """How well a candidate is expected to do on its target.

    `value`: on the log-odds scale; comparable between candidates of one target, higher is better. `percentile`: its
    expected rank among the dataset's recorded trials, 0..1, with the 80 % interval `low`..`high`. `decided`: the
    adviser knows more than nothing (a pointwise one: the interval is narrower than that of a network about which
    nothing is known); an undecided candidate is never pruned.
    `accuracy`: what it is expected to reach, 0..1, `deviation`: the standard deviation of `value`, `remaining`: the
    seconds of training that are expected to be left, `seconds`: those of one epoch, each where the adviser can tell.
    """

    value: float
    percentile: float
    low: float
    high: float
    decided: bool
    reason: str
    accuracy: Interval | None = None
    deviation: float | None = None
    remaining: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Observation:
    """A candidate that was trained on a dataset for `epoch` epochs, the `accuracy` in 0..1 that it reached, and the
    `seconds` that all of them took on this machine (None: not known)."""

    candidate: Candidate
    accuracy: float
    epoch: int = 1
    seconds: float | None = None


@dataclass(frozen=True)
class Ranked:
    """One candidate's place in a ranking. `status`: ``ok``, ``broken`` (it cannot be trained; no score) or ``unknown``
    (no adviser has an opinion); `reason`: why, in words."""

    candidate: Candidate
    score: Score | None
    status: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What one training run gave: `accuracy` in 0..1, or None with the `failure` in words; `seconds` it took. Of a
    candidate that was trained for some epochs already: of one further epoch."""

    candidate: str
    target: str
    accuracy: float | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class AdviserSpec:
    """An adviser that can be named wherever the configuration takes one.

    `load(config)` gives an object with ``advise_many(questions)`` or ``score(candidates, target)`` or both;
    `config.adviser` holds the name, or the run folder that is to be opened. `train(config, out)` writes a run folder
    whose ``run.json`` has this spec's `kind` (by default the name) and returns what it found.
    """

    name: str
    load: Callable[[Config], object]
    train: Callable[[Config, Path], dict] | None = None
    kind: str = ""

    @property
    def run_kind(self) -> str:
        return self.kind or self.name
