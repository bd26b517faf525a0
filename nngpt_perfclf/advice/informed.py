"""Advice that takes outcomes into account: a scorer, a model of the target dataset, and what trained candidates did.

Without outcomes the scores are the scorer's own. With outcomes, the residuals of the trained candidates correct the
others' scores. Pair questions are answered by how probable it is that one side's label is the larger one, which also
works for datasets without recorded trials: there the dataset model starts from the recorded datasets and the number of
classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.base import answered, verdict
from nngpt_perfclf.advice.dataset_model import MIDDLES, Curves, DatasetModel, chance_of_more, percentiles_of
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.advice.residuals import Similarity, corrections
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.types import Advice, Candidate, Interval, Observation, Question, Recipe, Score

_NORMAL = NormalDist()
_EDGE = 0.01  # how near to 0 and 1 a percentile may come, so that its normal quantile is finite
# How much a score's value grows for one unit of rank, in the training trials of `pointwise`, and how many trials this
# assumption weighs as much as.
_PRIOR_SCALE, _PRIOR_TRIALS = 3.5, 5.0

# Factor of the log-odds of a pair, on validation with each dataset left out: a pair's sides are one network, and their
# ranks differ less than those of two networks.
_STRETCH = {"normalized": 1.0, "rank": 1.65}

# The numbers that make candidates alike: of their recipes (n, r) and of their networks (n, c).
Numbers = Callable[[Sequence[Candidate], str], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class _Known:
    """What the outcomes of one dataset taught."""

    model: DatasetModel
    points: tuple[np.ndarray, np.ndarray]
    residuals: np.ndarray
    scale: float  # of a score's value, for one standard normal unit of rank


@dataclass(frozen=True)
class InformedAdviser:
    """`scorer` with the `observations` of each dataset. `numbers` and `similarity`: of candidates that are alike;
    `label`, `confidence`, `prior`: of pair advice."""

    scorer: Scorer
    curves: Curves
    datasets: Mapping[str, DatasetProperties]
    similarity: Similarity
    numbers: Numbers
    observations: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    label: str = "normalized"
    confidence: float = 0.65
    prior: PairPrior = field(default_factory=PairPrior)
    _learned: dict[str, _Known] = field(default_factory=dict, compare=False, repr=False)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """The scorer's scores, corrected by the outcomes on the target, with the expected accuracy."""
        def forecast(scores: list[Score]) -> list[Score]:
            found = self._known(target).model.accuracy(percentiles_of(scores))
            return [replace(score, accuracy=Interval(*map(float, accuracy)))
                    for score, *accuracy in zip(scores, *found, strict=True)]

        scores = self.corrected(candidates, target)
        return answered(scores, (score is not None for score in scores), forecast)

    def corrected(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """As `score`, without the expected accuracy, which takes most of the time."""
        scores = self.scorer.score(candidates, target)
        return answered(list(zip(scores, candidates, strict=True)), (score is not None for score in scores),
                        lambda scored: self._corrected(*zip(*scored, strict=True), target, self._known(target)))

    def expected(self, candidates: Sequence[Candidate], target: str) -> np.ndarray:
        """How probable each value of the label is: (n, BINS) percentiles for the rank label, (n, GRID) shares of the
        best accuracy for the normalized one; NaN for candidates without a score."""
        scores = self.corrected(candidates, target)
        scored = [score for score in scores if score is not None]
        found = percentiles_of(scored)
        found = found if self.label == "rank" else self._known(target).model.normalized(found)
        rows = np.full((len(scores), found.shape[1]), np.nan)
        rows[[score is not None for score in scores]] = found
        return rows

    def compare(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The probability (n,) that one network's label is the larger one on the first side, from how probable its
        values are on both, as `expected` gives them."""
        chances = np.clip(chance_of_more(first, second), 1e-6, 1 - 1e-6)
        odds = (chances / (1 - chances)) ** _STRETCH[self.label]
        return np.clip(odds / (1 + odds), 1e-6, 1 - 1e-6)

    def advise_many(self, questions: Sequence[Question]) -> list[Advice | None]:
        """One advice a question; None where one of its sides has no score."""
        sides = [(Candidate("", asked.arch_code, recipe or Recipe()), dataset) for asked in questions
                 for dataset, recipe in ((asked.ds_a, asked.recipe_a), (asked.ds_b, asked.recipe_b))]
        labels: dict[int, np.ndarray] = {}
        for target in dict.fromkeys(dataset for _, dataset in sides):
            own = [place for place, (_, dataset) in enumerate(sides) if dataset == target]
            labels |= zip(own, self.expected([sides[place][0] for place in own], target), strict=True)
        return [self._advice(asked, labels[2 * place], labels[2 * place + 1]) for place, asked in enumerate(questions)]

    def _advice(self, asked: Question, label_a: np.ndarray, label_b: np.ndarray) -> Advice | None:
        chance = float(self.compare(label_a[None], label_b[None])[0])
        if np.isnan(chance):
            return None
        better, other, probability = verdict(asked, float(np.log(chance / (1 - chance))))
        seen = sum(len(self.observations.get(dataset, ())) for dataset in (asked.ds_a, asked.ds_b))
        unknown = [dataset for dataset in (asked.ds_a, asked.ds_b) if dataset not in self.curves.accuracies]
        reasons = [f"{dataset} has no recorded trials; its accuracies are inferred from other datasets"
                   for dataset in unknown] + ([f"{seen} outcomes were taken into account"] if seen else [])
        return Advice(better, probability, float(self.prior(better, other)), probability >= self.confidence,
                      "; ".join(reasons) or "compared by the expected labels of both sides")

    def _corrected(self, scores: Sequence[Score], candidates: Sequence[Candidate], target: str,
                   learned: _Known) -> Sequence[Score]:
        if not len(learned.residuals):
            return scores
        # A percentile is relative to the dataset's trials: that all outcomes were better than expected moves none.
        common = learned.residuals.mean() if self.label == "rank" else 0.0
        shifts, left = corrections(self.similarity.place(*self.numbers(candidates, target)), learned.points,
                                   learned.residuals - common)
        return shifted(scores, shifts, left, learned.scale, [f"{len(learned.residuals)} outcomes"] * len(scores))

    def _known(self, dataset: str) -> _Known:
        if dataset not in self._learned:
            self._learned[dataset] = self._learn(dataset)
        return self._learned[dataset]

    def _learn(self, dataset: str) -> _Known:
        seen = list(self.observations.get(dataset, ()))
        scores = self.scorer.score([entry.candidate for entry in seen], dataset) if seen else []
        usable = [(entry, score) for entry, score in zip(seen, scores, strict=True) if score is not None]
        for entry, score in zip(seen, scores, strict=True):
            if score is None:
                say(f"outcome of {entry.candidate.name}: the adviser has no opinion on this candidate")
        expected = percentiles_of([score for _, score in usable])
        accuracies = np.array([entry.accuracy for entry, _ in usable])
        model = DatasetModel.of(self.curves, dataset, self.datasets).updated(expected, accuracies)
        if not usable:
            return _Known(model, (np.zeros((0, 1)), np.zeros((0, 1))), np.zeros(0), _PRIOR_SCALE)
        ranks = normal_quantiles(expected @ MIDDLES)
        reached = model.percentiles_of(np.full_like(expected, 1 / expected.shape[1]), accuracies)
        residuals = normal_quantiles(reached) - ranks
        points = self.similarity.place(*self.numbers([entry.candidate for entry, _ in usable], dataset))
        return _Known(model, points, residuals, _scale(np.array([score.value for _, score in usable]), ranks))


def shifted(scores: Sequence[Score], shifts: np.ndarray, left: np.ndarray, scale: float,
            why: Sequence[str]) -> list[Score]:
    """The scores moved by `shifts` (n,) standard normal units of rank, their intervals narrowed to the shares `left`
    (n,) of the variance. `scale`: of a score's value, for one such unit; `why` (n,): what moves each."""
    ends = normal_quantiles(np.array([(score.low, score.percentile, score.high) for score in scores]))
    middle = ends[:, 1:2]
    moved = middle + shifts[:, None] + np.sqrt(left)[:, None] * (ends - middle)
    moved = np.array([_NORMAL.cdf(end) for end in moved.ravel().tolist()]).reshape(moved.shape)
    return [replace(score, value=score.value + scale * shift, percentile=percentile, low=low, high=high,
                    reason=f"{score.reason}; {cause} move its percentile by {percentile - score.percentile:+.2f}")
            for score, shift, cause, (low, percentile, high) in zip(scores, shifts.tolist(), why, moved.tolist(),
                                                                     strict=True)]


def _scale(values: np.ndarray, ranks: np.ndarray) -> float:
    """How much a score's value grows for one unit of rank: a regression, shrunk towards what is usual."""
    centred = ranks - ranks.mean()
    explained = centred @ (values - values.mean()) + _PRIOR_SCALE * _PRIOR_TRIALS
    return float(explained / (centred @ centred + _PRIOR_TRIALS))


def normal_quantiles(percentiles: np.ndarray) -> np.ndarray:
    """Percentiles in 0..1, of any shape, in standard normal units; the ends are cut."""
    cut = np.clip(percentiles, _EDGE, 1 - _EDGE)
    return np.array([_NORMAL.inv_cdf(share) for share in cut.ravel().tolist()]).reshape(cut.shape)
