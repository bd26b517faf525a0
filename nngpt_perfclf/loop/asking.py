"""Scoring candidates through the hook: a few at a time, timed, recorded, nothing twice; a failure is no opinion."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pluggy

from nngpt_perfclf.advice import load_advisor, load_pair_adviser
from nngpt_perfclf.advice.adapters import PairScorer, Scorer, as_scorer
from nngpt_perfclf.advice.faults import Faults, text_faults
from nngpt_perfclf.advice.registry import identity_of
from nngpt_perfclf.advice.run_folders import load_anchors
from nngpt_perfclf.advice.scorers import FAILED, INSTALLED, InstalledScorer, scores_of
from nngpt_perfclf.advice.seconds import KIND as SECONDS
from nngpt_perfclf.advice.seconds import TimedScorer, clock_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import PER_SECOND
from nngpt_perfclf.loop.run_database import RunDatabase, Scored
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Candidate, Recipe, Score

# Candidates scored in one call: enough for a full batch, few enough to lose when the loop is killed.
AT_ONCE = 20
NOBODY = "nobody"
# From a scorer to one whose scores take something further into account.
Correction = Callable[[Scorer], Scorer]


@dataclass(frozen=True)
class ScorerPlugin:
    """Gives a scorer the hook `score`, so that a loop asks it like any plugin."""

    scorer: Scorer

    @hookimpl
    def score(self, candidates: list[Candidate], target: str) -> list[Score | None] | None:
        return self.scorer.score(candidates, target)


def manager_of(config: Config, adviser: str, *world: object, policy: str = "ask",
               anchors: dict[str, Recipe] | None = None) -> pluggy.PluginManager:
    """A plugin manager with the generators and trainers `world` and the named adviser, which is asked before others;
    `INSTALLED`: whatever the installed plugins answer; `NOBODY`: for policies that do not ask.

    anchors: the references' recipes for advisers that only compare pairs (default: those in the package). Under the
    policy ``naive`` every adviser is asked pair questions with one recipe on both sides, and under those in
    `PER_SECOND` for the seconds of an epoch too.
    """
    if adviser == NOBODY or (adviser == INSTALLED and policy not in PER_SECOND):
        return get_plugin_manager(*world)
    scorer = (InstalledScorer(get_plugin_manager(*world)) if adviser == INSTALLED
              else _scorer(config, adviser, policy, anchors))
    if policy in PER_SECOND:
        scorer = TimedScorer(scorer, clock_of(config))
    return get_plugin_manager(ScorerPlugin(scorer), *world)


def _scorer(config: Config, adviser: str, policy: str, anchors: dict[str, Recipe] | None) -> Scorer:
    # The run database remembers; an adviser with a cache would answer in no time, and the figures would flatter it.
    uncached = replace(config, advice=replace(config.advice, answer_cache=False))
    anchors = load_anchors() if anchors is None else anchors
    references = config.advice.references or tuple(sorted(anchors))
    if policy == "naive":
        return PairScorer(load_pair_adviser(adviser, uncached), references, None, config.epoch)
    return as_scorer(load_advisor(adviser, uncached), references, anchors, config.epoch)


def key_of(config: Config, adviser: str, policy: str = "ask") -> str:
    """Under which name the run database keeps an adviser's scores: never those of another adapter or of another way of
    asking it."""
    clock = f" with {identity_of(SECONDS, config)}" if policy in PER_SECOND else ""
    if adviser in (INSTALLED, NOBODY):
        return adviser + clock
    way = "naive" if policy == "naive" else "ask"  # the others rank by the same scores
    return f"{way}:{identity_of(adviser, config)}{clock}"


def ask(manager: pluggy.PluginManager, runs: RunDatabase | None, adviser: str, candidates: Sequence[Candidate],
        target: str, correct: Correction | None = None,
        faults: Faults = text_faults) -> list[Scored]:
    """One Scored a candidate, in order, from the record `runs` (None: nothing is recorded) or from the hook `score`,
    whose scores `correct` may change: then `adviser` must say by what.

    A candidate with a fault is not asked about: its Scored says `broken` and why. The adviser `NOBODY` is never asked,
    and has no opinion.
    """
    if adviser == NOBODY:
        return [Scored(None, 0.0, "nobody was asked")] * len(candidates)
    scorer = InstalledScorer(manager)
    scorer = correct(scorer) if correct else scorer
    scored: list[Scored] = []
    with progress() as bar:
        asking = bar.add_task(f"scoring with {adviser} for {target}", total=len(candidates))
        for start in range(0, len(candidates), AT_ONCE):
            chunk = candidates[start:start + AT_ONCE]
            answers = runs.scores(adviser, target, chunk) if runs else {}
            new = [candidate for candidate in chunk if candidate not in answers]
            fresh = dict(zip(new, _scored(scorer, new, target, faults), strict=True))
            if runs and fresh:
                runs.add_scores(adviser, target, fresh)
            answers |= fresh
            scored += [answers[candidate] for candidate in chunk]
            bar.advance(asking, len(chunk))
    return scored


def _scored(scorer: Scorer, candidates: Sequence[Candidate], target: str, faults: Faults) -> list[Scored]:
    if not candidates:
        return []
    started = time.perf_counter()
    found = faults(candidates, target)
    sound = [candidate for candidate, fault in zip(candidates, found, strict=True) if fault is None]
    scores, silence = scores_of(scorer, sound, target)
    if silence.startswith(FAILED):
        say(f"{silence}; the candidates that it was asked about are kept")
    each, answers, scored = (time.perf_counter() - started) / len(candidates), iter(scores), []
    for fault in found:
        score = next(answers) if fault is None else None
        reason = score.reason if score else fault or silence
        scored.append(Scored(score, each, reason, broken=fault is not None))
    return scored
