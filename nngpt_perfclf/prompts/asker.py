"""From questions to prompts: the code's view, both recipes, what nearby recorded trials reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.prompts.code_view import code_view
from nngpt_perfclf.prompts.template import Prompt, Template, render
from nngpt_perfclf.types import Question, Recipe

if TYPE_CHECKING:
    from nngpt_perfclf.prompts import DatasetProperties
    from nngpt_perfclf.prompts.neighbours import Neighbours

GOALS = {"normalized": "score", "rank": "rank"}


@dataclass(frozen=True)
class Asker:
    """How an adapter is asked, in training and afterwards: `template` for questions with recipes, `bare` for those
    without, `view` and `tokens` of the code view, the `datasets`' properties, the recorded trials near by."""

    template: Template
    bare: Template
    view: str
    tokens: int
    datasets: Mapping[str, DatasetProperties]
    neighbours: Neighbours | None = None

    def ask(self, questions: Sequence[Question], labels: Sequence[str],
            not_in: np.ndarray | None = None) -> list[Prompt]:
        """One prompt for each question about the label (normalized or rank) named beside it.

        `not_in` (n,): near-duplicate groups whose recorded trials must not be shown (see `Neighbours.lookup`).
        """
        near = self._near(questions, labels, not_in)
        return [self._prompt(question, label, values)
                for question, label, values in zip(questions, labels, near, strict=True)]

    def _prompt(self, question: Question, label: str, near: tuple[str, str]) -> Prompt:
        known = question.recipe_a is not None and question.recipe_b is not None
        template = self.template if known else self.bare
        view = code_view(question.arch_code, self.view, self.tokens) if template.reads_code else None
        extra = {"goal": GOALS[label], "near_a": near[0], "near_b": near[1]}
        return render(template, question, self.datasets, view,
                      extra={name: extra[name] for name in template.extra})

    def _near(self, questions: Sequence[Question], labels: Sequence[str],
              not_in: np.ndarray | None) -> list[tuple[str, str]]:
        if self.neighbours is None or not {"near_a", "near_b"} & set(self.template.fields):
            return [("", "")] * len(questions)
        sides = [(question.arch_code, dataset, recipe or Recipe()) for question in questions
                 for dataset, recipe in ((question.ds_a, question.recipe_a), (question.ds_b, question.recipe_b))]
        codes, datasets, recipes = zip(*sides, strict=True) if sides else ((), (), ())
        groups = None if not_in is None else np.repeat(not_in, 2)
        column = np.repeat([list(GOALS).index(label) for label in labels], 2)
        found = self.neighbours.lookup(codes, datasets, recipes, groups)[np.arange(len(sides)), column]
        # A dataset without recorded trials gets a question mark, never a number.
        words = ["?" if np.isnan(share) else f"{100 * share:.0f}" for share in found]
        return list(zip(words[::2], words[1::2], strict=True))
