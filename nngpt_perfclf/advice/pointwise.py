"""The adviser that scores each (network, recipe, dataset) independently, with LightGBM.

A pair question is answered by the difference of its two sides' scores (Bradley and Terry's model): exchanging the sides
changes the sign. A score can be compared from network to network, which the probability of winning a pair cannot: a
network that is good at everything wins no pair more often.

Where a network is about to run anyway it is built in the sandbox and judged by its profile; where it is not, or cannot
be built, by its text. `advice.profile` says which: ``auto`` (scores by profiles, pair advice by text), always or never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.base import Adviser, check_dataset, has_valid_recipe, note_on_recipes
from nngpt_perfclf.advice.features import sides_of
from nngpt_perfclf.advice.history import FILE as HISTORY
from nngpt_perfclf.advice.history import History
from nngpt_perfclf.advice.run_folders import folder_of
from nngpt_perfclf.advice.side_models import KINDS, SideAdviser, load_sides, train_sides
from nngpt_perfclf.advice.structures import profiles_of, structures_of
from nngpt_perfclf.advice.tree_models import data_of
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import AdviserSpec, Candidate, PerfclfError, Question, Score

KIND = "pointwise"
_BY_TEXT = "judged by its text"


@dataclass
class PointwiseAdviser(Adviser):
    """`by_profile` judges networks that were built, `by_text` all others; `profile`: auto, always or never; `history`:
    what recorded networks reached, which moves their scores."""

    by_profile: SideAdviser | None = None
    by_text: SideAdviser | None = None
    profile: str = "auto"
    history: History | None = None

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        built = np.zeros(len(questions), bool)
        if self.profile == "always":
            found = [structure is not None for structure in structures_of(sides_of(questions), self.datasets)]
            built = np.array(found, bool).reshape(-1, 2).all(axis=1)
        evidence = np.empty((len(questions), 1))
        for adviser, chosen in ((self.by_profile, built), (self.by_text, ~built)):
            if chosen.any():
                asked = [questions[place] for place in np.flatnonzero(chosen)]
                evidence[chosen, 0] = adviser.log_odds(asked)
        return evidence

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        """One score a candidate, in order; None for an invalid recipe (logged). Raises PerfclfError for a dataset
        without properties."""
        check_dataset(target, self.datasets)
        scores: list[Score | None] = [None] * len(candidates)
        valid = [place for place, candidate in enumerate(candidates) if has_valid_recipe(candidate)]
        by_text = self._judged_by_text([candidates[place] for place in valid], target)
        for adviser, wanted in ((self.by_profile, False), (self.by_text, True)):
            places = {place: why for place, why in zip(valid, by_text, strict=True) if (why is not None) == wanted}
            if places:
                given = adviser.score([candidates[place] for place in places], target)
                for (place, why), score in zip(places.items(), given, strict=True):
                    scores[place] = replace(score, reason=f"{score.reason}; {why}") if why else score
        return scores if self.history is None else self.history.applied(scores, candidates, target)

    def on_one_scale(self) -> PointwiseAdviser:
        """As `SideAdviser.on_one_scale`, for both kinds."""
        kinds = {"by_profile": self.by_profile, "by_text": self.by_text}
        return replace(self, **{name: kind and kind.on_one_scale() for name, kind in kinds.items()})

    def note(self, question: Question) -> str:
        return note_on_recipes(question)

    def _judged_by_text(self, candidates: Sequence[Candidate], target: str) -> list[str | None]:
        """Of each candidate, that it is judged by its text and why; None where it was built."""
        if self.profile == "never":
            return [_BY_TEXT] * len(candidates)
        sides = [(candidate.arch_code, target, candidate.recipe) for candidate in candidates]
        return [None if found.structure is not None else f"{_BY_TEXT}, not built: {found.why_not_built}"
                for found in profiles_of(sides, self.datasets)]


def load(config: Config) -> PointwiseAdviser:
    """The trees of `config.label`; raises PerfclfError where a file is missing or damaged."""
    folder = folder_of(config, KIND)
    if (folder / "text").is_dir() and config.advice.profile != "never" and not (folder / "profile").is_dir():
        raise PerfclfError(f"{folder} was trained with advice.profile=never: ask it with advice.profile=never")
    found = {kind: load_sides(kind, config, folder / kind) for kind in _kinds(config)}
    by_profile, by_text = found.get("profile"), found["text"]
    history = History.load(folder) if (folder / HISTORY).is_file() else None
    return PointwiseAdviser(folder.name, by_text.prior, by_text.datasets, config.advice.confidence,
                            by_profile=by_profile, by_text=by_text, profile=config.advice.profile, history=history)


def train(config: Config, out: Path) -> dict:
    """Fit both kinds of trees, or with ``advice.profile=never`` those of the text alone; leave a run folder that `load`
    opens, a sub-folder for each kind, what outcomes are compared with (the recorded accuracies and the scales of
    likeness), and the history of the networks that were learned from."""
    from nngpt_perfclf.advice.knowledge import leave_knowledge

    results = {kind: train_sides(kind, config, out / kind) for kind in _kinds(config)}
    figures = {f"{kind}_{name}": value for kind, result in results.items() for name, value in result.items()
            if name != "run"}
    data, _ = data_of(TaskData.load(config))
    leave_knowledge(data, out)
    by_text = load_sides("text", replace(config, label=config.train.labels[0]), out / "text")
    History.of(by_text, data.part("train"), data).save(out)
    RunFolder(out).note(manifest(KIND, to_dict(config), data.fingerprint, status="done", result=figures))
    return {"run": str(out), **figures}


def _kinds(config: Config) -> tuple[str, ...]:
    return ("text",) if config.advice.profile == "never" else tuple(KINDS)


SPECS = (AdviserSpec(KIND, load, train),)
