"""From the accuracy after the epochs that were seen to the accuracy that is expected at a later one.

On the scale of log-odds above chance the last accuracy seen predicts a later one linearly, on all datasets alike. The
slope is not negative, so that a better curve never gives a lower expectation. What was expected before the training
counts as well, the less the more epochs were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError

FILE = "steps.json"
EPOCHS = (1, 2, 3, 4, 5, 10, 20, 50)  # of which enough trials are recorded; nothing is said beyond the last
_EDGE = 0.02  # how near to 0 and 1 a percentile may come, so that its log-odds are finite


@dataclass(frozen=True)
class Step:
    """The way from the accuracy at one epoch to that at another, in log-odds above chance: `offset` + `slope` × seen +
    `trust` × (expected before the training − `centre`), with the standard `deviation` of what comes."""

    offset: float
    slope: float
    deviation: float
    trust: float = 0.0
    centre: float = 0.0

    def __call__(self, seen: float, percentile: float | None) -> float:
        """The expected log-odds; `percentile`: what was expected before the training, None: unknown."""
        before = 0.0 if percentile is None else self.trust * (log_odds(percentile) - self.centre)
        return self.offset + self.slope * seen + before


@dataclass(frozen=True)
class CurveModel:
    """A step for each pair of epochs (seen, aim); epoch 0 is before the training, where `seen` is what the expected
    percentile amounts to in accuracy."""

    steps: Mapping[tuple[int, int], Step]

    def step(self, seen: int, aim: int) -> Step:
        """The step from the last recorded epoch that is not after `seen` to the first that is not before `aim`: of
        two epochs between the recorded ones the wider interval is given."""
        return self.steps[max(epoch for epoch in (0, *EPOCHS) if epoch <= seen), aim_of(aim)]

    def save(self, folder: Path) -> None:
        """Write ``steps.json``."""
        write_json(folder / FILE, {f"{seen} to {aim}": {name: round(value, 5) for name, value in asdict(step).items()}
                                   for (seen, aim), step in sorted(self.steps.items())})

    @staticmethod
    def load(folder: Path) -> CurveModel:
        """Read what `save` wrote; raises PerfclfError where it is missing or damaged."""
        content = read_json(folder / FILE)
        try:
            steps = {tuple(map(int, name.split(" to "))): Step(**{key: float(value) for key, value in step.items()})
                     for name, step in content.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise PerfclfError(f"{folder / FILE} holds no steps from epoch to epoch: {error}") from error
        if missing := {(0, aim) for aim in EPOCHS} - steps.keys():
            raise PerfclfError(f"{folder / FILE} holds no step {min(missing)}")
        return CurveModel(steps)


def aim_of(epoch: int) -> int:
    """The recorded epoch that stands for `epoch`. Raises PerfclfError beyond the last one."""
    if not 1 <= epoch <= EPOCHS[-1]:
        raise PerfclfError(f"epoch={epoch}: accuracies are predicted for epochs 1 to {EPOCHS[-1]}, of which trials are "
                           "recorded")
    return min(recorded for recorded in EPOCHS if recorded >= epoch)


def fit_step(seen: np.ndarray, later: np.ndarray, weights: np.ndarray) -> Step:
    """Weighted least squares with a slope of at least 0; `seen` and `later`: log-odds (n,) of the same trials."""
    middle, goal = np.average(seen, weights=weights), np.average(later, weights=weights)
    spread = np.average((seen - middle) ** 2, weights=weights)
    slope = max(0.0, float(np.average((seen - middle) * (later - goal), weights=weights) / max(spread, 1e-9)))
    residuals = later - goal - slope * (seen - middle)
    return Step(float(goal - slope * middle), slope, float(np.sqrt(np.average(residuals**2, weights=weights))))


def with_trust(step: Step, seen: np.ndarray, later: np.ndarray, percentiles: np.ndarray,
               weights: np.ndarray) -> Step:
    """`step` with the weight of what was expected before the training, from trials (n,) that neither the step nor the
    adviser learned from: the residuals' regression on the log-odds of the `percentiles`."""
    before = log_odds(percentiles)
    fitted = fit_step(before, later - step.offset - step.slope * seen, weights)
    return Step(step.offset, step.slope, step.deviation, fitted.slope, float(np.average(before, weights=weights)))


def log_odds(percentile: np.ndarray | float) -> np.ndarray | float:
    """Of a percentile in 0..1, cut near its ends."""
    share = np.clip(percentile, _EDGE, 1 - _EDGE)
    return np.log(share / (1 - share))
