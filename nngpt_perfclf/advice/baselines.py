"""Advisers that read neither code nor recipe: what an adviser worth its seconds must be better than."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.types import Question


class PriorAdviser(Adviser):
    """Always the dataset that usually wins the pair."""

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        return np.array([self.prior.log_odds(question.ds_a, question.ds_b) for question in questions], float)

    def note(self, question: Question) -> str:
        return "neither code nor recipe was read"


class NullAdviser(Adviser):
    """Never has an opinion, so a loop that asks it is a loop that does not ask."""

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        return np.full(len(questions), np.nan)


class AlwaysFirst(Adviser):
    """Names the dataset that is mentioned first, however it is asked: averaging both orders leaves it at 0.5."""

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        return np.ones(len(questions))

    def note(self, question: Question) -> str:
        return "it names the first dataset in either order"
