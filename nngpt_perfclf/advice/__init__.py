"""What is advised: advisers that answer pair questions, score candidates, and abstain where they are not sure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.advice.adapters import PairAdviser, Scorer
    from nngpt_perfclf.config import Config


def load_advisor(folder_or_name: str | Path, config: Config | None = None) -> object:
    """The adviser of a registered name or a run folder; `advice.registry.load_advisor` says more."""
    from nngpt_perfclf.advice.registry import load_advisor as load

    return load(folder_or_name, config)


def load_pair_adviser(folder_or_name: str | Path, config: Config | None = None) -> PairAdviser:
    """An adviser that answers pair questions; one that only scores answers by the difference of two scores."""
    from nngpt_perfclf.advice.adapters import PairAdviser, ScoreComparer

    adviser = load_advisor(folder_or_name, config)
    return adviser if isinstance(adviser, PairAdviser) else ScoreComparer(adviser)


def load_scorer(folder_or_name: str | Path, config: Config | None = None) -> Scorer:
    """An adviser that scores candidates; one that only answers pair questions compares the target with the reference
    datasets of `advice.references` (default: all known ones)."""
    from nngpt_perfclf.advice.adapters import as_scorer
    from nngpt_perfclf.advice.anchors import load_anchors
    from nngpt_perfclf.config import load_config

    config = config or load_config()
    anchors = load_anchors()
    return as_scorer(load_advisor(folder_or_name, config), config.advice.references or tuple(anchors), anchors,
                     config.epoch)


def train(config: Config) -> dict:
    """Train the configured model or adviser into a run folder; `advice.training.train` says more."""
    from nngpt_perfclf.advice.training import train as run

    return run(config)


def answer(config: Config, net: str | None = None, ds_a: str | None = None, ds_b: str | None = None,
           batch: str | None = None) -> dict:
    """Ask about one network file and two datasets, or about the questions of a JSON-lines file."""
    from nngpt_perfclf.advice.answering import answer as run

    return run(config, net, ds_a, ds_b, batch)


def rank(config: Config, *files: str, target: str | None = None) -> dict:
    """Rank network files, or the candidates of JSON-lines files, for one dataset."""
    from nngpt_perfclf.advice.rank_command import rank as run

    return run(config, *files, target=target)
