"""The baselines over all folds: every pair is predicted once, by what was learned from other near-duplicate groups.

``nngpt-perfclf evaluate evaluate.part=folds`` makes the table. The fixed test part leaves the largest groups to
training; here they are predicted too, from what remains without them. At the default similarity of 0.75 one group
holds 2,445 of the 3,343 networks and so fills a fold, which leaves 898 to learn from; ``split.similarity=0.97`` (1,489
groups, the largest of 323) makes five even folds, between which weaker likeness remains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.features import CodeReader
from nngpt_perfclf.advice.gbdt import DRAWS, drawn_pairs, fit_forest
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import progress
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.evaluation.metrics import wilson
from nngpt_perfclf.evaluation.predict import write_parquet
from nngpt_perfclf.prompts import dataset_properties
from nngpt_perfclf.record import record, write_json
from nngpt_perfclf.tasks import codes_of, folds, labelled_trials, load_task, make_pairs, question_of, split_networks
from nngpt_perfclf.types import PerfclfError

FOLDS = 5
PRIOR = "prior"
# Label, trials a side, and who predicts: the prior, or trees that read code, recipe or both. The best trial's recipe
# was chosen by its accuracy, so nobody may read it.
TABLE = (
    *((label, "one", reads) for label in ("normalized", "rank") for reads in (PRIOR, "code", "recipe", "both")),
    *(("normalized", "best", reads) for reads in (PRIOR, "code")),
)


def cross_validate(config: Config) -> dict:
    """Prior and gradient boosting on all pairs of `config.epoch`, by `FOLDS` folds of near-duplicate groups.

    Writes ``folds.json`` and each fold's predictions into `config.out` (default ``runs/folds``); with ``resume=true``
    finished folds are not learned again. Returns a row for each of `TABLE` with n, accuracy, its 95 % Wilson interval
    and the accuracies of the worst and the best fold. Raises PerfclfError where the folder holds a table already.
    """
    folder = Path(config.out or Path("runs") / "folds")
    if (folder / "folds.json").is_file() and not config.resume:
        raise PerfclfError(f"{folder} already holds a table: name another out=, or go on with resume=true")
    folder.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(config)
    network_folds = _Folds.of(config, corpus)
    hits: dict[tuple[str, str, str], list[pd.Series]] = {key: [] for key in TABLE}
    with progress() as bar:
        task = bar.add_task("folds", total=FOLDS * len(TABLE))
        for number in range(FOLDS):
            for key in TABLE:
                file = folder / f"{'-'.join(key)}-{number}.parquet"
                if not file.is_file():
                    write_parquet(network_folds.predicted(*key, number), file)
                found = pd.read_parquet(file)
                hits[key].append((found["p_a"] > 0.5) == (found["better"] == found["ds_a"]))
                bar.advance(task)
    sizes = network_folds.fold.value_counts().sort_index()
    result = {"out": str(folder), "epoch": config.epoch, "networks_by_fold": [int(size) for size in sizes],
              "table": [_row(key, found) for key, found in hits.items()]}
    write_json(folder / "folds.json", {**result, "record": record("folds", to_dict(config), corpus.fingerprint)})
    return result


@dataclass(frozen=True, eq=False)
class _Folds:
    """`groups`: of every network; `fold`: of each one that has pairs."""

    config: Config
    trials: pd.DataFrame
    codes: dict[str, str]
    groups: pd.Series
    fold: pd.Series

    @staticmethod
    def of(config: Config, corpus: Corpus) -> _Folds:
        task = load_task(config.task)
        trials, codes = labelled_trials(corpus, task, config.epoch), codes_of(corpus, task)
        several = trials.groupby("nn")["dataset"].nunique() > 1
        groups = split_networks(codes, config.split)["group"]
        fold = folds(groups.reindex(several.index[several]), FOLDS, config.seed)
        return _Folds(config, trials[trials["nn"].isin(fold.index)], codes, groups, fold)

    def predicted(self, label: str, sides: str, reads: str, number: int) -> pd.DataFrame:
        """The pairs of one fold with `p_a`, the probability that `ds_a` is the better one."""
        config = replace(self.config, label=label, sides=sides)
        asked, drawn = self.pairs(label, sides)
        asked, learned = asked[asked["nn"].map(self.fold) == number], drawn[drawn["nn"].map(self.fold) != number]
        if reads == PRIOR:
            prior = PairPrior.fit(learned)
            return asked.assign(p_a=[prior(row.ds_a, row.ds_b) for row in asked.itertuples()])
        forest = fit_forest(learned, self.codes, self.groups, self.readers(number), config, self.known, reads)
        odds = forest.log_odds([question_of(row, self.codes) for row in asked.itertuples()], self.known)
        return asked.assign(p_a=1 / (1 + np.exp(-odds)))

    @lru_cache(maxsize=len(TABLE))  # noqa: B019 - one object, which lives as long as the table is made
    def pairs(self, label: str, sides: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All pairs, once to be asked about and in several draws to learn from: a network's do not depend on others."""
        once = make_pairs(self.trials, label, sides, self.config.seed)
        return once, drawn_pairs(self.trials, label, replace(self.config, sides=sides), DRAWS)

    @cached_property
    def known(self):
        return dataset_properties(self.config.datasets)

    @lru_cache(maxsize=1)  # noqa: B019 - as above
    def readers(self, number: int) -> CodeReader:
        names = self.fold.index[self.fold != number]
        return CodeReader.fit([self.codes[nn] for nn in sorted(names)], self.config.seed)


def _row(key: tuple[str, str, str], hits: list[pd.Series]) -> dict:
    label, sides, reads = key
    hit = pd.concat(hits)
    low, high = wilson(hit)
    return {"label": label, "sides": sides, "predictor": PRIOR if reads == PRIOR else f"gbdt ({reads})", "n": len(hit),
            "accuracy": float(hit.mean()), "accuracy_low": low, "accuracy_high": high,
            "worst_fold": float(min(map(pd.Series.mean, hits))), "best_fold": float(max(map(pd.Series.mean, hits)))}
