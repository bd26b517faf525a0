"""How long an adviser will take for many questions on this machine, measured before it is asked."""

from __future__ import annotations

from collections.abc import Sequence

from nngpt_perfclf.advice.adapters import both_orders
from nngpt_perfclf.advice.base import Adviser, some_networks
from nngpt_perfclf.advice.stack import StackAdviser
from nngpt_perfclf.budget import measured_rate
from nngpt_perfclf.types import Question

_LEAST, _LARGEST = 4, 256  # networks in a sample


def expected_seconds(adviser: object, questions: Sequence[Question]) -> float:
    """Seconds that the questions take in both orders: what the adviser says itself, else from a sample of them."""
    if not questions:
        return 0.0
    if isinstance(adviser, StackAdviser):
        return sum(expected_seconds(part, questions) for part in adviser.parts)
    stated = adviser.reading_seconds(questions) if isinstance(adviser, Adviser) else None
    return _by_sample(adviser, questions) if stated is None else stated


def _by_sample(adviser: object, questions: Sequence[Question]) -> float:
    def ask(networks: int) -> int:
        sample = some_networks(questions, networks)
        both_orders(adviser, sample)
        return len(sample)

    return len(questions) / measured_rate(ask, _LEAST, _LARGEST)
