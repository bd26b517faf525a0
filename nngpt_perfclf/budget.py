"""How long work takes on a machine whose rates are measured, and how much work fits into a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TypeVar

T = TypeVar("T")
Timed = Callable[[Callable[[], T]], tuple[T, float]]

# Mean tokens of the default prompts over LEMUR's validation pairs: a network, one side with a recipe and without.
CODE, SIDE, CODE_ONLY_SIDE = 189, 27, 8
BUILDING = 0.3  # seconds for a network, on two cores
LEAST_CALIBRATION = 64  # pairs; with fewer the fitted weights vary by more than the model changes them
_LABELS_A_PAIR = 4  # labels trained on for each calibration pair: so that calibration takes less time than training
ENOUGH = 0.25  # seconds that a sample must take to be measured by


@dataclass(frozen=True)
class Rates:
    """Tokens a second that a model reads and trains on, measured."""

    read: float
    train: float


@dataclass(frozen=True)
class Work:
    """Seconds of work that does not depend on the model, and tokens to read and to train on."""

    seconds: float = 0.0
    read: float = 0.0
    train: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.seconds + other.seconds, self.read + other.read, self.train + other.train)

    def lasts(self, rates: Rates) -> float:
        """Seconds at these rates."""
        return self.seconds + self.read / rates.read + self.train / rates.train


def calibrating(pairs: int) -> Work:
    """Asking about `pairs` pairs, with recipes and without."""
    return Work(pairs * BUILDING, read=pairs * (CODE + 2 * (SIDE + CODE_ONLY_SIDE)))


def calibration_pairs(labels: int, most: int | None) -> int | None:
    """How many validation pairs the weights are fitted on after training on `labels` labels; None: all.

    At most `most`, and as many as are read in a fraction of the training's time.
    """
    return None if most is None else min(most, max(LEAST_CALIBRATION, labels // _LABELS_A_PAIR))


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def measured_rate(work: Callable[[int], float], least: int, most: int, timed: Timed = timed) -> float:
    """Units a second of a sample that is large enough to be measured by. `work` computes a sample of a size from
    `least` to `most` and gives its units. The first call, which prepares more than it computes, does not count."""
    timed(partial(work, least))
    size = least
    while True:
        units, seconds = timed(partial(work, size))
        if seconds > ENOUGH or size >= most:
            return units / seconds
        size = min(4 * size, most)


def announcement(what: str, seconds: float, details: str) -> str:
    """What a verb says before it starts on something long."""
    return f"{what} takes {in_words(seconds)} on this machine: {details}"


def in_words(seconds: float) -> str:
    """A time as people say it: "about 40 s", "about 4 min", "about 1 h 10 min"."""
    if seconds < 60:
        return f"about {max(1, ceil(seconds))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"
