"""NNGPT: prune between its generation and its evaluation, and undo it."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.config import Config


def command(config: Config, action: str, path: str, target: str | None = None, keep: str | None = None,
            dry_run: bool = False) -> dict:
    """The verb ``nngpt``; `nngpt.command.command` says what the actions do."""
    from nngpt_perfclf.nngpt.command import command as run

    return run(config, action, path, target, keep, dry_run)


def wrap(configuration: str | Path | None = None, *overrides: str) -> AbstractContextManager[None]:
    """Prune before every evaluation of NNGPT, in this process and in those that it starts, while the block runs.

    configuration: a YAML file, by default ``conf/nngpt.yaml``; overrides: words such as ``"loop.keep=[0.3]"``. Enter it
    before NNGPT is imported. Processes that it starts need `nngpt enable` in their environment. Raises PerfclfError for
    a configuration that is wrong.
    """
    from nngpt_perfclf.config import conf_folder, load_config
    from nngpt_perfclf.nngpt.hook import installed

    file = Path(configuration or conf_folder() / "nngpt.yaml").absolute()
    load_config(file, overrides)
    return installed(shlex.join([str(file), *overrides]))
