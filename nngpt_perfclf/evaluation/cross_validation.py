"""The baselines over all folds: every pair is predicted by what was learned without its fold.

``nngpt-perfclf evaluate evaluate.part=folds`` makes the table; `split.by` says what a fold keeps apart. The fixed test
part leaves the largest near-duplicate groups to training; here they are predicted too, from what remains without them.
At the default similarity of 0.75 one group holds 2,445 of the 3,343 networks and so fills a fold, which leaves 898 to
learn from; ``split.similarity=0.97`` (1,489 groups, the largest of 323) makes five even folds, between which weaker
likeness remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.pairwise import PairModel, fit_pair_model
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.advice.tree_models import DRAWS
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress
from nngpt_perfclf.evaluation.comparison import group_interval
from nngpt_perfclf.evaluation.metrics import hits, rate
from nngpt_perfclf.evaluation.predict import write_parquet
from nngpt_perfclf.evaluation.run import plan
from nngpt_perfclf.files import write_json
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import TaskData, folds_of_pairs, make_pairs, question_of
from nngpt_perfclf.types import PerfclfError

PRIOR, READS = "prior", ("code", "recipe", "both")
# Label and trial of each side. The best trial's recipe was chosen by its accuracy, so no adviser may read it.
ASKED = (("normalized", "random"), ("rank", "random"), ("normalized", "best"))


def cross_validate(config: Config) -> dict:
    """Prior and gradient boosting on all pairs of `config.epoch`, labelled by `config.train.labels`, fold by fold.

    `tasks.folds_of_pairs` says what folds there are. Under ``split.by=dataset`` a pair stands in two of them, and the
    prior, which has never seen it, in neither has an opinion (one half).

    Writes ``folds.json`` and each fold's predictions into `config.out` (default ``runs/folds``); with ``resume=true``
    finished folds are not learned again. Returns in `table` a row for each question and predictor with n, accuracy, its
    95 % Wilson interval, and how far it is above the prior, with an interval by near-duplicate group; in `folds` the
    same for each fold. Raises PerfclfError where the folder holds a table already, or was begun with another
    configuration.
    """
    folder = Path(config.out or Path("runs") / "folds")
    if (folder / "folds.json").is_file() and not config.resume:
        raise PerfclfError(f"{folder} already holds a table: name another out=, or go on with resume=true")
    if unknown := set(config.evaluate.reads) - set(READS):
        raise PerfclfError(f"evaluate.reads: {', '.join(sorted(unknown))} is not of {', '.join(READS)}")
    questions = [(label, trial) for label, trial in ASKED if label in config.train.labels]
    data = TaskData.load(config)
    begun = manifest("folds", plan(config), data.fingerprint)
    RunFolder(folder).begin(begun)
    world = _Folds.of(data)
    table, by_fold = [], []
    with progress() as bar:
        steps = sum(len(_readers(config, trial)) for _, trial in questions)
        task = bar.add_task("folds", total=len(world.names) * steps)
        for number, name in enumerate(world.names):
            for label, trial in questions:
                for reads in _readers(config, trial):
                    file = folder / f"{label}-{trial}-{reads}-{name}.parquet"
                    if not file.is_file():
                        write_parquet(world.predicted(label, trial, reads, number), file)
                    bar.advance(task)
    for label, trial in questions:
        prior = None
        for reads in _readers(config, trial):
            told = {"label": label, "trial": trial, "predictor": PRIOR if reads == PRIOR else f"pairwise ({reads})"}
            found = {name: pd.read_parquet(folder / f"{label}-{trial}-{reads}-{name}.parquet") for name in world.names}
            hit = pd.concat(map(_hits, found.values()), keys=world.names)
            prior = hit if reads == PRIOR else prior
            groups = pd.concat(found.values())["nn"].map(world.groups)
            table.append({**told, **_figures(hit, prior, groups, config)})
            by_fold += [{"fold": name, **told, "networks": found[name]["nn"].nunique(),
                         **_figures(hit[name], prior[name], found[name]["nn"].map(world.groups), config)}
                        for name in world.names]
    result = {"out": str(folder), "epoch": config.epoch, "split": config.split.by, "table": table, "folds": by_fold}
    write_json(folder / "folds.json", {**result, "record": begun})
    return result


def _readers(config: Config, trial: str) -> tuple[str, ...]:
    """Who predicts: the prior, and trees that read what is configured and may be read."""
    return (PRIOR, *(reads for reads in config.evaluate.reads if trial == "random" or reads == "code"))


@dataclass(frozen=True, eq=False)
class _Folds:
    """`trials`: of networks with pairs; `groups`: of every network; `names` and `chosen`: each fold's name, and which
    rows of a table of pairs are in it."""

    data: TaskData
    trials: pd.DataFrame
    groups: pd.Series
    names: tuple[str, ...]
    chosen: tuple

    @staticmethod
    def of(data: TaskData) -> _Folds:
        groups, trials = data.networks["group"], data.trials
        pairs = make_pairs(trials, *ASKED[0], data.config.seed)
        folds = folds_of_pairs(pairs, groups, data.config.split, data.config.seed)
        return _Folds(data, trials[trials["nn"].isin(set(pairs["nn"]))], groups, tuple(folds), tuple(folds.values()))

    def predicted(self, label: str, trial: str, reads: str, number: int) -> pd.DataFrame:
        """The pairs of one fold with `p_a`, the probability that `ds_a` is the better one."""
        once, drawn = self.pairs(label, trial)
        asked, learned = once[self.chosen[number](once)], drawn[~self.chosen[number](drawn)]
        if reads == PRIOR:
            prior = PairPrior.fit(learned)
            return asked.assign(p_a=[prior(row.ds_a, row.ds_b) for row in asked.itertuples()])
        blank = PairModel(None, (), reads)
        model = fit_pair_model(learned, self.data, blank)
        questions = [question_of(row, self.data.codes) for row in asked.itertuples()]
        return asked.assign(p_a=1 / (1 + np.exp(-model.log_odds(questions, self.data.datasets))))

    @lru_cache(maxsize=len(ASKED))  # noqa: B019 - one object, which lives as long as the table is made
    def pairs(self, label: str, trial: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All pairs, once to be asked about and in several draws, without ties, to learn from."""
        seed, draws = self.data.config.seed, DRAWS if trial == "random" else 1
        tables = [make_pairs(self.trials, label, trial, seed + 1000 * draw) for draw in range(draws)]
        drawn = pd.concat(tables, ignore_index=True)
        return tables[0], drawn[~drawn["tie"]]


def _hits(found: pd.DataFrame) -> pd.Series:
    return pd.Series(hits(found["p_a"].to_numpy(), (found["better"] == found["ds_a"]).to_numpy()))


def _figures(hit: pd.Series, prior: pd.Series, groups: pd.Series, config: Config) -> dict:
    told = rate(hit)
    low, high = group_interval(hit.to_numpy() - prior.to_numpy(), groups, config.evaluate.resamples, config.seed)
    return {"n": told["n"], "accuracy": told["accuracy"], "accuracy_low": told["low"], "accuracy_high": told["high"],
            "above_prior": float((hit - prior).mean()), "above_prior_low": None if np.isnan(low) else low,
            "above_prior_high": None if np.isnan(high) else high}
