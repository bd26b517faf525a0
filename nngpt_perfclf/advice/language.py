"""The language model as an adviser: a base model, its LoRA adapter, and how the adapter was trained to be prompted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nngpt_perfclf.advice.base import Adviser, check_dataset, note_on_recipes, some_networks
from nngpt_perfclf.advice.nearest import COLUMNS, labels_near, load_neighbours, near_labels
from nngpt_perfclf.advice.percentiles import FILE as PERCENTILES
from nngpt_perfclf.advice.percentiles import NOTHING_KNOWN, Percentiles, load_percentiles
from nngpt_perfclf.advice.prior import PairPrior, load_prior
from nngpt_perfclf.advice.run_folders import LANGUAGE, LANGUAGE_NAME, PRETRAINED, cache_of, common, folder_of
from nngpt_perfclf.advice.structures import shown_structures
from nngpt_perfclf.advice.weights import MODES, Weights, load_weights
from nngpt_perfclf.budget import timed
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.models.zoo import ensure_ready
from nngpt_perfclf.prompts import find_template
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.retrieval import Neighbours
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.types import Candidate, Question, Score

if TYPE_CHECKING:
    from nngpt_perfclf.models.language import LanguageModel

KIND = LANGUAGE
SAMPLE = 64  # networks whose tokens are counted to estimate the time of many


@dataclass
class LanguageAdviser(Adviser):
    """Three sources of evidence: the model's log-odds of the two names, the pair prior's, and the difference of the
    labels that the nearest recorded trials of both sides reached."""

    model: LanguageModel | None = None
    builder: PromptBuilder | None = None
    neighbours: Neighbours | None = None
    label: str = "normalized"
    batch_tokens: int = 4096
    sources: ClassVar[tuple[str, ...]] = ("model", "prior", "near")

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        read, near = self.read(questions, [self.label] * len(questions))
        return np.column_stack([read, known_evidence(self.prior, questions, near)])

    def read(self, questions: Sequence[Question], labels: Sequence[str],
             progress: Callable[[int], None] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The model's log-odds (n,) of the first dataset of each question under its label, and the labels near by
        (n, 2). All questions about one code share its computation, whatever their labels. Where each side has a prompt
        of its own, the log-odds are the difference of the two."""
        near = near_labels(self.neighbours, questions, labels)
        prompts = self.builder.ask(questions, labels)
        others = (self.builder.ask([question.swapped() for question in questions], labels)
                  if self.builder.one_side else [])
        distinct = list(dict.fromkeys([*prompts, *others]))
        scores = dict(zip(distinct, self.model.score(distinct, self.batch_tokens, progress=progress), strict=True))
        read = np.array([scores[prompt] for prompt in prompts], float)
        return (read - np.array([scores[prompt] for prompt in others], float) if others else read), near

    def reading_seconds(self, questions: Sequence[Question]) -> float:
        """From the tokens of a sample and the measured rate of reading; answers in the cache take no time."""
        from nngpt_perfclf.models.encoder import prompt_tokens
        from nngpt_perfclf.models.throughput import reading_rate

        both = [asked for question in questions for asked in (question, question.swapped())]
        cached = self.cache.read(both) if self.cache else {}
        new = [question for question in dict.fromkeys(both) if question not in cached]
        if not new:
            return 0.0
        sample = some_networks(new, SAMPLE)

        def ask() -> int:
            near_labels(self.neighbours, sample, [self.label] * len(sample))
            return prompt_tokens(map(self.model.encoder.asked, self.builder.ask(sample, [self.label] * len(sample))))

        tokens, seconds = timed(ask)
        return (seconds + tokens / reading_rate(self.model)) * len(new) / len(sample)

    def check(self, question: Question) -> None:
        """As `Adviser.check`; code that parses but is too tangled to be shown cannot be asked about either."""
        super().check(question)
        self.builder.shown(question)

    def note(self, question: Question) -> str:
        return note_on_recipes(question)


