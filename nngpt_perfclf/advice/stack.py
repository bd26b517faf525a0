"""Several advisers as one: their log-odds are sources of evidence, weighed by a logistic regression fitted on
validation pairs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.adapters import both_orders
from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.registry import load_advisor, place_of, specs, trained_once
from nngpt_perfclf.advice.run_folders import check_held_out, common, folder_of, leave_manifest
from nngpt_perfclf.advice.tree_models import data_of
from nngpt_perfclf.advice.weights import accuracy, fit_on_validation, load_weights, save_weights, sources_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import AdviserSpec, PerfclfError, Question

KIND = "stack"


@dataclass
class StackAdviser(Adviser):
    """`parts`: the advisers whose log-odds are weighed, one source each."""

    parts: Sequence[object] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(getattr(part, "name", str(place)) for place, part in enumerate(self.parts))

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        """A part without an opinion adds nothing; where no part has one, there is none."""
        found = np.column_stack([(ab + ba) / 2 for ab, ba in (both_orders(part, questions) for part in self.parts)])
        return np.where(np.isnan(found).all(axis=1, keepdims=True), np.nan, np.nan_to_num(found))

    def check(self, question: Question) -> None:
        """Raise PerfclfError where any of the parts could not be asked."""
        super().check(question)
        for part in self.parts:
            if isinstance(part, Adviser):
                part.check(question)

    def note(self, question: Question) -> str:
        notes = (part.note(question) for part in self.parts if isinstance(part, Adviser))
        return "; ".join(dict.fromkeys(filter(None, notes)))


def load(config: Config) -> StackAdviser:
    """The stack of a run folder with all its parts; raises PerfclfError where one is missing."""
    folder = folder_of(config, KIND)
    names = sources_of(folder, config.label)
    parts = [load_advisor(place_of(name, folder), config) for name in names]
    computed = dict.fromkeys(part.computed_with for part in parts if isinstance(part, Adviser))
    return StackAdviser(name=folder.name, prior=load_prior(folder, config.label), **common(config),
                        weights=load_weights(folder, config.label, names),
                        parts=parts, computed_with="; ".join(filter(None, computed)))


def train(config: Config, out: Path) -> dict:
    """Fit the weights of `config.advice.parts` for each label on validation pairs; leave a run folder in `out`. With
    `train.folds`, which needs registered parts, the pairs are those of all folds, and each fold's parts are trained
    without it."""
    parts = tuple(dict.fromkeys(config.advice.parts))
    if len(parts) < 2:
        raise PerfclfError("a stack needs at least two different advice.parts")
    data, weights, priors, figures = TaskData.load(config), {}, {}, []
    _, folds = data_of(data)
    for label in config.train.labels:
        priors[label] = PairPrior.fit(data.pairs(label, part="train"))
        stacks = ((fold, StackAdviser(KIND, priors[label], data.datasets,
                                      parts=_parts(parts, replace(fold.config, label=label), out)))
                  for fold in folds)
        weights[label], evidence, won = fit_on_validation(stacks, label)
        for mode, rows in evidence.items():
            figures += _figures(label, mode, parts, getattr(weights[label], mode), rows, won)
    out.mkdir(parents=True, exist_ok=True)
    save_priors(priors, out)
    save_weights(weights, [_place(part, out) for part in parts], out)
    return leave_manifest(KIND, data, out, {"validation": figures})


def _parts(names: Sequence[str], config: Config, out: Path) -> list[object]:
    """The parts that have not learned from the validation part of `config`: as they are, or with `train.folds` trained
    for this fold."""
    if config.train.folds is None:
        for name in names:
            check_held_out(name, "validation")
        return [load_advisor(name, config) for name in names]
    own = replace(config, train=replace(config.train, folds=None))
    return [load_advisor(trained_once(name, own, out / "folds" / f"{name}-{config.split.fold}")
                         if specs()[name].train else name, own) for name in names]


def _figures(label: str, mode: str, parts: Sequence[str], weights: Sequence[float], evidence: np.ndarray,
             won: np.ndarray) -> list[dict]:
    finite = np.isfinite(evidence).all(axis=1)
    evidence, won = evidence[finite], won[finite]
    together = (evidence * weights).sum(axis=1)
    rows = [*zip(parts, weights, evidence.T, strict=True), (KIND, None, together)]
    return [{"label": label, "mode": mode, "adviser": name, "weight": weight, "n": len(won),
             "validation_accuracy": accuracy(log_odds, won)} for name, weight, log_odds in rows]


def _place(part: str, out: Path) -> str:
    """A name as it is, a run folder relative to the stack's folder: both may then move together."""
    return part if part in specs() else os.path.relpath(Path(part).resolve(), out.resolve())


SPECS = (AdviserSpec(KIND, load, train),)
