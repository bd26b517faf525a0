"""How long an epoch of each candidate will take on the user's machine, and what is ranked by it.

The model knows the machines of the recorded trials. Candidates that were timed on the user's machine say by which
factor that one is slower or quicker: the median of their log-ratios, shrunk towards 0 where they are few.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice import load_scorer
from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.base import answered
from nngpt_perfclf.advice.run_folders import PRETRAINED, folder_of, leave_manifest
from nngpt_perfclf.advice.seconds_model import SecondsModel
from nngpt_perfclf.advice.structures import profiles_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.sandbox.words import printable
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import AdviserSpec, Candidate, Observation, Score

KIND = "seconds"
VARIANCE = 0.3  # of one candidate's log-ratio on the machine that is assumed


@dataclass(frozen=True)
class Clock:
    """`model`: of the recorded machines; `profile`: whether networks are built for it."""

    model: SecondsModel
    datasets: Mapping[str, DatasetProperties]
    profile: bool = True

    def seconds(self, candidates: Sequence[Candidate], target: str,
                timed: Sequence[tuple[Candidate, float]] = ()) -> np.ndarray:
        """The expected seconds (n,) of one epoch of each candidate: its own pace where it was trained for a while.
        timed: candidates and the seconds of one epoch of theirs, on the same dataset and the machine that is asked
        about."""
        everyone = [*candidates, *(candidate for candidate, _ in timed)]
        sides = [(candidate.arch_code, target, candidate.recipe) for candidate in everyone]
        structures = ([found.structure for found in profiles_of(sides, self.datasets)] if self.profile
                      else [None] * len(sides))
        expected = self.model.seconds(sides, structures, self.datasets) if sides else np.zeros(0)
        there, of_timed = expected[:len(candidates)], expected[len(candidates):]
        found = there * factor_of(np.array([seconds for _, seconds in timed], float), of_timed)
        paces = [pace_of(candidate) for candidate in candidates]
        return np.array([seconds if pace is None else pace for seconds, pace in zip(found, paces, strict=True)], float)


def factor_of(measured: np.ndarray, expected: np.ndarray) -> float:
    """By which factor the measured seconds (n,) exceed the expected ones; 1 where nothing was measured.

    The median of the log-ratios, shrunk by James and Stein's positive-part rule: a small one may be chance and counts
    for nothing, one of another kind of machine counts almost whole.
    """
    if not len(measured):
        return 1.0
    middle = float(np.median(np.log(measured / expected)))
    return math.exp(middle * max(0.0, 1 - VARIANCE / (len(measured) * middle**2))) if middle else 1.0


def clock_of(config: Config, folder: Path = PRETRAINED / KIND) -> Clock:
    """The clock of a run folder of `train model=seconds`; by default that in the package."""
    return Clock(SecondsModel.load(folder), dataset_properties(config.datasets), config.advice.profile != "never")


def timed_candidates(candidates: Sequence[Candidate],
                     outcomes: Sequence[Observation] = ()) -> list[tuple[Candidate, float]]:
    """Those whose time is known, with the seconds of one epoch."""
    begun = [(candidate, pace) for candidate in candidates if (pace := pace_of(candidate))]
    return begun + [(entry.candidate, entry.seconds / entry.epoch) for entry in outcomes if entry.seconds]


def pace_of(candidate: Candidate) -> float | None:
    """The seconds of one epoch of a candidate so far; None where no time is known."""
    last = max(candidate.seconds, default=0)
    return candidate.seconds[last] / last if last and candidate.seconds[last] > 0 else None


def gain_per_second(score: Score) -> float:
    """The logarithm of the chance of being the best for each second, but for a constant that all candidates share
    (Luce's choice axiom: the chance is proportional to the exponential of the score). NaN: no time is expected."""
    return math.nan if score.seconds is None else score.value - math.log(score.seconds)


def warn_of_slow(expected: Iterable[tuple[Candidate, float | None]], limit: float | None, key: str) -> None:
    """One line on standard error for each candidate whose epoch is expected to take more than `limit` seconds (None: no
    limit), which the configuration key `key` sets."""
    for candidate, seconds in expected:
        if limit is not None and seconds is not None and seconds > limit:
            say(f"{printable(candidate.name)}: an epoch is expected to take {seconds:,.0f} s, more than "
                f"{key}={limit:g}")


@dataclass(frozen=True)
class TimedScorer:
    """The scores of `scorer`, with the seconds that an epoch is expected to take."""

    scorer: Scorer
    clock: Clock

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order. The seconds are those of the recorded machines."""
        scores = self.scorer.score(candidates, target)
        expected = answered(candidates, (score is not None for score in scores),
                            lambda scored: self.clock.seconds(scored, target).tolist())
        return [score and replace(score, seconds=seconds) for score, seconds in zip(scores, expected, strict=True)]


def load(config: Config) -> TimedScorer:
    """The clock of a run folder, or that in the package, with the scorer that the run was trained beside."""
    folder = folder_of(config, KIND)
    return TimedScorer(load_scorer(RunFolder(folder).manifest["scorer"], config), clock_of(config, folder))


def train(config: Config, out: Path) -> dict:
    """Fit the model on the training part; leave a run folder that `load` opens."""
    from nngpt_perfclf.advice.seconds_training import fit_seconds

    data = TaskData.load(config)
    model, result = fit_seconds(data)
    out.mkdir(parents=True, exist_ok=True)
    model.save(out)
    return leave_manifest(KIND, data, out, result, scorer=config.scorer)


SPECS = (AdviserSpec(KIND, load, train),)
