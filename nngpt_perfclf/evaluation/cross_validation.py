"""Cross-validation of the majority baseline and the pairwise trees: ``nngpt-perfclf evaluate evaluate.part=folds``.

`split.by` chooses what a fold keeps apart. In the fixed split the largest near-duplicate groups always train; here they
are predicted too. At the default similarity of 0.75 one group has 2,445 of the 3,343 networks and fills a fold, which
leaves 898 to train on. With ``split.similarity=0.97`` (1,489 groups, the largest of 323) the five folds are even, but
networks of different folds may be more alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.pairwise import PairModel, fit_pair_model
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.advice.weights import DRAWS
from nngpt_perfclf.budget import announcement, measured_rate
from nngpt_perfclf.config import Config, SplitConfig
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.evaluation.comparison import group_interval
from nngpt_perfclf.evaluation.metrics import hits, rate
from nngpt_perfclf.evaluation.predict import write_parquet
from nngpt_perfclf.evaluation.run import plan
from nngpt_perfclf.files import read_parquet, write_json
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import TaskData, folds_of_pairs, make_pairs
from nngpt_perfclf.types import PerfclfError

SAMPLE = (1000, 16_000)  # the least and the most pairs that trees are fitted on to measure how fast
PRIOR, READS = "prior", ("code", "recipe", "both")
# Label and trial of each side. The best trial's recipe was selected by its accuracy, so no predictor may read it.
TARGETS = (("normalized", "random"), ("rank", "random"), ("normalized", "best"))


def cross_validate(config: Config) -> dict:
    """Majority baseline and pairwise trees on all pairs of `config.epoch`, for each of `config.train.labels`.

    `tasks.folds_of_pairs` defines the folds. Under ``split.by=dataset`` a pair is in two folds, and the majority
    baseline, which has not seen it in training, has no opinion (one half).

    Writes ``folds.json`` and each fold's predictions into `config.out` (default ``runs/folds``); with ``resume=true``
    finished folds are not computed again. Returns in `table` a row for each label, trial and predictor: n, accuracy,
    its 95 % Wilson interval, and the difference from the majority baseline with an interval by near-duplicate group;
    in `folds` the same for each fold. Raises PerfclfError if the folder holds a table already or was begun with another
    configuration.
    """
    folder = Path(config.out or Path("runs") / "folds")
    if (folder / "folds.json").is_file() and not config.resume:
        raise PerfclfError(f"{folder} already holds a table: name another out=, or continue it with resume=true")
    if unknown := set(config.evaluate.reads) - set(READS):
        raise PerfclfError(f"evaluate.reads: unknown {', '.join(sorted(unknown))}; known: {', '.join(READS)}")
    # A part that split.by=family left out would have to be named, and parts are not read here: groups are.
    data = TaskData.load(replace(config, split=replace(config.split, by="group", left_out=None)))
    record = manifest("folds", plan(config), data.fingerprint)
    RunFolder(folder).begin(record)
    folds = _Folds.of(data, config.split)
    jobs = [(label, trial, reads) for label, trial in TARGETS if label in config.train.labels
            for reads in (PRIOR, *config.evaluate.reads) if trial == "random" or reads in (PRIOR, "code")]

    def file_of(label: str, trial: str, reads: str, name: str) -> Path:
        return folder / f"{label}-{trial}-{reads}-{name}.parquet"

    left = [(job, number) for number, name in enumerate(folds.names) for job in jobs
            if not file_of(*job, name).is_file()]
    say(announcement("cross-validation", folds.seconds(left),
                     f"{len(left)} of {len(folds.names) * len(jobs)} tables of predictions, {len(folds.names)} folds"))
    with progress() as bar:
        for job, number in bar.track(left, description="folds"):
            write_parquet(folds.predicted(*job, number), file_of(*job, folds.names[number]))
    table, by_fold, prior = [], [], None
    for label, trial, reads in jobs:
        row = {"label": label, "trial": trial, "predictor": PRIOR if reads == PRIOR else f"pairwise ({reads})"}
        predictions = {name: read_parquet(file_of(label, trial, reads, name), "table of answers")
                       for name in folds.names}
        hit = pd.concat(map(_hits, predictions.values()), keys=folds.names)
        prior = hit if reads == PRIOR else prior  # the first job of each label and trial
        groups = pd.concat(predictions.values())["nn"].map(folds.groups)
        table.append({**row, **_figures(hit, prior, groups, config)})
        by_fold += [{"fold": name, **row, "networks": predictions[name]["nn"].nunique(),
                     **_figures(hit[name], prior[name], predictions[name]["nn"].map(folds.groups), config)}
                    for name in folds.names]
    result = {"out": str(folder), "epoch": config.epoch, "split": config.split.by, "table": table, "folds": by_fold}
    write_json(folder / "folds.json", {**result, "record": record})
    return result


@dataclass(frozen=True, eq=False)
class _Folds:
    """`trials`: of networks with pairs; `groups`: of every network; `names`: of the folds; `members`: for each fold, a
    function from a table of pairs to the mask of its rows in the fold."""

    data: TaskData
    trials: pd.DataFrame
    groups: pd.Series
    names: tuple[str, ...]
    members: tuple

    @staticmethod
    def of(data: TaskData, split: SplitConfig) -> _Folds:
        groups, trials = data.networks["group"], data.trials
        pairs = make_pairs(trials, *TARGETS[0], data.config.seed)
        folds = folds_of_pairs(pairs, groups, split, data.config.seed)
        return _Folds(data, trials[trials["nn"].isin(set(pairs["nn"]))], groups, tuple(folds), tuple(folds.values()))

    def predicted(self, label: str, trial: str, reads: str, number: int) -> pd.DataFrame:
        """The pairs of one fold with `p_a`, the probability that `ds_a` is the better one."""
        once, drawn = self.pairs(label, trial)
        test, train = once[self.members[number](once)], drawn[~self.members[number](drawn)]
        if reads == PRIOR:
            prior = PairPrior.fit(train)
            return test.assign(p_a=[prior(row.ds_a, row.ds_b) for row in test.itertuples()])
        model = self._fitted(train, reads)
        questions, _ = self.data.questions(test)
        return test.assign(p_a=1 / (1 + np.exp(-model.log_odds(questions, self.data.datasets))))

    def seconds(self, jobs: Sequence[tuple[tuple[str, str, str], int]]) -> float:
        """About how long `predicted` takes for each (label, trial, reads) and fold of `jobs`, by the rows a second that
        trees are fitted on in a sample."""
        rates, found = {}, 0.0
        for (label, trial, reads), number in jobs:
            if reads == PRIOR:
                continue
            _, drawn = self.pairs(label, trial)
            if reads not in rates:
                rates[reads] = measured_rate(partial(self._sample, drawn, reads), *SAMPLE)
            found += (~self.members[number](drawn)).sum() / rates[reads]
        return float(found)

    def _sample(self, pairs: pd.DataFrame, reads: str, rows: int) -> int:
        """Fit trees on a sample of the pairs; how many it has."""
        sample = pairs.sample(min(rows, len(pairs)), random_state=self.data.config.seed)
        self._fitted(sample, reads)
        return len(sample)

    def _fitted(self, pairs: pd.DataFrame, reads: str) -> PairModel:
        return fit_pair_model(pairs, self.data, PairModel(None, (), reads))

    @lru_cache(maxsize=len(TARGETS))  # noqa: B019 - one object, which lives as long as cross-validation runs
    def pairs(self, label: str, trial: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All pairs: one draw to be predicted, and several draws without ties to train on."""
        seed, draws = self.data.config.seed, DRAWS if trial == "random" else 1
        tables = [make_pairs(self.trials, label, trial, seed + 1000 * draw) for draw in range(draws)]
        drawn = pd.concat(tables, ignore_index=True)
        return tables[0], drawn[~drawn["tie"]]


def _hits(predictions: pd.DataFrame) -> pd.Series:
    return pd.Series(hits(predictions["p_a"].to_numpy(), (predictions["better"] == predictions["ds_a"]).to_numpy()))


def _figures(hit: pd.Series, prior: pd.Series, groups: pd.Series, config: Config) -> dict:
    accuracy = rate(hit)
    low, high = group_interval(hit.to_numpy() - prior.to_numpy(), groups, config.evaluate.resamples, config.seed)
    return {"n": accuracy["n"], "accuracy": accuracy["accuracy"], "accuracy_low": accuracy["low"],
            "accuracy_high": accuracy["high"], "above_prior": float((hit - prior).mean()),
            "above_prior_low": None if np.isnan(low) else low, "above_prior_high": None if np.isnan(high) else high}
