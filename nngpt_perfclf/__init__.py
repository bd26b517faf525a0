"""Predicts, before training, how well a network will do on an image dataset."""

from __future__ import annotations

from importlib import import_module
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
# Imported at their first use, so that a plugin that needs the types alone loads nothing else.
_MODULE_OF = {**dict.fromkeys(("advise", "rank", "score", "select"), "advice.ranking"),
              "load_advisor": "advice.registry", "Decision": "gate.decision", "Gate": "gate.gate",
              "EarlyStopping": "loop.early_stopping"}


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
