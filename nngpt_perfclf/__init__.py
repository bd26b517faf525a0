"""Ask before you train: dataset-suitability advice for AutoML loops."""

from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.types import Advice, Candidate, Outcome, PerfclfError, Question, Recipe

__version__ = "0.1.1"
__all__ = ["Advice", "Candidate", "Outcome", "PerfclfError", "Question", "Recipe", "hookimpl", "load_advisor"]


def load_advisor(folder_or_name):
    """The adviser of a run folder, or the one that a name (``shipped``, ``prior``, ``pairwise``, …) stands for."""
    from nngpt_perfclf.advice import load_advisor as load

    return load(folder_or_name)
