"""How good it is: text matching, figures with intervals and baselines, the paper's protocol, the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.config import Config


def evaluate(config: Config, run: str | None = None) -> dict:
    """Measure an adviser on held-out pairs, beside the prior; `evaluation.run.evaluate` says what is written."""
    if config.evaluate.part == "folds":
        from nngpt_perfclf.evaluation.cross_validation import cross_validate

        return cross_validate(config)
    if config.evaluate.answer == "generated":
        from nngpt_perfclf.evaluation.paper_protocol import evaluate as follow
    else:
        from nngpt_perfclf.evaluation.run import evaluate as follow
    return follow(config, run)


def summary(predictions: pd.DataFrame, others: dict[str, pd.DataFrame] | None = None, name: str = "adviser",
            resamples: int = 2000, seed: int = 0) -> dict:
    """Every figure of a predictions table, with n, intervals and the prior beside it."""
    from nngpt_perfclf.evaluation.figures import summary as summarise

    return summarise(predictions, others, name, resamples, seed)


def extract_answer(text: str, datasets: Sequence[str], mode: Literal["strict", "reference"] = "strict") -> str | None:
    """The dataset that a generated answer names, or None."""
    from nngpt_perfclf.evaluation.matching import extract_answer as match

    return match(text, datasets, mode)


def read_answer(raw: str, datasets: Sequence[str], mode: Literal["strict", "reference"] = "strict") -> str | None:
    """The same for a raw model output: reasoning blocks and prompt leakage are removed first."""
    from nngpt_perfclf.evaluation.matching import read_answer as read

    return read(raw, datasets, mode)
