"""The summary of an evaluation: accuracy with n and intervals, baselines, and tables by dataset, pair and family."""

from itertools import pairwise

import numpy as np
import pandas as pd

from nngpt_perfclf.evaluation import metrics
from nngpt_perfclf.evaluation.comparison import compare, group_interval
from nngpt_perfclf.types import PerfclfError

KEYS = ["nn", "epoch", "ds_a", "ds_b"]


def summary(predictions: pd.DataFrame, others: dict[str, pd.DataFrame] | None = None, name: str = "adviser",
            resamples: int = 2000, seed: int = 0) -> dict:
    """All figures of a table of predictions (pair columns, `p_a`, `logit_ab`, `logit_ba`, `prior_a`), JSON-able.

    others: predictions of further advisers on the same pairs in any order; the majority baseline needs no entry. The
    result has n, `accuracy` with its Wilson interval (`_low`, `_high`) and its interval by group (`_group_low`,
    `_group_high`), the same for the majority baseline (`prior`), the accuracy of each of `others`, the numbers of ties
    and of answers without an opinion, and the rows of `predictors`, `comparisons`, `by_dataset`, `by_pair`,
    `by_family`, `by_margin`, `reliability` and `coverage`. Raises PerfclfError for an empty table and for `others` with
    other pairs.
    """
    if predictions.empty:
        raise PerfclfError("no pairs to evaluate: the chosen part is empty; take another split, epoch or part")
    columns = {"prior": predictions["prior_a"], name: predictions["p_a"],
               **{other: aligned(table, predictions, other)["p_a"] for other, table in (others or {}).items()}}
    won = (predictions["better"] == predictions["ds_a"]).to_numpy()
    probabilities = {key: column.to_numpy(float) for key, column in columns.items()}
    hit = {key: metrics.hits(p, won) for key, p in probabilities.items()}
    baselines = {key: value for key, value in hit.items() if key != name}
    groups = predictions["group"]
    intervals = {key: group_interval(value, groups, resamples, seed) for key, value in hit.items()}
    predictors = {key: {"predictor": key, **metrics.scores(p, won, predictions["better"]),
                        "group_low": intervals[key][0], "group_high": intervals[key][1]}
                  for key, p in probabilities.items()}
    table = pd.DataFrame({"hit": hit[name], **baselines})
    sides = predictions[["ds_a", "ds_b"]]
    return _plain({
        "adviser": name, "n": len(predictions), "networks": predictions["nn"].nunique(), "groups": groups.nunique(),
        **_prefixed("accuracy", predictors[name]), **_prefixed("prior", predictors["prior"]),
        **{other: predictors[other]["accuracy"] for other in others or {}},
        "ties": int(predictions["tie"].sum()), "no_opinion": int(predictions["p_a"].isna().sum()),
        "order_disagreement": metrics.order_disagreement(predictions["logit_ab"], predictions["logit_ba"]),
        "predictors": [predictors[key] for key in (name, *baselines)],
        "comparisons": [{"against": key, **compare(hit[name], value, groups, resamples, seed)}
                        for key, value in baselines.items()],
        "by_dataset": _by_dataset(table, predictions),
        "by_pair": _by(table, sides.min(axis=1) + " / " + sides.max(axis=1), "pair"),
        "by_family": _by(table, predictions["family"], "family"),
        "by_margin": _by(table, _margin_bin(predictions["margin"]), "margin"),
        "reliability": metrics.reliability(probabilities[name], won).to_dict("records"),
        "coverage": metrics.coverage(probabilities[name], won, baselines).to_dict("records"),
    })


def _prefixed(name: str, row: dict) -> dict:
    return {name: row["accuracy"], f"{name}_low": row["low"], f"{name}_high": row["high"],
            f"{name}_group_low": row["group_low"], f"{name}_group_high": row["group_high"]}


def _by(hits: pd.DataFrame, key: pd.Series, name: str) -> list[dict]:
    """A row for each value of `key`: n, accuracy, interval, and the other predictors' accuracy on the same pairs."""
    others = [column for column in hits if column != "hit"]
    return [{name: value, **metrics.rate(rows["hit"]), **rows[others].mean().to_dict()}
            for value, rows in hits.groupby(key.to_numpy())]


def _by_dataset(hits: pd.DataFrame, pairs: pd.DataFrame) -> list[dict]:
    """A pair counts for both of its datasets."""
    twice = pd.concat([hits, hits], ignore_index=True)
    return _by(twice, pd.concat([pairs["ds_a"], pairs["ds_b"]], ignore_index=True), "dataset")


def _margin_bin(margin: pd.Series) -> pd.Series:
    names = [f"{low:g} to {high:g}" for low, high in pairwise(metrics.MARGINS)]
    return pd.cut(margin, metrics.MARGINS, labels=names, include_lowest=True)


def aligned(table: pd.DataFrame, like: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of `table` in the order of `like`."""
    indexed = table.set_index(KEYS)
    order = pd.MultiIndex.from_frame(like[KEYS])
    if not indexed.index.is_unique or len(indexed) != len(order) or order.difference(indexed.index).size:
        raise PerfclfError(f"the predictions of {name} are for other pairs; evaluate both with the same configuration")
    return indexed.loc[order].reset_index()


def _plain(value):
    """JSON-able: numpy numbers become Python's, NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
