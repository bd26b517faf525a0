"""NNGPT: prune between its generation and its evaluation, and undo it."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.nngpt.one_at_a_time import NotTrainedError, gated

__all__ = ["NotTrainedError", "gated", "wrap"]


def wrap(configuration: str | Path | None = None, *overrides: str) -> AbstractContextManager[None]:
    """Prune before every evaluation of NNGPT, in this process and in those that it starts, while the block runs.

    configuration: a YAML file, by default ``conf/nngpt.yaml``; overrides: words such as ``"loop.keep=[0.3]"``. Enter it
    before NNGPT is imported. Processes that it starts need `nngpt enable` in their environment. Raises PerfclfError for
    a configuration that is wrong.
    """
    from nngpt_perfclf.config import conf_folder, load_config
    from nngpt_perfclf.loop.plan import rule_of
    from nngpt_perfclf.nngpt.hook import installed

    file = Path(configuration or conf_folder() / "nngpt.yaml").absolute()
    rule_of(load_config(file, overrides))
    return installed(shlex.join([str(file), *overrides]))


def __getattr__(name: str):
    # The hook's start in every process of NNGPT imports this package; the gate's modules are read when they are used.
    if name in ("NotTrainedError", "gated"):
        from nngpt_perfclf.nngpt import one_at_a_time

        return getattr(one_at_a_time, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
