"""What every built-in adviser does: check, ask in both orders, weigh the evidence, say how sure and why."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.advice.run_folders import AnswerCache
from nngpt_perfclf.advice.weights import Weights
from nngpt_perfclf.code_view.parsing import parses
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.sandbox.words import printable
from nngpt_perfclf.types import Advice, Candidate, PerfclfError, Question

LAST_EPOCH = 1_000_000
DECIMALS = 6  # of a probability, so that the last bits of a sum are never shown
S, T = TypeVar("S"), TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass
class Adviser:
    """Subclasses implement `evidence`; everything that a host may rely on is here.

    `prior`: how often each dataset wins its pairs when nothing is read, and which datasets were learned from.
    `datasets`: properties of the datasets that may be asked about. `confidence`: the probability from which an advice
    is decided. `weights`: of the sources. `cache`: where evidence is kept on disk, or None. `computed_with`: precision
    and instruction set, where a model computes.
    """

    name: str
    prior: PairPrior
    datasets: Mapping[str, DatasetProperties]
    confidence: float = 0.65
    weights: Weights | None = None
    cache: AnswerCache | None = None
    computed_with: str = ""
    sources: ClassVar[tuple[str, ...]] = ("model",)

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        """Log-odds by source that `ds_a` is the better one, asked in this order; shape (n, k), a NaN: no opinion."""
        raise NotImplementedError

    def reading_seconds(self, questions: Sequence[Question]) -> float | None:
        """Seconds that a language model will need for the questions in both orders on this machine; None: none reads.
        """
        return None

    def note(self, question: Question) -> str:
        """What the reason should add about this question; empty: nothing."""
        return ""

    def advise(self, arch_code: str, ds_a: str, ds_b: str) -> Advice | None:
        """On which of the two datasets the network does better; None: no opinion. Raises as `check` does."""
        question = Question(arch_code, ds_a, ds_b)
        self.check(question)
        return self.advise_many([question])[0]

    def advise_many(self, questions: Sequence[Question]) -> list[Advice | None]:
        """One advice a question, in order; None where there is no opinion or nothing that could be asked (logged)."""
        return self._without_faulty(questions, lambda asked: map(self._advice, asked, self.log_odds(asked).tolist()))

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        """Calibrated log-odds that `ds_a` is the better one, both orders averaged; shape (n,), NaN: no opinion.

        Exchanging a question's two sides changes the sign and nothing else, to the last bit.
        """
        ab, ba = self.both_orders(questions)
        return (ab + ba) / 2

    def both_orders(self, questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated log-odds that `ds_a` is the better one, asked as (a, b) and as (b, a); two arrays (n,)."""
        ab, ba = self.evidence_in_both_orders(questions)
        weights = self.weights or Weights.ones(self.sources)
        has_recipes = np.array([question.has_recipes for question in questions], bool)
        return weights(ab, has_recipes), weights(ba, has_recipes)

    def evidence_in_both_orders(self, questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray]:
        """The evidence about `ds_a`, asked as (a, b) and as (b, a); two arrays of shape (n, k).

        Equal questions are answered once, and all new ones in one call of `evidence`.
        """
        distinct = list(dict.fromkeys(asked for question in questions for asked in (question, question.swapped())))
        found = dict(zip(distinct, self._cached(distinct), strict=True)) if distinct else {}
        shape = (len(questions), len(self.sources))
        ab = np.array([found[question] for question in questions], float).reshape(shape)
        ba = np.array([-found[question.swapped()] for question in questions], float).reshape(shape)
        return ab, ba

    def check(self, question: Question) -> None:
        """Raise PerfclfError for a question that cannot be asked; by default as `check_question` does."""
        check_question(question, self.datasets)

    def _without_faulty(self, questions: Sequence[Question], answer: Callable[[list[Question]], Iterable[T]]) -> list:
        """What `answer` gives for the questions that can be asked, in their places; None for the others (logged), which
        must not cost these their answers."""
        faults = [self._fault(question) for question in questions]
        for fault in filter(None, dict.fromkeys(faults)):
            _log.warning("no opinion: %s", fault)
        return answered(questions, [not fault for fault in faults], answer)

    def _fault(self, question: Question) -> str:
        """Why the question cannot be asked; empty where it can."""
        try:
            self.check(question)
        except PerfclfError as error:
            return str(error)
        return ""

    def _cached(self, questions: list[Question]) -> np.ndarray:
        if self.cache is None:
            return np.asarray(self.evidence(questions), float)
        evidence = self.cache.read(questions)
        new = [question for question in questions if question not in evidence]
        if new:
            fresh = dict(zip(new, np.asarray(self.evidence(new), float).tolist(), strict=True))
            self.cache.write(fresh)
            evidence |= fresh
        return np.array([evidence[question] for question in questions], float)

    def _advice(self, question: Question, log_odds: float) -> Advice | None:
        if np.isnan(log_odds):
            return None
        better, other, probability = verdict(question, log_odds)
        decided = probability >= self.confidence
        unrecorded = [dataset for dataset in sorted((better, other)) if dataset not in self.prior.datasets]
        reasons = [self._about_pair(better, other),
                   *(f"{dataset} has no recorded trials; only its properties are known" for dataset in unrecorded),
                   self.note(question),
                   "" if parses(question.arch_code) else "the code does not parse and was read as plain text",
                   "" if decided else f"undecided below a probability of {self.confidence:g}"]
        return Advice(better, probability, float(self.prior(better, other)), decided, "; ".join(filter(None, reasons)))

    def _about_pair(self, better: str, other: str) -> str:
        count = self.prior.count(better, other)
        if not count:
            return f"no recorded pair of {better} and {other}"
        share = self.prior(better, other)
        return f"{better} wins {'only ' if share < 0.5 else ''}{share:.0%} of {count:,} recorded pairs with {other}"


