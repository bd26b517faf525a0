"""Advice that goes on after the first epochs: a scorer, and what the accuracies seen so far say about a later epoch.

Works with any scorer, which is asked as if nothing had been trained. Scores of candidates that were trained for a while
and of candidates that were not can be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice import load_scorer
from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.base import check_dataset
from nngpt_perfclf.advice.curve_model import CurveModel, aim_of
from nngpt_perfclf.advice.dataset_model import Curves, DatasetModel, accuracy_at, logit_above_chance, percentiles_of
from nngpt_perfclf.advice.run_folders import PRETRAINED, check_held_out, folder_of, leave_manifest
from nngpt_perfclf.advice.seconds import pace_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import AdviserSpec, Candidate, Interval, PerfclfError, Score

KIND = "curve"
_TENTH = 1.2816  # standard deviations from the mean to the 10 % and 90 % quantiles


@dataclass(frozen=True)
class _Target:
    """The dataset that candidates are scored for: how its accuracies are distributed at the epoch asked about."""

    model: DatasetModel
    epoch: int

    def log_odds(self, accuracy: float) -> float:
        """Above chance."""
        return float(logit_above_chance(np.array(accuracy), self.model.classes))

    def start(self, score: Score) -> float:
        """What the percentile that was expected before the training amounts to, in log-odds above chance."""
        return self.log_odds(float(self.model.accuracy(percentiles_of([score]))[0][0]))

    def expected(self, middle: float, deviation: float, decided: bool, because: str) -> Score:
        """The score of an expectation in log-odds above chance."""
        ends = middle + _TENTH * deviation * np.array([0.0, -1.0, 1.0])
        accuracy = Interval(*map(float, accuracy_at(ends, self.model.classes)))
        percentiles = map(float, self.model.percentile(np.array([accuracy.value, accuracy.low, accuracy.high])))
        reason = (f"expected to reach {accuracy.value:.1%} ({accuracy.low:.1%}–{accuracy.high:.1%}) at epoch "
                  f"{self.epoch}; {because}")
        return Score(float(middle), *percentiles, decided, reason, accuracy, deviation)

    def reached(self, accuracy: float) -> Score:
        """The score of an accuracy that was seen."""
        percentile = float(self.model.percentile(np.array([accuracy]))[0])
        return Score(self.log_odds(accuracy), percentile, percentile, percentile, True,
                     f"reached {accuracy:.1%} at epoch {self.epoch}", Interval(accuracy, accuracy, accuracy), 0.0, 0.0)


@dataclass(frozen=True)
class CurveAdviser:
    """Scores by the accuracy that is expected at `epoch`. `scorer`: asked about the network and its recipe; `model`:
    from epoch to epoch; `recorded`: the accuracies of each dataset's trials at that epoch."""

    scorer: Scorer
    model: CurveModel
    recorded: Curves
    datasets: Mapping[str, DatasetProperties]
    epoch: int

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order: `value` is the expected accuracy in log-odds above chance. None where
        neither an epoch was seen nor the scorer has an opinion.

        Raises PerfclfError for an unknown dataset and for accuracies that are not in 0..1.
        """
        check_dataset(target, self.datasets)
        seen = [checked(candidate) for candidate in candidates]
        given = self.scorer.score([replace(candidate, seen={}, seconds={}) for candidate in candidates], target)
        about = _Target(DatasetModel.of(self.recorded, target, self.datasets), self.epoch)
        scores = [self._score(accuracies, before, about) for accuracies, before in zip(seen, given, strict=True)]
        return [score and replace(score, remaining=remaining(candidate, self.epoch),
                                  seconds=pace_of(candidate) or (before and before.seconds))
                for candidate, score, before in zip(candidates, scores, given, strict=True)]

    def _score(self, seen: Mapping[int, float], before: Score | None, about: _Target) -> Score | None:
        if self.epoch in seen:
            return about.reached(seen[self.epoch])
        trusted = before is not None and before.decided
        last = max((epoch for epoch in seen if epoch < self.epoch), default=0)
        if last:
            step = self.model.step(last, self.epoch)
            middle = step(about.log_odds(seen[last]), before.percentile if trusted else None)
            return about.expected(middle, step.deviation, True, f"{seen[last]:.1%} were reached after epoch {last}")
        if before is None:
            return None
        step = self.model.step(0, self.epoch)
        return about.expected(step(about.start(before), None), step.deviation, trusted, before.reason)


def going_on(scorer: Scorer, config: Config, folder: Path = PRETRAINED / KIND) -> CurveAdviser:
    """`scorer` with what candidates reached after their first epochs, asked about `config.epoch`. `folder`: a run
    folder of `train model=curve`. Raises PerfclfError for an epoch beyond those recorded."""
    if isinstance(scorer, CurveAdviser):
        return scorer
    recorded = Curves.load(folder / f"epoch-{aim_of(config.epoch)}")
    return CurveAdviser(scorer, CurveModel.load(folder), recorded, dataset_properties(config.datasets), config.epoch)


def checked(candidate: Candidate) -> dict[int, float]:
    """What a candidate has reached, in the order of the epochs; raises PerfclfError for what is no accuracy."""
    for epoch, accuracy in candidate.seen.items():
        if type(epoch) is not int or epoch < 1:
            raise PerfclfError(f"{candidate.name}: {epoch!r} is no epoch; epochs are whole numbers from 1")
        if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or not 0 <= accuracy <= 1:
            raise PerfclfError(f"{candidate.name}: the accuracy after epoch {epoch} must lie in 0..1, not {accuracy!r}")
    return dict(sorted(candidate.seen.items()))


def remaining(candidate: Candidate, epoch: int) -> float | None:
    """The seconds until the end of `epoch` at the pace so far; None where no time is known."""
    pace = pace_of(candidate)
    return None if pace is None else max(0, epoch - max(candidate.seconds)) * pace


def load(config: Config) -> CurveAdviser:
    """The steps of a run folder, or those in the package, with the scorer that the run was trained with."""
    folder = folder_of(config, KIND)
    return going_on(load_scorer(RunFolder(folder).manifest["scorer"], config), config, folder)


def train(config: Config, out: Path) -> dict:
    """Fit the steps on the training part, and on validation how much the configured scorer counts; leave a run folder
    that `load` opens."""
    from nngpt_perfclf.advice.curve_training import fit_curves

    check_held_out(config.scorer, "validation")
    data = TaskData.load(config)
    model, recorded, result = fit_curves(data, load_scorer(config.scorer, config))
    out.mkdir(parents=True, exist_ok=True)
    model.save(out)
    for epoch, curves in recorded.items():
        (out / f"epoch-{epoch}").mkdir(exist_ok=True)
        curves.save(out / f"epoch-{epoch}")
    return leave_manifest(KIND, data, out, result, scorer=config.scorer)


SPECS = (AdviserSpec(KIND, load, train),)
