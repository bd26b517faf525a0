"""The verb ``nngpt``: ``prune`` and ``undo`` an epoch's folder, ``enable`` and ``disable`` a checkout."""

from nngpt_perfclf.config import Config
from nngpt_perfclf.nngpt import enable
from nngpt_perfclf.nngpt.prune import prune, undo
from nngpt_perfclf.types import PerfclfError

ACTIONS = ("prune", "undo", "enable", "disable")


def command(config: Config, action: str, path: str, target: str | None = None, keep: str | None = None,
            dry_run: bool = False) -> dict:
    """``nngpt prune EPOCH_DIR``, ``nngpt undo EPOCH_DIR``, ``nngpt enable CHECKOUT_DIR``, ``nngpt disable
    CHECKOUT_DIR``."""
    if action not in ACTIONS:
        raise PerfclfError(f"nngpt {action}: say {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}")
    if action == "prune":
        return prune(config, path, target or config.nngpt.target, None if keep is None else _share(keep), dry_run)
    if target is not None or keep is not None or (dry_run and action != "undo"):
        raise PerfclfError(f"nngpt {action} takes no --target, --keep{' or --dry-run' * (action != 'undo')}")
    if action == "undo":
        return undo(path, dry_run)
    return enable.enable(path) if action == "enable" else enable.disable(path)


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise PerfclfError(f"--keep {word}: give a share of the candidates, over 0 and at most 1")
    return share
