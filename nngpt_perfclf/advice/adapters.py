"""Scores from an adviser that only compares pairs, and pair answers from one that only scores."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from nngpt_perfclf.advice.base import Adviser, verdict
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.types import Advice, Candidate, PerfclfError, Question, Recipe, Score

_SUREST = 1e-6  # a probability counts as at most a million to one
_log = logging.getLogger(__name__)


@runtime_checkable
class PairAdviser(Protocol):
    """Answers pair questions."""

    def advise_many(self, questions: Sequence[Question]) -> Sequence[Advice | None]: ...


@runtime_checkable
class Scorer(Protocol):
    """Scores candidates for one target."""

    def score(self, candidates: Sequence[Candidate], target: str) -> Sequence[Score | None]: ...


@runtime_checkable
class ComparesDatasets(Protocol):
    """A scorer whose percentiles can be put on one scale for all datasets."""

    def on_one_scale(self) -> Scorer: ...


@dataclass(frozen=True)
class PairScorer:
    """Scores by pair questions: the target with the candidate's recipe against each reference dataset.

    `anchors`: the fixed recipe of each reference, so that only the candidate's side varies. Without anchors (None) both
    sides have the candidate's recipe; then a good candidate is good on both sides and the difference says little about
    the target, which is why that is only a baseline.
    """

    adviser: PairAdviser
    references: tuple[str, ...]
    anchors: Mapping[str, Recipe] | None
    epoch: int = 1

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """The mean over the references of logit P(target wins) minus the logit of its prior; None where no answer is
        decided. Raises PerfclfError where there is no reference but the target."""
        references = [name for name in self.references if name != target]
        if not references:
            raise PerfclfError(f"no reference dataset to compare {target} with: name some in advice.references")
        questions = [self._question(candidate, target, name) for candidate in candidates for name in references]
        answers = list(self.adviser.advise_many(questions))
        return [self._score(answers[start:start + len(references)], target)
                for start in range(0, len(answers), len(references))]

    def _question(self, candidate: Candidate, target: str, reference: str) -> Question:
        recipe = None if candidate.recipe.is_empty else candidate.recipe
        if self.anchors is not None and reference not in self.anchors:
            raise PerfclfError(f"no anchor recipe for the reference dataset {reference!r}")
        other = recipe if self.anchors is None else self.anchors[reference] if recipe else None
        return Question(candidate.arch_code, target, reference, recipe, other, self.epoch)

    def _score(self, answers: Sequence[Advice | None], target: str) -> Score | None:
        given = [advice for advice in answers if advice is not None]
        if not any(advice.decided for advice in given):
            return None
        gains = [_logit(advice, advice.probability, target) - _logit(advice, advice.prior, target) for advice in given]
        # Rounded, so that equal advice gives equal scores whatever the order of its sums.
        value = round(float(np.mean(gains)), 6)
        percentile = float(1 / (1 + np.exp(-value)))
        return Score(value, percentile, 0.0, 1.0, True,
                     f"mean of {len(given)} comparisons of {target} with other datasets; "
                     "the percentile is a rough guess")


@dataclass(frozen=True)
class ScoreComparer:
    """Pair answers by the difference of two scores (Bradley and Terry's model). `confidence` and `prior`: as in
    `Adviser`; without recorded pairs the prior is 0.5."""

    scorer: Scorer
    confidence: float = 0.65
    prior: PairPrior = field(default_factory=PairPrior)

    def advise_many(self, questions: Sequence[Question]) -> list[Advice | None]:
        """One advice a question; None where one of its sides has no score or its dataset is refused (logged)."""
        sides = [(Candidate("", asked.arch_code, recipe or Recipe()), dataset) for asked in questions
                 for dataset, recipe in ((asked.ds_a, asked.recipe_a), (asked.ds_b, asked.recipe_b))]
        scores: list[Score | None] = [None] * len(sides)
        for target in dict.fromkeys(dataset for _, dataset in sides):
            places = [place for place, (_, dataset) in enumerate(sides) if dataset == target]
            try:
                given = self.scorer.score([sides[place][0] for place in places], target)
            except PerfclfError as error:
                _log.warning("no opinion: %s", error)
                continue
            for place, found in zip(places, given, strict=True):
                scores[place] = found
        return [self._advice(asked, *scores[2 * place:2 * place + 2]) for place, asked in enumerate(questions)]

    def _advice(self, asked: Question, score_a: Score | None, score_b: Score | None) -> Advice | None:
        if score_a is None or score_b is None:
            return None
        better, other, probability = verdict(asked, score_a.value - score_b.value)
        return Advice(better, probability, float(self.prior(better, other)), probability >= self.confidence,
                      "difference of two scores")


def as_scorer(adviser: object, references: Sequence[str], anchors: Mapping[str, Recipe] | None,
              epoch: int = 1) -> Scorer:
    """The adviser itself if it scores, else its pair answers as scores. A scoring adviser is never asked about
    references. Raises PerfclfError for an object that does neither."""
    if isinstance(adviser, Scorer):
        return adviser
    if isinstance(adviser, PairAdviser):
        return PairScorer(adviser, tuple(references), anchors, epoch)
    raise PerfclfError(f"{type(adviser).__name__} is no adviser: it has neither advise_many nor score")


def both_orders(adviser: object, questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that `ds_a` is the better one, asked as (a, b) and as (b, a), of any adviser; two arrays of shape (n,),
    NaN: no opinion."""
    if isinstance(adviser, Adviser):
        return adviser.both_orders(questions)
    if not isinstance(adviser, PairAdviser):
        adviser = ScoreComparer(adviser)
    turned = [question.swapped() for question in questions]
    answers = list(adviser.advise_many([*questions, *turned]))
    found = np.array([np.nan if advice is None else _logit(advice, advice.probability, question.ds_a)
                      for advice, question in zip(answers, [*questions, *questions], strict=True)], float)
    return found[:len(questions)], found[len(questions):]


def _logit(advice: Advice, probability: float, dataset: str) -> float:
    """Log-odds that `dataset` wins; `probability` that of `advice.better`."""
    sure = float(np.clip(probability, _SUREST, 1 - _SUREST))
    odds = float(np.log(sure / (1 - sure)))
    return odds if advice.better == dataset else -odds
