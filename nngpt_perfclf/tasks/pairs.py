"""Labelled pairs: one network, one epoch, two datasets, and the dataset on which the network did better.

Labels: normalized is a trial's accuracy divided by the best accuracy of its dataset at its epoch (the rule of the
reference's DatasetCompareBuilder); rank is its percentile among those trials, which does not depend on how easy the
dataset is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.tasks.task import Task
from nngpt_perfclf.types import PerfclfError, Question, Recipe

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LABELS = {"normalized": "norm", "rank": "rank"}
TRIALS = ("random", "best")
# Columns of a trial, and their names in a pair without the side.
OF_A_SIDE = {"dataset": "ds", "accuracy": "acc", "norm": "norm", "rank": "rank", "trial": "trial", "lr": "lr",
             "momentum": "momentum", "batch": "batch", "dropout": "dropout", "transform": "transform"}
PAIR_COLUMNS = ("nn", "epoch", "ds_a", "ds_b", "acc_a", "acc_b", "norm_a", "norm_b", "rank_a", "rank_b", "better",
                "tie", "margin", *(f"{name}_{side}" for side in "ab" for name in
                                   ("trial", "lr", "momentum", "batch", "dropout", "transform")))
KEYS = ["dataset", "nn", "trial"]  # what tells trials apart, whatever the epoch


def trials_of_task(corpus: Corpus, task: Task) -> pd.DataFrame:
    """The task's recorded trials at all epochs."""
    trials = corpus.trials
    return trials[(trials["task"] == task.task) & (trials["metric"] == task.metric)
                  & trials["dataset"].isin(task.datasets)]


def labelled_trials(corpus: Corpus, task: Task, epoch: int) -> pd.DataFrame:
    """The task's trials at `epoch`, with both labels, `norm` and `rank`, in 0..1.

    Raises PerfclfError, naming the epochs that have trials, if there are none.
    """
    trials = trials_of_task(corpus, task)
    at_epoch = trials[trials["epoch"] == epoch]
    if at_epoch.empty:
        epochs = sorted(trials["epoch"].unique().tolist())
        available = f"epochs {epochs[0]} to {epochs[-1]} have some" if epochs else f"{corpus.source} has none"
        raise PerfclfError(f"task {task.name}: no trials at epoch {epoch}; {available}")
    at_epoch = at_epoch.astype({"nn": "str", "dataset": "str", "transform": "str"})
    accuracy = at_epoch.groupby("dataset")["accuracy"]
    best = accuracy.transform("max")
    if not (best > 0).all():
        zero = ", ".join(sorted(at_epoch.loc[best <= 0, "dataset"].unique()))
        raise PerfclfError(f"task {task.name}: the best accuracy at epoch {epoch} is 0 on {zero}, so that no accuracy "
                           "can be normalized")
    return at_epoch.assign(norm=at_epoch["accuracy"] / best, rank=accuracy.rank(pct=True)).reset_index(drop=True)


def make_pairs(trials: pd.DataFrame, label: str, trial: str, seed: int) -> pd.DataFrame:
    """All labelled pairs of the datasets that a network has trials on; the columns are `PAIR_COLUMNS`.

    trials: as `labelled_trials` returns them. label: normalized or rank. trial: ``best``, the network's most accurate
    trial on each side, or ``random``, a trial drawn for each side of each pair. Which dataset is `ds_a` is drawn too.
    The draws are hashes of `seed` and the names: they do not depend on the order of the rows, and trials of one network
    do not affect the pairs of another. A `tie` goes to the alphabetically first dataset, as in the reference.
    `margin`: the difference of the two labels, 0..1.
    """
    if label not in LABELS:
        raise PerfclfError(f"label={label}: known are {', '.join(LABELS)}")
    if trial not in TRIALS:
        raise PerfclfError(f"trial={trial}: known are {', '.join(TRIALS)}")
    import pandas as pd

    chosen = _best(trials) if trial == "best" else None
    pairs = [_joined(trials, chosen, pair, seed) for pair in combinations(sorted(trials["dataset"].unique()), 2)]
    pairs = [pair for pair in pairs if len(pair)]
    if not pairs:
        raise PerfclfError(f"no network has trials on two of the datasets {', '.join(trials['dataset'].unique())}")
    table = pd.concat(pairs, ignore_index=True).sort_values(["nn", "epoch", "ds_a", "ds_b"], ignore_index=True)
    return _labelled(table, LABELS[label])[list(PAIR_COLUMNS)]


