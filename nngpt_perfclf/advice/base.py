"""What every adviser does: check a question, ask it in both orders, calibrate, say how sure and why."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.calibration import Calibration
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.code_view.parsing import parses
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import Advice, PerfclfError, Question

if TYPE_CHECKING:
    from nngpt_perfclf.advice.answer_cache import Memory
    from nngpt_perfclf.datasets import DatasetProperties

LAST_EPOCH = 1_000_000
_log = logging.getLogger(__name__)


@dataclass
class Adviser:
    """Subclasses implement `log_odds`; everything that a host may rely on stands here.

    `prior`: how often each dataset wins its pairs with the code unread, and which datasets were learned from.
    `known`: properties of the datasets that may be asked about. `confidence`: the probability from which an advice is
    decided. `memory`: where answers are kept on disk, or None.
    """

    name: str
    prior: PairPrior
    known: Mapping[str, DatasetProperties]
    confidence: float = 0.65
    calibration: Calibration = field(default_factory=Calibration)
    memory: Memory | None = None

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        """Raw log-odds that `ds_a` is the better one, asked in this order; shape (n,), NaN: no opinion."""
        raise NotImplementedError

    def strengths(self, questions: Sequence[Question]) -> Sequence[tuple[float, float] | None]:
        """Of each question's sides a and b, where the adviser judges a side by itself, in calibrated log-odds."""
        return [None] * len(questions)

    def note(self, question: Question) -> str:
        """What the reason should add about this question, such as a recipe that was assumed; empty: nothing."""
        return ""

    def advise(self, arch_code: str, ds_a: str, ds_b: str) -> Advice | None:
        """On which of the two datasets the network does better; None: no opinion. Raises as `check` does."""
        question = Question(arch_code, ds_a, ds_b)
        self.check(question)
        return self.advise_many([question])[0]

    def advise_many(self, questions: Sequence[Question]) -> list[Advice | None]:
        """One advice a question, in order; None where there is no opinion or nothing that could be asked (logged)."""
        faults = [self._fault(question) for question in questions]
        for fault in filter(None, dict.fromkeys(faults)):
            _log.warning("no opinion: %s", fault)
        asked = [question for question, fault in zip(questions, faults, strict=True) if not fault]
        told = zip(self.averaged(asked).tolist(), self.strengths(asked), strict=True)
        return [None if fault else self._advice(question, *next(told))
                for question, fault in zip(questions, faults, strict=True)]

    def averaged(self, questions: Sequence[Question]) -> np.ndarray:
        """Calibrated log-odds that `ds_a` is the better one, both orders averaged; shape (n,), NaN: no opinion.

        Exchanging a question's two sides changes the sign and nothing else, to the last bit.
        """
        ab, ba = self.both_orders(questions)
        return (ab + ba) / 2

    def both_orders(self, questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated log-odds that `ds_a` is the better one, asked as (a, b) and as (b, a); two arrays of shape (n,).

        Equal questions are answered once, and all new ones in one call of `log_odds`.
        """
        distinct = list(dict.fromkeys(one for question in questions for one in (question, question.swapped())))
        raw = self._remembered(distinct) if distinct else np.zeros(0)
        calibrated = dict(zip(distinct, self.calibration(raw), strict=True))
        ab = np.array([calibrated[question] for question in questions], float)
        ba = np.array([-calibrated[question.swapped()] for question in questions], float)
        return ab, ba

    def check(self, question: Question) -> None:
        """Raise PerfclfError for a question that cannot be asked: no code, code too large or too deep to be read, the
        same dataset twice, a dataset without properties, a recipe or epoch that is none."""
        for dataset in (question.ds_a, question.ds_b):
            if dataset not in self.known:
                near = difflib.get_close_matches(str(dataset), self.known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ";"
                raise PerfclfError(f"unknown dataset {str(dataset)!r}{hint} known: {', '.join(sorted(self.known))}; "
                                   "for another one give its properties in a file, datasets=FILE")
        if question.ds_a == question.ds_b:
            raise PerfclfError(f"{question.ds_a} is asked against itself: name two datasets")
        for recipe in (question.recipe_a, question.recipe_b):
            recipe_words(recipe)
        if type(question.epoch) is not int or not 1 <= question.epoch <= LAST_EPOCH:
            raise PerfclfError(f"epoch must be a whole number from 1 to {LAST_EPOCH:,}, not {question.epoch!r}")
        parses(question.arch_code)

    def _fault(self, question: Question) -> str:
        """Why the question cannot be asked, if so: that must not cost the others their answers."""
        try:
            self.check(question)
        except PerfclfError as error:
            return str(error)
        return ""

    def _remembered(self, questions: list[Question]) -> np.ndarray:
        if self.memory is None:
            return np.asarray(self.log_odds(questions), float)
        known = self.memory.read(questions)
        new = [question for question in questions if question not in known]
        if new:
            fresh = dict(zip(new, np.asarray(self.log_odds(new), float).tolist(), strict=True))
            self.memory.write(fresh)
            known |= fresh
        return np.array([known[question] for question in questions], float)

    def _advice(self, question: Question, odds: float, strengths: tuple[float, float] | None) -> Advice | None:
        if np.isnan(odds):
            return None
        first, second = sorted((question.ds_a, question.ds_b))
        better = (question.ds_a if odds > 0 else question.ds_b) if odds else first
        other = question.ds_b if better == question.ds_a else question.ds_a
        probability = float(1 / (1 + np.exp(-abs(odds))))
        decided = probability >= self.confidence
        reasons = [self._about_pair(better, other), *self._about_datasets(first, second), self.note(question),
                   "" if parses(question.arch_code) else "the code does not parse and was read as plain text",
                   "" if decided else f"undecided below a probability of {self.confidence:g}"]
        return Advice(better, probability, float(self.prior(better, other)), decided, "; ".join(filter(None, reasons)),
                      strengths[::-1] if strengths and better == question.ds_b else strengths)

    def _about_pair(self, better: str, other: str) -> str:
        count = self.prior.count(better, other)
        if not count:
            return f"no recorded pair of {better} and {other} to go by"
        return f"with the code unread, {better} wins {self.prior(better, other):.0%} of {count:,} pairs with {other}"

    def _about_datasets(self, *datasets: str) -> list[str]:
        return [f"{dataset} was not learned from and is judged by its properties"
                for dataset in datasets if dataset not in self.prior.datasets]


def note_on_recipes(question: Question) -> str:
    """What an adviser that reads recipes adds to the reason where it was told none."""
    return "" if question.tells_recipes else "asked without recipes, which decide more than the code does"
