"""What is advised: advisers that answer in both orders, calibrated, and abstain where they are not sure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.advice.base import Adviser
    from nngpt_perfclf.config import Config


def load_advisor(folder_or_name: str | Path, config: Config | None = None) -> Adviser:
    """The adviser of a run folder, or by name: shipped, prior, pairwise, strength, stack, null, always-first, zero-shot.

    `config` (default: the defaults) says which label is asked about, the confidence, further datasets and the memory.
    """
    from nngpt_perfclf.advice.loading import load_advisor as load

    return load(folder_or_name, config)


def identity_of(folder_or_name: str | Path, config: Config) -> str:
    """The name with a digest of all that decides the adviser's answers."""
    from nngpt_perfclf.advice.loading import identity_of as told

    return told(folder_or_name, config)


def train(config: Config) -> dict:
    """Fit the configured model on the training part, calibrate it on validation, write a run folder."""
    from nngpt_perfclf.advice.training import train as run

    return run(config)


def answer(config: Config, net: str | None = None, ds_a: str | None = None, ds_b: str | None = None,
           batch: str | None = None) -> dict:
    """Ask about one network file and two datasets, or about the questions of a JSON-lines file."""
    from nngpt_perfclf.advice.answering import answer as run

    return run(config, net, ds_a, ds_b, batch)
