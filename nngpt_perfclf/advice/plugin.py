"""The built-in plugin. It enters by the door that third parties use, the entry point group ``nngpt_perfclf``.

Which adviser answers is configured: the file that the environment variable ``NNGPT_PERFCLF_CONFIG`` names, else the
defaults (``adviser: shipped``). It is loaded at the first question, and asked after all third parties' advisers. If it
fails, that is no opinion and a warning in the log: advice must never stop a loop.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.types import Advice, PerfclfError, Question

if TYPE_CHECKING:
    from nngpt_perfclf.advice.base import Adviser

CONFIG = "NNGPT_PERFCLF_CONFIG"
_log = logging.getLogger(__name__)


@hookimpl(trylast=True)
def advise(arch_code: str, ds_a: str, ds_b: str) -> Advice | None:
    return _or_none(lambda adviser: adviser.advise(arch_code, ds_a, ds_b))


@hookimpl(trylast=True)
def advise_many(questions: list[Question]) -> list[Advice | None] | None:
    advice = _or_none(lambda adviser: adviser.advise_many(questions))
    # Without a single opinion the next plugin shall be asked.
    return advice if advice and any(advice) else None


@hookimpl
def register_tasks() -> list:
    from nngpt_perfclf.tasks.task import BUILT_IN

    return list(BUILT_IN)


@hookimpl
def register_prompts() -> list:
    from nngpt_perfclf.prompts.template import FOLDER

    return [FOLDER]


def _or_none(ask: Callable[[Adviser], object]):
    try:
        return ask(_adviser(os.environ.get(CONFIG)))
    except PerfclfError as error:
        _log.warning("no opinion: %s", error)
    except Exception:  # noqa: BLE001 - whatever goes wrong in an adviser must not stop the host's loop
        _log.warning("no opinion: the adviser failed", exc_info=True)
    return None


@lru_cache(maxsize=4)
def _adviser(config_file: str | None) -> Adviser:
    from nngpt_perfclf.advice import load_advisor
    from nngpt_perfclf.config import load_config

    config = load_config(config_file)
    return load_advisor(config.adviser, config)
