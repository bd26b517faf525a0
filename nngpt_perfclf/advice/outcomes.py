"""Outcomes of trained candidates, checked, and the advisers that take them into account."""

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.adapters import ComparesDatasets, PairAdviser, Scorer
from nngpt_perfclf.advice.base import answered, check_question
from nngpt_perfclf.advice.dataset_model import Curves
from nngpt_perfclf.advice.features import recipe_rows, text_rows
from nngpt_perfclf.advice.informed import InformedAdviser
from nngpt_perfclf.advice.prior import load_prior
from nngpt_perfclf.advice.registry import load_advisor
from nngpt_perfclf.advice.residuals import Similarity
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.types import Advice, Candidate, Observation, PerfclfError, Question

POINTWISE = PRETRAINED / "pointwise"


def informed(scorer: Scorer, observations: Mapping[str, Iterable[Observation]], config: Config | None = None) -> Scorer:
    """`scorer` with the observations of each dataset, by dataset; `scorer` itself where none of them is usable. Those
    that are not are reported in one line each on standard error."""
    config = config or load_config()
    usable = usable_by_dataset(observations, config.epoch)
    return informed_adviser(scorer, usable, config) if usable else scorer


def informed_adviser(scorer: Scorer, observations: Mapping[str, Sequence[Observation]], config: Config,
                     folder: Path | None = None) -> InformedAdviser:
    """`scorer` with checked observations. `folder`: a pointwise run folder, whose curves and scales are used; None:
    those in the package."""
    datasets = dataset_properties(config.datasets)

    def numbers(candidates: Sequence[Candidate], target: str) -> tuple[np.ndarray, np.ndarray]:
        return numbers_of(candidates, target, datasets)

    scales = Similarity.load(folder or PRETRAINED)
    return InformedAdviser(scorer, Curves.load(folder or POINTWISE), datasets, scales, numbers, observations,
                           config.label, config.advice.confidence, load_prior(PRETRAINED, config.label))


def comparing(scorer: Scorer, label: str) -> Scorer:
    """What a comparison of two datasets asks: for the rank label, where the scorer can, percentiles on one scale."""
    return scorer.on_one_scale() if label == "rank" and isinstance(scorer, ComparesDatasets) else scorer


def numbers_of(candidates: Sequence[Candidate], target: str,
               datasets: Mapping[str, DatasetProperties]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of recipes (n, r) and of networks' texts (n, c) that make candidates alike. Networks are not built:
    learning from an outcome takes milliseconds."""
    sides = [(candidate.arch_code, target, candidate.recipe) for candidate in candidates]
    return recipe_rows(sides, datasets), text_rows([candidate.arch_code for candidate in candidates])


@dataclass(frozen=True)
class InformedPairs:
    """Pair answers of `adviser`, which scores as well. A question about a dataset that has no recorded trials, or that
    has `observations`, is answered by the model of that dataset: `adviser` knows nothing of how easy it is."""

    adviser: PairAdviser
    name: str
    observations: Mapping[str, Sequence[Observation]]
    config: Config

    def advise_many(self, questions: Sequence[Question]) -> list[Advice | None]:
        """One advice a question, in order."""
        by_model = [self._needs_model(asked) for asked in questions]
        found = (answered(questions, by_model, lambda asked: self._informed.advise_many(asked)),
                 answered(questions, (not needed for needed in by_model), self.adviser.advise_many))
        return [informed if needed else plain for needed, informed, plain in zip(by_model, *found, strict=True)]

    def _needs_model(self, asked: Question) -> bool:
        """A question that cannot be asked is left to `adviser`, which says why."""
        if all(name in self._recorded and name not in self.observations for name in (asked.ds_a, asked.ds_b)):
            return False
        try:
            check_question(asked, dataset_properties(self.config.datasets))
        except PerfclfError:
            return False
        return True

    @cached_property
    def _recorded(self) -> frozenset[str]:
        return frozenset(Curves.load(POINTWISE).accuracies)

    @cached_property
    def _informed(self) -> InformedAdviser:
        """Reads networks as pair advice does: by their text unless profiles are always wanted."""
        advice = self.config.advice
        config = replace(self.config, advice=replace(advice, profile="never" if advice.profile == "auto"
                                                     else advice.profile))
        return informed_adviser(comparing(load_advisor(self.name, config), config.label), self.observations, config)


def pairs_with_outcomes(adviser: object, pairs: PairAdviser, name: str,
                        observations: Mapping[str, Iterable[Observation]], config: Config) -> PairAdviser:
    """The answers `pairs` of the `adviser` called `name`, with the observations of each dataset. Raises PerfclfError
    for observations where it only compares pairs, since they correct scores."""
    usable = usable_by_dataset(observations, config.epoch)
    if isinstance(adviser, Scorer):
        return InformedPairs(pairs, name, usable, config)
    if usable:
        raise PerfclfError(f"{name} only compares pairs and cannot use outcomes: ask one that scores, such as "
                           "adviser=pointwise")
    return pairs


def usable_by_dataset(observations: Mapping[str, Iterable[Observation]], epoch: int) -> dict[str, list[Observation]]:
    """The usable observations of each dataset that has some; the others are reported on standard error."""
    found = {}
    for dataset, entries in observations.items():
        good, complaints = checked(entries, epoch)
        for complaint in complaints:
            say(complaint)
        if good:
            found[dataset] = good
    return found


def checked(observations: Iterable[Observation], epoch: int) -> tuple[list[Observation], list[str]]:
    """The usable observations, and one line about each of the others: an accuracy outside of 0..1 or not a number,
    another epoch, or a candidate that is there already (the last one counts)."""
    good: dict[tuple, Observation] = {}
    complaints = []
    for entry in observations:
        fault = _fault(entry, epoch)
        key = (entry.candidate.arch_code, entry.candidate.recipe)
        if not fault and key in good:
            fault = "it was observed before; the last accuracy counts"
            good[key] = entry
        elif not fault:
            good[key] = entry
        if fault:
            complaints.append(f"outcome of {entry.candidate.name}: {fault}")
    return list(good.values()), complaints


def _fault(entry: Observation, epoch: int) -> str:
    accuracy = entry.accuracy
    if isinstance(accuracy, bool) or not isinstance(accuracy, numbers.Real) or math.isnan(accuracy):
        return f"its accuracy is not a number: {accuracy!r}"
    if 1 < accuracy <= 100:
        return f"its accuracy {accuracy:g} is above 1; percent are given as a share: {accuracy / 100:g}"
    if not 0 <= accuracy <= 1:
        return f"its accuracy {accuracy:g} is not in 0..1"
    return "" if entry.epoch == epoch else f"it is of epoch {entry.epoch}, and epoch {epoch} is asked about"