@dataclass
class LanguageScorer(LanguageAdviser):
    """The same where each side of a question has a prompt of its own. It scores candidates, too: by the model's
    log-odds of a high label and by the label of the nearest recorded trials, with the weights of pair advice.

    `profile`: auto and always build the networks that are scored, never shows their code view. `percentiles`: by mode
    and dataset; of a dataset without, the expected percentile is the model's probability of a high rank, and no
    interval is known.
    """

    profile: str = "auto"
    percentiles: Mapping[str, Mapping[str, Percentiles]] = field(default_factory=dict)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order; None where it cannot be asked about (logged). Raises PerfclfError for a
        dataset without properties."""
        check_dataset(target, self.datasets)
        other = next(name for name in self.datasets if name != target)
        return self._without_faulty([side_question(candidate, target, other) for candidate in candidates], self._scores)

    def evidence_of_sides(self, questions: Sequence[Question], labels: Sequence[str]) -> dict[str, np.ndarray]:
        """By label the evidence (n, 3) that the first side of each question does well; equal prompts are read once."""
        builder = replace(self.builder, structures=None if self.profile == "never" else shown_structures)
        near = labels_near(self.neighbours, [(asked.arch_code, asked.ds_a, asked.recipe_a) for asked in questions])
        prompts = {label: builder.ask(questions, [label] * len(questions)) for label in labels}
        distinct = list(dict.fromkeys(prompt for own in prompts.values() for prompt in own))
        found = dict(zip(distinct, self.model.score(distinct, self.batch_tokens), strict=True))
        return {label: np.column_stack([[found[prompt] for prompt in prompts[label]], np.zeros(len(questions)),
                                        np.nan_to_num(near[:, COLUMNS.index(label)], nan=0.5)]) for label in labels}

    def _scores(self, questions: Sequence[Question]) -> list[Score]:
        evidence = self.evidence_of_sides(questions, (self.label, "rank"))
        values = self.weights(evidence[self.label], np.array([question.has_recipes for question in questions], bool))
        return [self._score(question, float(value), float(rank))
                for question, value, rank in zip(questions, values, evidence["rank"][:, 0], strict=True)]

    def _score(self, question: Question, value: float, rank: float) -> Score:
        found = self.percentiles.get(MODES[0] if question.has_recipes else MODES[1], {}).get(question.ds_a)
        why = "the language model's log-odds and the nearest recorded trials"
        if found is None:
            return Score(round(value, 6), float(1 / (1 + np.exp(-rank))), 0.0, 1.0, True,
                         f"{why}; no interval is known")
        expected, low, high = (float(part[0]) for part in found(np.array([value])))
        decided = high - low < NOTHING_KNOWN
        unsure = "" if decided else "; undecided: its interval is no narrower than that of an unknown network"
        return Score(round(value, 6), expected, low, high, decided,
                     f"expected to do better than {expected:.0%} of the recorded trials on {question.ds_a}, by "
                     f"{why}{unsure}")


def side_question(candidate: Candidate, target: str, other: str) -> Question:
    """The candidate on the target as the first side of a question."""
    recipe = None if candidate.recipe.is_empty else candidate.recipe
    return Question(candidate.arch_code, target, other, recipe, recipe)


def known_evidence(prior: PairPrior, questions: Sequence[Question], near: np.ndarray) -> np.ndarray:
    """What is known before the model reads, shape (n, 2): the pair prior's log-odds, and the difference of the labels
    near by, from `near` (n, 2); 0 where no trial is recorded."""
    priors = [prior.log_odds(question.ds_a, question.ds_b) for question in questions]
    return np.column_stack([np.array(priors, float), np.nan_to_num(near[:, 0] - near[:, 1])])


def load(config: Config) -> LanguageAdviser:
    """The adapter of a run folder on its base model, which is fetched where it is missing."""
    from nngpt_perfclf.models.device import machine
    from nngpt_perfclf.models.language import load as load_model

    folder = folder_of(config, LANGUAGE_NAME)
    own = recorded_config(folder)
    model = load_model(ensure_ready(own.model), folder / "adapter", own.model.chat, config.train.precision, merge=True)
    return _adviser(config, own, folder, model, name=Path(config.adviser).name,
                    weights=load_weights(folder, config.label, LanguageAdviser.sources),
                    cache=cache_of(folder, config, f"{model.precision} {machine()}"))


def load_untrained(config: Config) -> LanguageAdviser:
    """The configured base model without an adapter, asked with `config.template`: nothing added, nothing fitted."""
    from nngpt_perfclf.models.language import load as load_model

    model = load_model(ensure_ready(config.model), chat=config.model.chat, precision=config.train.precision)
    alone = (1.0, 0.0, 0.0)
    return _adviser(config, config, None, model, name="zero-shot", weights=Weights(alone, alone))


def _adviser(config: Config, own: Config, folder: Path | None, model: LanguageModel, **more) -> LanguageAdviser:
    """The adviser of these parts; one that scores, too, where its templates ask about one side at a time. `own`: the
    configuration that it was trained with."""
    builder = prompt_builder(own, config)
    settings = {"prior": load_prior(folder or PRETRAINED, config.label), **common(config), **more, "model": model,
                "builder": builder, "neighbours": folder and load_neighbours(folder), "label": config.label,
                "batch_tokens": config.advice.batch_tokens, "computed_with": computed_with(model)}
    if not builder.one_side:
        return LanguageAdviser(**settings)
    percentiles = load_percentiles(folder, config.label, ()) if folder and (folder / PERCENTILES).is_file() else {}
    # An adapter that never saw layers is asked with the code view.
    return LanguageScorer(**settings, percentiles=percentiles,
                          profile=config.advice.profile if own.advice.profile == "always" else "never")


def computed_with(model: LanguageModel) -> str:
    """What a record says of the model's precision and of the machine's instruction set."""
    from nngpt_perfclf.models.device import instruction_set

    return f"{model.precision}, {instruction_set()}"


def recorded_config(folder: Path) -> Config:
    """The configuration that a run folder was made with."""
    return load_config(values=RunFolder(folder).manifest["config"])


def prompt_builder(own: Config, config: Config) -> PromptBuilder:
    """How an adapter that was trained with `own` is prompted."""
    return PromptBuilder(find_template(own.template), find_template(own.code_only_template), own.code_view,
                         own.code_tokens, dataset_properties(config.datasets),
                         shown_structures if own.advice.profile == config.advice.profile == "always" else None)
