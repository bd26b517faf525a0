"""From questions to prompts: the code's view, both recipes, what nearby recorded trials reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.code_view.view import View, code_view
from nngpt_perfclf.prompts.template import Prompt, Template, render
from nngpt_perfclf.types import PerfclfError, Question, Recipe

if TYPE_CHECKING:
    from nngpt_perfclf.datasets import DatasetProperties
    from nngpt_perfclf.retrieval.neighbours import Neighbours

GOALS = {"normalized": "score", "rank": "rank"}
FIELDS = ("goal", "near_a", "near_b")  # that are known here, besides those of every question


@dataclass(frozen=True)
class PromptBuilder:
    """How an adapter is asked, in training and afterwards: `template` for questions with recipes, `code_only` for those
    without, `view` and `tokens` of the code view, the `datasets`' properties, the recorded trials near by."""

    template: Template
    code_only: Template
    view: str
    tokens: int
    datasets: Mapping[str, DatasetProperties]
    neighbours: Neighbours | None = None

    def __post_init__(self) -> None:
        """Raise PerfclfError for a template whose fields only a recorded pair has."""
        for template in (self.template, self.code_only):
            if unknown := set(template.extra) - set(FIELDS):
                raise PerfclfError(f"template {template.name} needs {', '.join(sorted(unknown))}, known of recorded "
                                   "pairs alone: no adviser can be asked with it")

    def near(self, questions: Sequence[Question], labels: Sequence[str],
             not_in: np.ndarray | None = None) -> np.ndarray:
        """What the nearest recorded trials of both sides reached in the label named beside each question, shape (n, 2),
        in 0..1; NaN where there is none. `not_in` (n,): see `Neighbours.lookup`."""
        if self.neighbours is None or not questions:
            return np.full((len(questions), 2), np.nan)
        sides = [(question.arch_code, dataset, recipe or Recipe()) for question in questions
                 for dataset, recipe in ((question.ds_a, question.recipe_a), (question.ds_b, question.recipe_b))]
        found = self.neighbours.lookup(*zip(*sides, strict=True), None if not_in is None else np.repeat(not_in, 2))
        column = np.repeat([list(GOALS).index(label) for label in labels], 2)
        return found[np.arange(len(sides)), column].reshape(-1, 2)

    def ask(self, questions: Sequence[Question], labels: Sequence[str], near: np.ndarray) -> list[Prompt]:
        """One prompt for each question about the label (normalized or rank) named beside it; `near` as `near` gives."""
        return [self._prompt(*one) for one in zip(questions, labels, near, strict=True)]

    def shown(self, question: Question) -> View | None:
        """What the question's prompt shows of the code, None where it shows nothing; raises as `code_view` does."""
        return code_view(question.arch_code, self.view, self.tokens) if self._form(question).reads_code else None

    def _form(self, question: Question) -> Template:
        return self.template if question.has_recipes else self.code_only

    def _prompt(self, question: Question, label: str, near: np.ndarray) -> Prompt:
        template, view = self._form(question), self.shown(question)
        # A dataset without recorded trials gets a question mark, never a number.
        near_a, near_b = ("?" if np.isnan(share) else f"{100 * share:.0f}" for share in near)
        extra = dict(zip(FIELDS, (GOALS[label], near_a, near_b), strict=True))
        return render(template, question, self.datasets, view, extra={name: extra[name] for name in template.extra})
