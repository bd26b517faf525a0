"""Profiles of networks: each is built in a sandbox, without training, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.profiling.types import Profile
    from nngpt_perfclf.types import Candidate


def profile(candidates: Sequence[Candidate], target: str, datasets: str | None = None) -> list[Profile]:
    """The profile of each candidate on the dataset `target`, in order; `profiling.profiler.profile` says more."""
    from nngpt_perfclf.profiling.profiler import profile as run

    return run(candidates, target, datasets)
