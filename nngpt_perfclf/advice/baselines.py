"""Advisers that read neither code nor recipe: the baselines that every other adviser must beat."""

from collections.abc import Sequence

import numpy as np

from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.prior import load_prior
from nngpt_perfclf.advice.run_folders import PRETRAINED, common
from nngpt_perfclf.config import Config
from nngpt_perfclf.types import AdviserSpec, Question


class PriorAdviser(Adviser):
    """The majority baseline: always the dataset that usually wins the pair."""

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        return np.array([self.prior.log_odds(question.ds_a, question.ds_b) for question in questions], float)[:, None]

    def note(self, question: Question) -> str:
        return "neither code nor recipe was read"


class NullAdviser(Adviser):
    """Never has an opinion, so that a loop that asks it prunes nothing."""

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        return np.full((len(questions), 1), np.nan)


class AlwaysFirst(Adviser):
    """Names the dataset that is mentioned first, in either order: averaging both orders leaves it at 0.5."""

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        return np.ones((len(questions), 1))

    def note(self, question: Question) -> str:
        return "always names the first dataset"


def _spec(name: str, kind: type[Adviser]) -> AdviserSpec:
    def load(config: Config) -> Adviser:
        return kind(name=name, prior=load_prior(PRETRAINED, config.label), **common(config))

    return AdviserSpec(name, load)


SPECS = (_spec("prior", PriorAdviser), _spec("null", NullAdviser), _spec("always-first", AlwaysFirst))
