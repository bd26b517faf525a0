"""Predicts, before training, how well a network will do on an image dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.types import (
    Advice,
    AdviserSpec,
    Candidate,
    Interval,
    Observation,
    Outcome,
    PerfclfError,
    Question,
    Ranked,
    Recipe,
    Score,
)

if TYPE_CHECKING:
    from nngpt_perfclf.advice.ranking import advise, rank, score, select
    from nngpt_perfclf.advice.registry import load_advisor
    from nngpt_perfclf.gate.decision import Decision
    from nngpt_perfclf.gate.gate import Gate
    from nngpt_perfclf.loop.early_stopping import EarlyStopping

__version__ = "0.2.0"
__all__ = ["Advice", "AdviserSpec", "Candidate", "Decision", "EarlyStopping", "Gate", "Interval", "Observation",
           "Outcome", "PerfclfError", "Question", "Ranked", "Recipe", "Score", "advise", "hookimpl", "load_advisor",
           "rank", "score", "select"]


def __getattr__(name: str):
    # Imported at their first use, so that a plugin that needs the types alone loads nothing else.
    if name in ("advise", "rank", "score", "select"):
        from nngpt_perfclf.advice import ranking

        return getattr(ranking, name)
    if name == "load_advisor":
        from nngpt_perfclf.advice.registry import load_advisor

        return load_advisor
    if name == "Gate":
        from nngpt_perfclf.gate.gate import Gate

        return Gate
    if name == "Decision":
        from nngpt_perfclf.gate.decision import Decision

        return Decision
    if name == "EarlyStopping":
        from nngpt_perfclf.loop.early_stopping import EarlyStopping

        return EarlyStopping
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
