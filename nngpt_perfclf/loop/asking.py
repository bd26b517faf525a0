"""Asking an adviser about candidates: a few at a time, timed, recorded, nothing twice; a failure is no opinion."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pluggy

from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import Policy
from nngpt_perfclf.loop.run_database import Answered, RunDatabase
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Advice, Candidate, PerfclfError, Question

# Candidates asked about in one call: enough for a full batch, few enough to lose when the loop is killed.
AT_ONCE = 8
INSTALLED, NOBODY = "installed", "nobody"


class AdviserPlugin:
    """Gives an adviser the hook `advise_many`, so that a loop asks it like any plugin."""

    def __init__(self, adviser):
        self.adviser = adviser

    @hookimpl
    def advise_many(self, questions: list[Question]) -> list[Advice | None] | None:
        return self.adviser.advise_many(questions)


def manager_of(config: Config, adviser: str, *world: object) -> pluggy.PluginManager:
    """A plugin manager with the generators and trainers `world` and the named adviser, which is asked before others;
    `INSTALLED`: whatever the installed plugins answer; `NOBODY`: for policies that do not ask."""
    if adviser in (INSTALLED, NOBODY):
        return get_plugin_manager(*world)
    from nngpt_perfclf.advice import load_advisor

    # The run database remembers; an adviser that did so too would answer in no time, and the figures would flatter it.
    forgetful = replace(config, advice=replace(config.advice, memory=False))
    return get_plugin_manager(AdviserPlugin(load_advisor(adviser, forgetful)), *world)


def key_of(config: Config, adviser: str) -> str:
    """Under which name the run database keeps an adviser's answers: never those of another adapter."""
    if adviser in (INSTALLED, NOBODY):
        return adviser
    from nngpt_perfclf.advice import identity_of

    return identity_of(adviser, config)


def ask(manager: pluggy.PluginManager, runs: RunDatabase, adviser: str, policy: Policy,
        candidates: Sequence[Candidate], target: str) -> list[list[Answered]]:
    """The answers to the policy's questions about each candidate, from the record or from the hook `advise_many`."""
    wanted = [policy.questions(candidate, target) for candidate in candidates]
    if not any(wanted):
        return [[] for _ in candidates]
    answered: list[list[Answered]] = []
    with progress() as bar:
        asking = bar.add_task(f"asking {adviser} about {target}", total=len(candidates))
        for start in range(0, len(wanted), AT_ONCE):
            chunk = wanted[start:start + AT_ONCE]
            known = _answer(manager, runs, adviser, list(dict.fromkeys(one for few in chunk for one in few)))
            answered += [[known[question] for question in questions] for questions in chunk]
            bar.advance(asking, len(chunk))
    return answered


def _answer(manager: pluggy.PluginManager, runs: RunDatabase, adviser: str,
            questions: list[Question]) -> dict[Question, Answered]:
    known = runs.answers(adviser, questions)
    new = [question for question in questions if question not in known]
    if new:
        started = time.perf_counter()
        advice, reason = _advice(manager, new)
        each = (time.perf_counter() - started) / len(new)
        fresh = {question: Answered(given, each, given.reason if given else reason)
                 for question, given in zip(new, advice, strict=True)}
        runs.add_answers(adviser, fresh)
        known |= fresh
    return known


def _advice(manager: pluggy.PluginManager, questions: list[Question]) -> tuple[list[Advice | None], str]:
    """One advice a question, and why there is none where there is none."""
    nothing: list[Advice | None] = [None] * len(questions)
    try:
        advice = manager.hook.advise_many(questions=questions)
    except PerfclfError:
        raise  # a wrong configuration or a broken installation: the user can and must repair it
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a plugin must not prune a candidate
        reason = f"the adviser failed: {type(error).__name__}: {error}"
        say(f"{reason}; what it was asked about is kept")
        return nothing, reason
    if advice is None:
        return nothing, "no adviser has an opinion"
    if len(advice) != len(questions):
        reason = f"the adviser gave {len(advice)} answers to {len(questions)} questions"
        say(f"{reason}; what it was asked about is kept")
        return nothing, reason
    return [given if _usable(given, question) else None
            for given, question in zip(advice, questions, strict=True)], "no opinion"


def _usable(given: object, question: Question) -> bool:
    """Whether this is an advice about this question; plugins may return anything."""
    return isinstance(given, Advice) and given.better in (question.ds_a, question.ds_b) and all(
        0 <= probability <= 1 for probability in (given.probability, given.prior))
