"""NNGPT: prune between its generation and its evaluation, and undo it."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from pathlib import Path


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
