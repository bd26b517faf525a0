"""Predicts, before training, how well a network will do on an image dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.types import (
    Advice,
    AdviserSpec,
    Candidate,
    Outcome,
    PerfclfError,
    Question,
    Ranked,
    Recipe,
    Score,
)

if TYPE_CHECKING:
    from nngpt_perfclf.advice.ranking import rank, select

__version__ = "0.2.0"
__all__ = ["Advice", "AdviserSpec", "Candidate", "Outcome", "PerfclfError", "Question", "Ranked", "Recipe", "Score",
           "hookimpl", "load_advisor", "rank", "select"]


def load_advisor(folder_or_name):
    """The adviser of a run folder, or of a registered name (``pretrained``, ``pointwise``, ``pairwise``, …)."""
    from nngpt_perfclf.advice import load_advisor as load

    return load(folder_or_name)


def __getattr__(name: str):
    if name in ("rank", "select"):
        from nngpt_perfclf.advice import ranking

        return getattr(ranking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
