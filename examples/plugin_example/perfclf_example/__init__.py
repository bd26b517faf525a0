"""A third party's plugin: a prompt template of its own, and an adviser that knows one rule of thumb.

Its rule: a learning rate near 0.01 trains; the further from it, in factors of ten, the worse. It has no opinion where
a learning rate is not stated or the two are about as far away.
"""

import math
from pathlib import Path

from nngpt_perfclf import Advice, hookimpl

USUAL = 0.01
SURE = 0.9


@hookimpl
def register_prompts():
    return [Path(__file__).parent / "prompts"]


@hookimpl
def advise_many(questions):
    advice = [_opinion(question) for question in questions]
    return advice if any(advice) else None


def _opinion(question):
    far_a, far_b = _distance(question.recipe_a), _distance(question.recipe_b)
    if far_a is None or far_b is None or abs(far_a - far_b) < 1:
        return None
    better = question.ds_a if far_a < far_b else question.ds_b
    return Advice(better, probability=SURE, prior=0.5, decided=True, reason="its learning rate is the more usual one")


def _distance(recipe):
    """Factors of ten between the recipe's learning rate and the usual one."""
    return None if recipe is None or not recipe.lr else abs(math.log10(recipe.lr / USUAL))
