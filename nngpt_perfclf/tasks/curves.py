"""Recorded trials epoch by epoch: the accuracy after each epoch, and the seconds until its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nngpt_perfclf.tasks.pairs import trials_of_task

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.corpus import Corpus
    from nngpt_perfclf.tasks.task import Task

KEYS = ["dataset", "nn", "trial"]


def recorded_curves(corpus: Corpus, task: Task, epochs: Sequence[int], value: str = "accuracy") -> pd.DataFrame:
    """One row a trial, indexed by `KEYS`, one column for each of `epochs`, NaN where the trial has no result.

    value: ``accuracy`` (0..1) or ``duration`` (seconds from the start of the training). LEMUR lists a few trials twice
    with the same id; the first one counts.
    """
    trials = trials_of_task(corpus, task)
    chosen = trials[trials["epoch"].isin(epochs)].drop_duplicates([*KEYS, "epoch"])
    chosen = chosen.astype({"dataset": "str", "nn": "str"})
    table = chosen.pivot(index=KEYS, columns="epoch", values=value)
    return table.reindex(columns=list(epochs))
