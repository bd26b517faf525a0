"""Several advisers as one: their log-odds, weighed by a logistic regression that was fitted on validation pairs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.calibration import antisymmetric_weights
from nngpt_perfclf.advice.loading import NAMES, STACK, common, load_advisor, place_of
from nngpt_perfclf.advice.prior import PairPrior, save_priors
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.record import read_json, record, write_json
from nngpt_perfclf.tasks import load_pairs, question_of
from nngpt_perfclf.types import PerfclfError, Question


@dataclass
class StackAdviser(Adviser):
    """`weights`: one for each of the `parts`. No intercept, and each part averages both orders: so does the whole."""

    parts: Sequence[Adviser] = ()
    weights: Sequence[float] = ()

    def log_odds(self, questions: Sequence[Question]) -> np.ndarray:
        return sum(weight * part.averaged(questions) for weight, part in zip(self.weights, self.parts, strict=True))

    def check(self, question: Question) -> None:
        """Raise PerfclfError where any of the parts could not be asked."""
        for part in self.parts:
            part.check(question)

    def note(self, question: Question) -> str:
        return "; ".join(dict.fromkeys(filter(None, (part.note(question) for part in self.parts))))

    @classmethod
    def load(cls, folder: Path, config: Config) -> StackAdviser:
        """The stack of a run folder, with all its parts; raises PerfclfError where one is missing."""
        weights = read_json(folder / STACK).get(config.label)
        if not isinstance(weights, dict) or not weights:
            raise PerfclfError(f"{folder / STACK} holds no weights for label={config.label}")
        parts = [load_advisor(place_of(name, folder), config) for name in weights]
        return cls(name=folder.name, **common(folder, config), parts=parts, weights=list(weights.values()))


def train_stack(config: Config, out: Path) -> dict:
    """Fit the weights of `config.advice.parts` for each label on validation pairs; leave a run folder in `out`."""
    if len(set(config.advice.parts)) < 2:
        raise PerfclfError("a stack needs at least two different advice.parts")
    corpus, weights, priors, figures = load_corpus(config), {}, {}, []
    for label in config.train.labels:
        asked = replace(config, label=label)
        pairs = load_pairs(asked, corpus)
        priors[label] = PairPrior.fit(pairs[pairs["part"] == "train"])
        pairs = pairs[(pairs["part"] == "validation") & ~pairs["tie"]]
        questions = [question_of(row, corpus.codes) for row in pairs.itertuples()]
        odds = np.column_stack([load_advisor(part, asked).averaged(questions) for part in config.advice.parts])
        won = (pairs["better"] == pairs["ds_a"]).to_numpy()
        fitted = antisymmetric_weights(odds, won)
        weights[label] = {_place(part, out): float(weight)
                          for part, weight in zip(config.advice.parts, fitted, strict=True)}
        figures += [{"label": label, "adviser": name, "weight": weight, "n": len(pairs),
                     "validation_accuracy": float(np.mean((told > 0) == won))}
                    for name, weight, told in [*zip(config.advice.parts, map(float, fitted), odds.T, strict=True),
                                               ("stack", None, odds @ fitted)]]
    out.mkdir(parents=True, exist_ok=True)
    save_priors(priors, out / "prior.json")
    write_json(out / STACK, weights)
    write_json(out / "run.json", record("stack", to_dict(config), corpus.fingerprint, status="done", result=figures))
    return {"run": str(out), "validation": figures}


def _place(part: str, out: Path) -> str:
    """A name as it is, a run folder as seen from the stack's folder: both may then move together."""
    return part if part in NAMES else os.path.relpath(Path(part).resolve(), out.resolve())
