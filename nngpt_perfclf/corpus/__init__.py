"""Where the facts come from: LEMUR's files or database become one table of trials and one map of codes.

A source (`sources`) is found, its state looked at, and read only if no cache (`cache`) of that state exists.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.config import Config


@dataclass(frozen=True)
class Corpus:
    """All recorded trials and the code of every network.

    `trials`: one row a trial with task, dataset, metric, nn, transform (categories), epoch (int), accuracy (0..1),
    duration (seconds), lr, momentum, batch, dropout (float, NaN: not stated) and trial (LEMUR's id of the run; the
    same one at each of its epochs). `codes`: network -> Python source. `source`: where they were read.
    `fingerprint`: hex, of the trials and codes themselves, the same wherever they lie (`reading.fingerprint`).
    `skipped`: damaged files and why, one line each. `empty`: result files that hold an empty list.
    """

    trials: pd.DataFrame
    codes: dict[str, str]
    source: str
    fingerprint: str
    skipped: tuple[str, ...]
    empty: int


def load_corpus(config: Config) -> Corpus:
    """The trials and codes of the configured source, from the cache when the source has not changed, and those of the
    run databases in `corpus.outcomes`.

    Raises PerfclfError where no LEMUR is found, or the one that is found cannot be trusted.
    """
    from nngpt_perfclf.corpus.cache import Cache
    from nngpt_perfclf.corpus.outcomes import with_outcomes
    from nngpt_perfclf.corpus.sources import find_source

    cache = Cache(find_source(config.corpus.path))
    summary = cache.summary()
    trials, codes = cache.tables()
    corpus = Corpus(trials, codes, summary["source"], summary["fingerprint"], tuple(summary["skipped"]),
                    summary["empty_files"])
    return with_outcomes(corpus, config.corpus.outcomes)


def describe(config: Config) -> dict:
    """What is in the corpus: counts, and a row for each task, dataset and metric.

    `networks` counts a network once for each task and metric that it was run for, whether trials came of it or not.
    """
    from nngpt_perfclf.corpus.cache import Cache
    from nngpt_perfclf.corpus.sources import find_source

    started = time.perf_counter()
    summary = Cache(find_source(config.corpus.path)).summary()
    return {**summary, "seconds": round(time.perf_counter() - started, 3)}
