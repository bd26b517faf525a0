"""Where advice is used: the reference AutoML loop with its pruning policies, over recorded or real training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.config import Config


def run_loop(config: Config) -> dict:
    """Propose, ask, prune, train. ``loop=replay`` measures policies and advisers over many generations of recorded
    trials, or with ``loop.resamples=1`` plays a single one; ``loop=local`` trains for real.

    Every event stands in `loop.sqlite` in the run folder: a stopped loop goes on with the same command.
    """
    from nngpt_perfclf.host.live import play_local, play_replay
    from nngpt_perfclf.host.runs import FILE, RunDatabase, run_folder
    from nngpt_perfclf.host.study import study
    from nngpt_perfclf.types import PerfclfError

    ways = {"replay": play_replay if config.loop.resamples == 1 else study, "local": play_local}
    if config.loop.kind not in ways:
        raise PerfclfError(f"unknown loop.kind {config.loop.kind!r}; known: {', '.join(ways)}")
    folder = run_folder(config)
    with RunDatabase(folder / FILE, config) as runs:
        result = ways[config.loop.kind](config, folder, runs)
        runs.finish()
    return result
