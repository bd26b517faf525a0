"""The language model as an adviser: a base model, its adapter, and what the adapter was taught to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.base import Adviser, note_on_recipes
from nngpt_perfclf.advice.offset import Offset, bare, load_offset, prior_log_odds
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.record import read_json
from nngpt_perfclf.retrieval.neighbours import Neighbours
from nngpt_perfclf.types import Question

if TYPE_CHECKING:
    from nngpt_perfclf.models.language import LanguageModel


@dataclass
class LanguageAdviser(Adviser):
    """Scores the two names and adds what the `offset` (of questions without recipes: `bare`) knows before reading."""

    model: LanguageModel | None = None
    builder: PromptBuilder | None = None
    label: str = "normalized"
    offset: Offset = field(default_factory=Offset)
    bare: Offset = field(default_factory=Offset)
    batch_tokens: int = 4096

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        parts = self.parts(questions)
        told = np.array([question.tells_recipes for question in questions], bool)
        return np.where(told, self.offset.weigh(*parts), self.bare.weigh(*parts))

    def parts(self, questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the offset weighs: the model's log-odds (n,), the pair prior's (n,), the labels near by (n, 2)."""
        labels = [self.label] * len(questions)
        near = self.builder.near(questions, labels)
        prompts = self.builder.ask(questions, labels, near)
        distinct = list(dict.fromkeys(prompts))
        # The same words get the same answer to the last bit, wherever in a batch they stand.
        told = dict(zip(distinct, self.model.score(distinct, self.batch_tokens), strict=True))
        scores = np.array([told[prompt] for prompt in prompts], float)
        return scores, prior_log_odds(self.prior, [(one.ds_a, one.ds_b) for one in questions]), near

    def check(self, question: Question) -> None:
        """As `Adviser.check`; code that parses but is too tangled to be shown cannot be asked about either."""
        super().check(question)
        self.builder.shown(question)

    def note(self, question: Question) -> str:
        return note_on_recipes(question)

    @classmethod
    def untrained(cls, config: Config) -> LanguageAdviser:
        """The base model without an adapter, asked in `config.template`: zero-shot, nothing added, nothing fitted."""
        from nngpt_perfclf.advice.loading import SHIPPED, ZERO_SHOT, common
        from nngpt_perfclf.models import ensure_ready
        from nngpt_perfclf.models.language import load

        model = load(ensure_ready(config.model), chat=config.model.chat, precision=config.train.precision)
        return cls(name=ZERO_SHOT, **common(SHIPPED, config), model=model, builder=prompt_builder_of(SHIPPED, config, config),
                   label=config.label, batch_tokens=config.advice.batch_tokens)

    @classmethod
    def load(cls, folder: Path, config: Config) -> LanguageAdviser:
        """The adapter of a run folder on its base model, which is fetched where it is missing."""
        from nngpt_perfclf.advice.loading import calibration_of, common, memory_of
        from nngpt_perfclf.models import ensure_ready
        from nngpt_perfclf.models.language import load

        own = recorded_config(folder)
        model = load(ensure_ready(own.model), folder / "adapter", own.model.chat, own.train.precision)
        return cls(name=folder.name, **common(folder, config), calibration=calibration_of(folder, config),
                   memory=memory_of(folder, config), model=model, builder=prompt_builder_of(folder, own, config),
                   label=config.label, offset=load_offset(folder / "offset.json", config.label),
                   bare=load_offset(folder / "offset.json", bare(config.label)),
                   batch_tokens=config.advice.batch_tokens)


def recorded_config(folder: Path) -> Config:
    """The configuration that a run folder was made with."""
    return load_config(values=read_json(folder / "run.json")["config"])


def prompt_builder_of(folder: Path, own: Config, config: Config) -> PromptBuilder:
    """How the adapter of a run folder was taught to be asked."""
    known = templates()
    near = folder / "neighbours.npz"
    return PromptBuilder(known[own.template], known[own.code_only_template], own.code_view, own.code_tokens,
                 dataset_properties(config.datasets), Neighbours.load(near) if near.is_file() else None)
