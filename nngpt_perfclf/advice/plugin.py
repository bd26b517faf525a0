"""The built-in plugin, registered like a third party's through the entry point group ``nngpt_perfclf``.

It answers after all third parties' advisers. The file that the environment variable ``NNGPT_PERFCLF_CONFIG`` names, or
else the defaults, say which adviser answers pair questions (``adviser``) and which scores candidates (``scorer``). Each
is loaded at its first question. A failure is no opinion and a warning in the log: advice must never stop a loop.
"""

import logging
import os
from collections.abc import Callable
from functools import lru_cache

from nngpt_perfclf import advice
from nngpt_perfclf.advice import baselines, curves, fine_tuning, nearest, pairwise, pointwise, seconds, stack
from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.prompts.template import FOLDER
from nngpt_perfclf.tasks.task import BUILT_IN
from nngpt_perfclf.types import Advice, AdviserSpec, Candidate, PerfclfError, Question, Score

CONFIG = "NNGPT_PERFCLF_CONFIG"
_log = logging.getLogger(__name__)


@hookimpl(trylast=True)
def advise(arch_code: str, ds_a: str, ds_b: str) -> Advice | None:
    return _or_none(lambda: _adviser(os.environ.get(CONFIG)).advise_many([Question(arch_code, ds_a, ds_b)])[0])


@hookimpl(trylast=True)
def advise_many(questions: list[Question]) -> list[Advice | None] | None:
    answers = _or_none(lambda: _adviser(os.environ.get(CONFIG)).advise_many(questions))
    # Without a single opinion the next plugin shall be asked.
    return answers if answers and any(answers) else None


@hookimpl(trylast=True)
def score(candidates: list[Candidate], target: str) -> list[Score | None] | None:
    scores = _or_none(lambda: _scorer(os.environ.get(CONFIG)).score(candidates, target))
    return scores if scores and any(scores) else None


@hookimpl
def register_advisers() -> list[AdviserSpec]:
    # One line for each module that brings advisers.
    modules = fine_tuning, pairwise, pointwise, nearest, stack, curves, seconds, baselines
    return [spec for module in modules for spec in module.SPECS]


@hookimpl
def register_tasks() -> list:
    return list(BUILT_IN)


@hookimpl
def register_prompts() -> list:
    return [FOLDER]


def _or_none(ask: Callable[[], object]):
    try:
        return ask()
    except PerfclfError as error:
        _log.warning("no opinion: %s", error)
    except Exception:  # noqa: BLE001 - whatever goes wrong in an adviser must not stop the host's loop
        _log.warning("no opinion: the adviser failed", exc_info=True)
    return None


@lru_cache(maxsize=4)
def _adviser(config_file: str | None):
    config = load_config(config_file)
    return advice.load_pair_adviser(config.adviser, config)


@lru_cache(maxsize=4)
def _scorer(config_file: str | None):
    config = load_config(config_file)
    return advice.load_scorer(config.scorer, config)
