"""LEMUR's recorded trials as one table, and the code of every network.

A source (`sources`) is read only if there is no cache (`cache`) of its present state.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nngpt_perfclf.config import Config
from nngpt_perfclf.corpus.cache import Cache
from nngpt_perfclf.corpus.outcomes import with_outcomes
from nngpt_perfclf.corpus.sources import find_source

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Corpus:
    """All recorded trials and the code of every network.

    `trials`: a row for each trial with task, dataset, metric, nn, transform (categories), epoch (int), accuracy (0..1),
    duration (seconds), lr, momentum, batch, dropout (float, NaN: not stated) and trial (LEMUR's id of the run, the
    same at each of its epochs). `codes`: network -> Python source. `source`: where they were read. `fingerprint`: hex
    digest of trials and codes, independent of the source (`reading.fingerprint`). `skipped`: a line for each damaged
    file. `empty`: number of result files with an empty list. `statistics`: nn, parameters, flops and layers of the
    networks that the source has measured; None where it has none.
    """

    trials: pd.DataFrame
    codes: dict[str, str]
    source: str
    fingerprint: str
    skipped: tuple[str, ...]
    empty: int
    statistics: pd.DataFrame | None = None


def load_corpus(config: Config) -> Corpus:
    """The trials and codes of the configured source (cached while it does not change) and of `corpus.outcomes`.

    Raises PerfclfError if LEMUR is not found or is incomplete.
    """
    cache = Cache(find_source(config.corpus.path))
    summary = cache.summary()
    trials, codes = cache.tables()
    corpus = Corpus(trials, codes, summary["source"], summary["fingerprint"], tuple(summary["skipped"]),
                    summary["empty_files"], cache.statistics())
    return with_outcomes(corpus, config.corpus.outcomes)


def describe(config: Config) -> dict:
    """Counts of the corpus, and a row for each task, dataset and metric.

    `networks` counts a network once for each task and metric that it was run for, with or without trials.
    """
    started = time.perf_counter()
    summary = Cache(find_source(config.corpus.path)).summary()
    return {**summary, "seconds": round(time.perf_counter() - started, 3)}
