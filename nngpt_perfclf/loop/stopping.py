"""Policies that may stop training at the end of an epoch: which candidates go on, many generations at once.

All arrays have the shape (generations, candidates); candidates are in the order in which they were proposed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nngpt_perfclf.loop.policies import Rule, keep_mask
from nngpt_perfclf.types import PerfclfError, Score

_GRID = 61  # points of the integral over the best value
_REACH = 5.0  # standard deviations that it covers
_AT_ONCE = 2000  # generations


@dataclass(frozen=True)
class Known:
    """What a policy may know at the end of `epoch` (0: before the training): the `accuracy` reached, the expected
    `value`, its standard `deviation` and the `seconds` of an epoch as the adviser says (NaN: no opinion), and `ties`,
    by which equals are ordered."""

    epoch: int
    accuracy: np.ndarray
    value: np.ndarray
    deviation: np.ndarray
    seconds: np.ndarray
    ties: np.ndarray


@dataclass(frozen=True)
class StoppingPolicy:
    """Base class, and the null policy: everything is trained to the end. `rungs`: the epochs at whose end policies
    without advice decide."""

    rule: Rule
    rungs: tuple[int, ...] = (1,)

    def asks_at(self, epoch: int) -> bool:
        """Whether the policy asks about the running candidates at the end of `epoch`."""
        return False

    def going_on(self, state: Known, running: np.ndarray) -> np.ndarray:
        """Which of the `running` candidates are trained for another epoch: booleans."""
        return running


class Halve(StoppingPolicy):
    """Successive halving: at each rung the share `rule.keep` with the highest accuracy goes on."""

    def going_on(self, state, running) -> np.ndarray:
        return _best(state.accuracy, state.ties, running, self.rule) if state.epoch in self.rungs else running


class Asha(StoppingPolicy):
    """Asynchronous successive halving as Ray Tune stops trials: candidates train one after the other, and one goes on
    past a rung if it is among the best share `rule.keep` of those that reached that rung before it."""

    def going_on(self, state, running) -> np.ndarray:
        if state.epoch not in self.rungs:
            return running
        kept = running.copy()
        for row, accuracy in zip(kept, state.accuracy, strict=True):
            reached: list[float] = []
            for place in np.flatnonzero(row):
                cutoff = np.percentile(reached, 100 * (1 - self.rule.keep)) if reached else -np.inf
                row[place] = accuracy[place] >= cutoff
                reached.append(accuracy[place])
        return kept


class AskFirst(StoppingPolicy):
    """Trains the share `rule.keep` with the highest scores, to the end."""

    def asks_at(self, epoch) -> bool:
        return epoch == 0

    def ranked_by(self, state: Known) -> np.ndarray:
        """What the share is chosen by before the training."""
        return state.value

    def going_on(self, state, running) -> np.ndarray:
        return _best(self.ranked_by(state), state.ties, running, self.rule) if state.epoch == 0 else running


class AskPerSecond(AskFirst):
    """Trains the share `rule.keep` with the highest gain per second, to the end."""

    def ranked_by(self, state) -> np.ndarray:
        return state.value - np.log(state.seconds)


class AskAndHalve(AskFirst):
    """As `AskFirst`, and asks again at the end of each epoch: as few go on as hold the best one with probability
    1 − `rule.miss_probability`; without a share to keep before the training too. A candidate without a decided score
    always goes on."""

    def asks_at(self, epoch) -> bool:
        return True

    def worth(self, chances: np.ndarray, state: Known) -> np.ndarray:
        """The order in which candidates go on, by their chance to be the best."""
        return chances

    def going_on(self, state, running) -> np.ndarray:
        if state.epoch == 0 and self.rule.keep is not None:
            return super().going_on(state, running)
        unsure = running & (np.isnan(state.value) | np.isnan(state.deviation))
        asked = running & ~unsure
        chances = chance_of_best(np.where(asked, state.value, -np.inf), state.deviation)
        order = np.lexsort((state.ties, -self.worth(chances, state)), axis=-1)
        sorted_chances = np.take_along_axis(chances, order, axis=-1)
        ahead = np.cumsum(sorted_chances, axis=-1) - sorted_chances
        place = np.argsort(order, axis=-1)
        enough = np.take_along_axis(ahead, place, axis=-1) >= 1 - self.rule.miss_probability
        return unsure | (asked & (~enough | (place < self.rule.least_kept)))


class AskAndHalvePerSecond(AskAndHalve):
    """As `AskAndHalve`, but those with the highest chance for each second of an epoch go on, until they hold the best
    one with that probability."""

    def ranked_by(self, state) -> np.ndarray:
        return state.value - np.log(state.seconds)

    def worth(self, chances, state) -> np.ndarray:
        # Where no seconds are known, a candidate counts as quick: unsure means keep.
        return chances / np.where(np.isnan(state.seconds), 1.0, state.seconds)


STOPPING = {"nop": StoppingPolicy, "halve": Halve, "asha": Asha, "ask": AskFirst, "ask_per_second": AskPerSecond,
            "ask_halve": AskAndHalve, "ask_halve_per_second": AskAndHalvePerSecond}
HALVING = ("ask_halve", "ask_halve_per_second")  # they need no share to keep


def build_stopping(name: str, rule: Rule, rungs: Sequence[int]) -> StoppingPolicy:
    """The policy called `name`; raises PerfclfError for an unknown name, and without a share to keep."""
    if name not in STOPPING:
        raise PerfclfError(f"unknown policy {name!r}; those that stop training are {', '.join(STOPPING)}")
    if rule.keep is None and name not in HALVING:
        raise PerfclfError(f"the policy {name} needs shares to keep: leave null out of loop.keep")
    if not rungs or any(type(rung) is not int or rung < 1 for rung in rungs):
        raise PerfclfError(f"loop.rungs must name epochs from 1, not {list(rungs)}")
    return STOPPING[name](rule, tuple(rungs))


def chance_of_best(values: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """How probable it is that each candidate is the best of its row, for independent normal values (−inf: out of the
    race); each row sums to 1, one without a candidate to 0. The integral over the best value is a sum on a grid."""
    found = [_chances(values[start:start + _AT_ONCE], deviations[start:start + _AT_ONCE])
             for start in range(0, len(values), _AT_ONCE)]
    return np.concatenate(found) if found else np.zeros(values.shape)


def _chances(values: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    racing = np.isfinite(values)
    means = np.where(racing, values, 0.0)
    spread = np.where(racing, np.maximum(deviations, 1e-3), 1.0)
    # The best value is almost never below where one of the candidates alone almost never is.
    least, most = (np.where(racing, means + side * _REACH * spread, -np.inf).max(axis=-1, keepdims=True)
                   for side in (-1, 1))
    least, most = np.where(np.isfinite(least), least, 0.0), np.where(np.isfinite(most), most, 1.0)
    edges = least + (most - least) * np.linspace(0, 1, _GRID)
    below = np.where(racing[:, None], ndtr((edges[..., None] - means[:, None]) / spread[:, None]), 1.0)
    # Between two edges: that the candidate lies there, and all others below the middle of their chances.
    logs = np.log(np.maximum((below[:, 1:] + below[:, :-1]) / 2, 1e-300))
    others = np.exp(logs.sum(axis=-1, keepdims=True) - logs)
    chances = np.where(racing, ((below[:, 1:] - below[:, :-1]) * others).sum(axis=1), 0.0)
    return chances / np.maximum(chances.sum(axis=-1, keepdims=True), 1e-300)


def numbers_of(scores: Sequence[Score | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, deviation and seconds (n,) of decided scores, NaN for all others; a score that does not know its deviation
    or its seconds has NaN there."""
    opinions = [score if score is not None and score.decided else None for score in scores]
    values = [np.nan if score is None else score.value for score in opinions]
    deviations = [np.nan if score is None or score.deviation is None else score.deviation for score in opinions]
    seconds = [np.nan if score is None or score.seconds is None else score.seconds for score in opinions]
    return np.array(values, float), np.array(deviations, float), np.array(seconds, float)


def _best(values: np.ndarray, ties: np.ndarray, running: np.ndarray, rule: Rule) -> np.ndarray:
    """The share to keep of those that are running; those without a value go on besides."""
    return running & keep_mask(np.where(running, values, np.nan), ties, rule)
