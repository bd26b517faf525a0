"""Advisers: they answer pair questions, score candidates, and abstain where they are not sure."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nngpt_perfclf.advice.adapters import PairAdviser, ScoreComparer, Scorer, as_scorer
from nngpt_perfclf.advice.outcomes import pairs_with_outcomes
from nngpt_perfclf.advice.prior import load_prior
from nngpt_perfclf.advice.registry import load_advisor
from nngpt_perfclf.advice.run_folders import PRETRAINED, load_anchors
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.types import Observation

__all__ = ["load_advisor", "load_pair_adviser", "load_scorer"]


def load_pair_adviser(folder_or_name: str | Path, config: Config | None = None,
                      outcomes: Mapping[str, Iterable[Observation]] | None = None) -> PairAdviser:
    """An adviser that answers pair questions; one that only scores answers by the difference of two scores. `outcomes`:
    by dataset, candidates that were trained on it already. About datasets with outcomes or without recorded trials a
    scoring adviser answers by a model of the dataset."""
    config = config or load_config()
    adviser = load_advisor(folder_or_name, config)
    pairs = (adviser if isinstance(adviser, PairAdviser)
             else ScoreComparer(adviser, config.advice.confidence, load_prior(PRETRAINED, config.label)))
    return pairs_with_outcomes(adviser, pairs, str(folder_or_name), outcomes or {}, config)


def load_scorer(adviser: str | Path | object, config: Config | None = None) -> Scorer:
    """An adviser that scores candidates, from a name, a run folder, or the adviser's object. One that only answers pair
    questions compares the target with the reference datasets of `advice.references` (default: all known ones)."""
    if isinstance(adviser, str | Path):
        adviser = load_advisor(adviser, config)
    if isinstance(adviser, Scorer):
        return adviser
    config, anchors = config or load_config(), load_anchors()
    return as_scorer(adviser, config.advice.references or tuple(anchors), anchors, config.epoch)
