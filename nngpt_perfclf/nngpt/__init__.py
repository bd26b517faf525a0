"""NNGPT: prune between its generation and its evaluation, and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from nngpt_perfclf.config import Config


def command(config: Config, action: str, path: str, target: str | None = None, keep: str | None = None,
            dry_run: bool = False) -> dict:
    """The verb ``nngpt``; `nngpt.prune.command` says what the actions do."""
    from nngpt_perfclf.nngpt.prune import command as run

    return run(config, action, path, target, keep, dry_run)


def wrap(config: Config | str | Path | None = None) -> ExitStack:
    """Prune between NNGPT's generation and evaluation in this process; `nngpt.wrap.install` says more."""
    from nngpt_perfclf.nngpt.wrap import install

    return install(config)
