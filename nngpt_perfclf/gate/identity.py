"""Under which name a gate keeps scores: only scores of one adviser after the same outcomes may be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.advice.scorers import INSTALLED
from nngpt_perfclf.gate.decision import key_of
from nngpt_perfclf.types import Observation

if TYPE_CHECKING:
    from nngpt_perfclf.config import Config


def identity(adviser: str | Path | object | None, config: Config | None, outcomes: Sequence[Observation] = ()) -> str:
    """Whose scores may be compared with each other: the adviser's after the same outcomes."""
    name = _name(adviser, config)
    if not outcomes:
        return name
    listing = repr([(key_of(outcome.candidate), outcome.accuracy, outcome.epoch) for outcome in outcomes])
    return f"{name} after {len(outcomes)} outcomes ({hashlib.sha256(listing.encode()).hexdigest()[:12]})"


def _name(adviser: str | Path | object | None, config: Config | None) -> str:
    from nngpt_perfclf.advice.registry import identity_of
    from nngpt_perfclf.config import load_config

    if adviser is None and config is None:
        return INSTALLED
    name = adviser if adviser is not None else config.scorer
    return identity_of(name, config or load_config()) if isinstance(name, str | Path) else type(name).__qualname__