def answered(asked: Sequence[S], usable: Iterable[bool], answer: Callable[[list[S]], Iterable[T]]) -> list[T | None]:
    """What `answer` gives for those of `asked` that are `usable` (n,), together, in their places; None for the others.
    `answer` is not called where there is none."""
    usable = list(usable)
    chosen = [entry for entry, use in zip(asked, usable, strict=True) if use]
    answers = iter(answer(chosen) if chosen else ())
    return [next(answers) if use else None for use in usable]


def verdict(question: Question, log_odds: float) -> tuple[str, str, float]:
    """The better dataset, the other one and the rounded probability of the better one, from the log-odds of `ds_a`.
    With log-odds of 0 the better one is the first in the alphabet, so that both orders agree."""
    first, second = sorted((question.ds_a, question.ds_b))
    better = (question.ds_a if log_odds > 0 else question.ds_b) if log_odds else first
    return better, second if better == first else first, round(float(1 / (1 + np.exp(-abs(log_odds)))), DECIMALS)


def check_question(question: Question, datasets: Mapping[str, DatasetProperties]) -> None:
    """Raise PerfclfError for no code, code too large or too deep to be read, the same dataset twice, a dataset without
    properties, an invalid recipe or epoch."""
    for dataset in (question.ds_a, question.ds_b):
        check_dataset(dataset, datasets)
    if question.ds_a == question.ds_b:
        raise PerfclfError(f"{question.ds_a} is asked against itself: name two datasets")
    for recipe in (question.recipe_a, question.recipe_b):
        recipe_words(recipe)
    if type(question.epoch) is not int or not 1 <= question.epoch <= LAST_EPOCH:
        raise PerfclfError(f"epoch must be a whole number from 1 to {LAST_EPOCH:,}, not {question.epoch!r}")
    parses(question.arch_code)


def check_dataset(dataset: str, datasets: Mapping[str, DatasetProperties]) -> None:
    """Raise PerfclfError for a dataset without properties."""
    if dataset not in datasets:
        shown = printable(str(dataset), 100)
        raise PerfclfError(f"unknown dataset {shown!r}{did_you_mean(dataset, datasets) or ';'} known: "
                           f"{', '.join(sorted(datasets))}; describe another one in a file, datasets=FILE")


def has_valid_recipe(candidate: Candidate) -> bool:
    """Whether the candidate's recipe can be asked about; if not, why is logged."""
    try:
        recipe_words(candidate.recipe)
    except PerfclfError as error:
        _log.warning("no opinion: %s", error)
        return False
    return True


def some_networks(questions: Sequence[Question], count: int) -> list[Question]:
    """All questions about `count` of the networks, evenly spaced: most work is done once for each network."""
    by_code: dict[str, list[Question]] = {}
    for question in questions:
        by_code.setdefault(question.arch_code, []).append(question)
    groups = list(by_code.values())
    places = np.unique(np.linspace(0, len(groups) - 1, min(count, len(groups))).astype(int))
    return [question for place in places for question in groups[place]]


def note_on_recipes(question: Question) -> str:
    """What an adviser that reads recipes adds to the reason of a question without them."""
    return "" if question.has_recipes else "asked without recipes, which matter more than the code"