def question_of(row, codes: Mapping[str, str]) -> Question:
    """The question of a row of pairs (a namedtuple of `itertuples`), with both recipes."""
    return Question(codes[row.nn], row.ds_a, row.ds_b, recipe_of(row, "a"), recipe_of(row, "b"), int(row.epoch))


def recipe_of(row, side: str = "") -> Recipe:
    """The recipe of one side, "a" or "b", of a row of pairs, or of a row of trials (side ``""``); NaN becomes None."""
    ending = f"_{side}" if side else ""
    lr, momentum, batch, dropout, transform = (
        _stated(getattr(row, name + ending)) for name in ("lr", "momentum", "batch", "dropout", "transform"))
    return Recipe(lr, momentum, None if batch is None else int(batch), dropout, transform)


def anchor_recipes(trials: pd.DataFrame) -> dict[str, Recipe]:
    """For each dataset the recipe of its trial with the median accuracy (the lower one of an even number).

    Pass trials of the training part only: anchors are part of a trained adviser.
    """
    ordered = trials.sort_values(["dataset", "accuracy", "nn", "trial"], kind="stable")
    by_dataset = ordered.groupby("dataset", observed=True)
    return {dataset: recipe_of(next(rows.iloc[[(len(rows) - 1) // 2]].itertuples())) for dataset, rows in by_dataset}


def _best(trials: pd.DataFrame) -> pd.DataFrame:
    ordered = trials.sort_values(["accuracy", "trial"], ascending=[False, True], kind="stable")
    return ordered.drop_duplicates(["nn", "epoch", "dataset"])


def _drawn(trials: pd.DataFrame, other: str, seed: int) -> pd.DataFrame:
    """For each network and epoch the trial that is drawn for the pair with the dataset `other`."""
    keys = trials["dataset"] + "|" + trials["nn"] + "|" + trials["trial"] + "|" + trials["epoch"].astype(str)
    lot = _hashed(keys, f"{seed}|{other}")
    # LEMUR lists a few trials twice with the same id; the lower accuracy is taken.
    ordered = trials.assign(lot=lot).sort_values(["lot", "accuracy"], kind="stable")
    return ordered.drop_duplicates(["nn", "epoch"]).drop(columns="lot")


def _joined(trials: pd.DataFrame, chosen: pd.DataFrame | None, pair: tuple[str, str], seed: int) -> pd.DataFrame:
    """The pairs of two datasets, unlabelled, with the sides in drawn order."""
    import numpy as np
    import pandas as pd

    keys = ["nn", "epoch"]
    sides = []
    for own, other in (pair, pair[::-1]):
        rows = trials if chosen is None else chosen
        rows = rows[rows["dataset"] == own]
        side = _drawn(rows, other, seed) if chosen is None else rows
        sides.append(side[[*keys, *OF_A_SIDE]])
    both = sides[0].merge(sides[1], on=keys, suffixes=("_a", "_b"))
    swap = _hashed(both["nn"] + "|" + both["epoch"].astype(str), f"{seed}|{'|'.join(pair)}") % np.uint64(2) == 1
    table = both[keys].copy()
    for name, short in OF_A_SIDE.items():
        first, second = both[f"{name}_a"], both[f"{name}_b"]
        table[f"{short}_a"] = pd.Series(np.where(swap, second, first), dtype=first.dtype)
        table[f"{short}_b"] = pd.Series(np.where(swap, first, second), dtype=first.dtype)
    return table


def _labelled(table: pd.DataFrame, column: str) -> pd.DataFrame:
    label_a, label_b = table[f"{column}_a"], table[f"{column}_b"]
    first = table["ds_a"].where(table["ds_a"] < table["ds_b"], table["ds_b"])
    better = table["ds_a"].where(label_a > label_b, table["ds_b"]).where(label_a != label_b, first)
    return table.assign(better=better, tie=label_a == label_b, margin=(label_a - label_b).abs())


def _hashed(names: pd.Series, salt: str) -> np.ndarray:
    """A uniform uint64 hash of each name and the salt, the same on every machine."""
    import numpy as np
    from pandas.util import hash_array

    key = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "little")
    return hash_array(np.asarray(names, dtype=object), hash_key=f"{key:016x}", categorize=False)


def _stated(value):
    import pandas as pd

    return None if pd.isna(value) else value


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
