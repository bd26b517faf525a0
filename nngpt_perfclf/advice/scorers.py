"""Which scorer answers: the installed plugins or a named adviser, corrected by outcomes; and asking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.advice.opinions import opinions
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
    """The named or given adviser; without one the configured `scorer`; without both the installed plugins."""
    from nngpt_perfclf.advice import load_scorer

    if adviser is None and config is None:
        return InstalledScorer()
    return load_scorer(adviser if adviser is not None else config.scorer, config)


def with_outcomes(scorer: Scorer, target: str, outcomes: Sequence[Observation], config: Config | None) -> Scorer:
    """The scorer, corrected by what was trained on the target before."""
    from nngpt_perfclf.advice.outcomes import informed

    return informed(scorer, {target: outcomes}, config) if outcomes else scorer


def scores_of(scorer: Scorer, candidates: Sequence[Candidate], target: str) -> tuple[list[Score | None], str]:
    """One score a candidate, and why there is none where there is none. Raises PerfclfError as the adviser does: the
    user must repair what that says."""
    return opinions(lambda asked: scorer.score(asked, target), candidates)
