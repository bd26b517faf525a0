"""Advisers: they answer pair questions, score candidates, and abstain where they are not sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nngpt_perfclf.advice.adapters import PairAdviser, Scorer
    from nngpt_perfclf.config import Config
    from nngpt_perfclf.types import Observation


def load_advisor(folder_or_name: str | Path, config: Config | None = None) -> object:
    """The adviser of a registered name or a run folder; `advice.registry.load_advisor` says more."""
    from nngpt_perfclf.advice.registry import load_advisor as load

    return load(folder_or_name, config)


def load_pair_adviser(folder_or_name: str | Path, config: Config | None = None,
                      outcomes: Mapping[str, Iterable[Observation]] | None = None) -> PairAdviser:
    """An adviser that answers pair questions; one that only scores answers by the difference of two scores. `outcomes`:
    by dataset, candidates that were trained on it already. About datasets with outcomes or without recorded trials a
    scoring adviser answers by a model of the dataset."""
    from nngpt_perfclf.advice.adapters import PairAdviser, ScoreComparer
    from nngpt_perfclf.advice.outcomes import pairs_with_outcomes
    from nngpt_perfclf.advice.prior import load_prior
    from nngpt_perfclf.advice.run_folders import PRETRAINED
    from nngpt_perfclf.config import load_config

    config = config or load_config()
    adviser = load_advisor(folder_or_name, config)
    pairs = (adviser if isinstance(adviser, PairAdviser)
             else ScoreComparer(adviser, config.advice.confidence, load_prior(PRETRAINED, config.label)))
    return pairs_with_outcomes(adviser, pairs, str(folder_or_name), outcomes or {}, config)


def load_scorer(adviser: str | Path | object, config: Config | None = None) -> Scorer:
    """An adviser that scores candidates, from a name, a run folder, or the adviser's object. One that only answers pair
    questions compares the target with the reference datasets of `advice.references` (default: all known ones)."""
    from nngpt_perfclf.advice.adapters import Scorer, as_scorer
    from nngpt_perfclf.advice.anchors import load_anchors
    from nngpt_perfclf.config import load_config

    if isinstance(adviser, str | Path):
        adviser = load_advisor(adviser, config)
    if isinstance(adviser, Scorer):
        return adviser
    config, anchors = config or load_config(), load_anchors()
    return as_scorer(adviser, config.advice.references or tuple(anchors), anchors, config.epoch)
