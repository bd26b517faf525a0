"""Which scorer answers: the installed plugins or a named adviser, corrected by outcomes. It is asked so that its
failure is no opinion: a plugin may raise, hang or return anything."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pluggy

from nngpt_perfclf.advice import load_scorer
from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.outcomes import informed
from nngpt_perfclf.config import Config
from nngpt_perfclf.extras import extras_named
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.sandbox.words import printable
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Score

INSTALLED = "installed"
FAILED = "the adviser failed"
PATIENCE = 900.0  # seconds for one call: a large language model on a slow machine takes minutes
_log = logging.getLogger(__name__)
_hanging: list[threading.Thread] = []


@dataclass(frozen=True)
class InstalledScorer:
    """Scores by whatever the installed plugins answer."""

    manager: pluggy.PluginManager = field(default_factory=lambda: get_plugin_manager())

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        given = self.manager.hook.score(candidates=list(candidates), target=target)
        return [None] * len(candidates) if given is None else given


def scorer_of(adviser: str | Path | object | None, config: Config | None) -> Scorer:
    """The named or given adviser; without one the configured `scorer`; without both the installed plugins."""
    if adviser is None and config is None:
        return InstalledScorer()
    return load_scorer(adviser if adviser is not None else config.scorer, config)


def with_outcomes(scorer: Scorer, target: str, outcomes: Sequence[Observation], config: Config | None) -> Scorer:
    """The scorer, corrected by what was trained on the target before."""
    return informed(scorer, {target: outcomes}, config) if outcomes else scorer


def scores_of(scorer: Scorer, candidates: Sequence[Candidate], target: str) -> tuple[list[Score | None], str]:
    """One score a candidate, and why there is none where there is none. Raises PerfclfError as the adviser does: the
    user must repair what that says."""
    return opinions(lambda asked: scorer.score(asked, target), candidates)


def opinions(ask: Callable[[list[Candidate]], object], candidates: Sequence[Candidate],
             patience: float = PATIENCE) -> tuple[list[Score | None], str]:
    """One score with finite numbers or None a candidate, and why there is none where there is none.

    ask: given the candidates, returns what the adviser answers. An adviser that has not answered after `patience`
    seconds has no opinion, and nobody is asked until it ends. Raises PerfclfError as the adviser does: the user must
    repair what that says.
    """
    nothing: list[Score | None] = [None] * len(candidates)
    if not candidates:
        return [], ""
    _hanging[:] = [thread for thread in _hanging if thread.is_alive()]
    if _hanging:
        return nothing, _failed("an earlier call has not ended")
    call = _Call(ask, list(candidates))
    call.join(patience)
    if call.is_alive():
        _hanging.append(call)
        return nothing, _failed(f"it took longer than {patience:g} s")
    if isinstance(call.error, PerfclfError | KeyboardInterrupt):
        raise call.error
    if call.error is not None:
        return nothing, _failed(_in_words(call.error))
    given = call.answer
    if not isinstance(given, list | tuple) or len(given) != len(candidates):
        count = len(given) if isinstance(given, list | tuple) else type(given).__name__
        return nothing, _failed(f"{count} answers about {len(candidates)} candidates")
    return [_clean(score) if is_usable(score) else None for score in given], "the adviser has no opinion"


def is_usable(score: object) -> bool:
    """Whether this is a score with finite numbers; plugins may return anything."""
    try:
        return isinstance(score, Score) and all(
            isinstance(number, int | float) and math.isfinite(number)
            for number in (score.value, score.percentile, score.low, score.high))
    except OverflowError:  # a whole number beyond every float
        return False


class _Call(threading.Thread):
    """One question in a thread of its own, which can be left behind."""

    def __init__(self, ask: Callable[[list[Candidate]], object], candidates: list[Candidate]):
        super().__init__(name="adviser", daemon=True)
        self.ask, self.candidates = ask, candidates
        self.answer: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with extras_named():
                self.answer = self.ask(self.candidates)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: an adviser must not stop the host's loop
            self.error = error


def _clean(score: Score) -> Score:
    """Its reason as one line of text."""
    reason = score.reason if isinstance(score.reason, str) else ""
    return score if reason == score.reason and reason.isprintable() else replace(score, reason=printable(reason))


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - even its words may fail
        return type(error).__name__


def _failed(why: str) -> str:
    reason = f"{FAILED}: {printable(' '.join(why.split()))}"
    _log.warning("no opinion: %s", reason)
    return reason
