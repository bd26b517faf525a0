"""Asking an adviser so that its failure is no opinion: a plugin may raise or return anything."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.advice.opinions import opinions
from nngpt_perfclf.gate.decision import key_of
from nngpt_perfclf.types import Candidate, Observation, Score

if TYPE_CHECKING:
    import pluggy

    from nngpt_perfclf.advice.adapters import Scorer
    from nngpt_perfclf.config import Config

INSTALLED = "installed"


def _installed() -> pluggy.PluginManager:
    from nngpt_perfclf.plugins import get_plugin_manager

    return get_plugin_manager()


@dataclass(frozen=True)
class InstalledScorer:
    """Scores by whatever the installed plugins answer."""

    manager: pluggy.PluginManager = field(default_factory=_installed)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        given = self.manager.hook.score(candidates=list(candidates), target=target)
        return [None] * len(candidates) if given is None else given


def scorer_of(adviser: str | Path | object | None, config: Config | None) -> Scorer:
    """What answers, as `rank` chooses it."""
    from nngpt_perfclf.advice import load_scorer

    if adviser is None and config is None:
        return InstalledScorer()
    return load_scorer(adviser if adviser is not None else config.scorer, config)


def with_outcomes(scorer: Scorer, target: str, outcomes: Sequence[Observation], config: Config | None) -> Scorer:
    """The scorer, corrected by what was trained on the target before."""
    from nngpt_perfclf.advice.outcomes import informed

    return informed(scorer, {target: outcomes}, config) if outcomes else scorer


def identity(adviser: str | Path | object | None, config: Config | None, outcomes: Sequence[Observation] = ()) -> str:
    """Whose scores may be compared with each other: the adviser's after the same outcomes."""
    name = _name(adviser, config)
    if not outcomes:
        return name
    told = repr([(key_of(one.candidate), one.accuracy, one.epoch) for one in outcomes])
    return f"{name} after {len(outcomes)} outcomes ({hashlib.sha256(told.encode()).hexdigest()[:12]})"


def _name(adviser: str | Path | object | None, config: Config | None) -> str:
    from nngpt_perfclf.advice.registry import identity_of
    from nngpt_perfclf.config import load_config

    if adviser is None and config is None:
        return INSTALLED
    name = adviser if adviser is not None else config.scorer
    return identity_of(name, config or load_config()) if isinstance(name, str | Path) else type(name).__qualname__


def scores_of(scorer: Scorer, candidates: Sequence[Candidate], target: str) -> tuple[list[Score | None], str]:
    """One score a candidate, and why there is none where there is none. Raises PerfclfError as the adviser does: the
    user must repair what that says."""
    return opinions(lambda asked: scorer.score(asked, target), candidates)
