"""Is the difference real? Resampling by near-duplicate group, McNemar's test, and how far anyone could get.

Pairs of one network, and of networks whose code is nearly the same, stand and fall together: an interval that treats
them as independent is too narrow, so groups are resampled, not pairs.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from nngpt_perfclf.evaluation.metrics import CONFIDENCE, wilson


def group_interval(values: np.ndarray, groups: np.ndarray | pd.Series, resamples: int, seed: int) -> tuple:
    """The percentile bootstrap interval of the mean of `values`, whole groups drawn with replacement.

    Give it the differences of two predictors' hits for a paired comparison. NaN where there are fewer than two groups.
    """
    from scipy.stats import bootstrap

    by_group = pd.Series(np.asarray(values, float)).groupby(np.asarray(groups, object))
    sums, sizes = by_group.sum().to_numpy(), by_group.size().to_numpy(float)
    if len(sums) < 2:
        return (np.nan, np.nan)
    drawn = bootstrap((sums, sizes), _ratio, paired=True, vectorized=True, n_resamples=resamples, method="percentile",
                      confidence_level=CONFIDENCE, batch=max(1, 2_000_000 // len(sums)), rng=seed)
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def compare(hit: np.ndarray, other: np.ndarray, groups: np.ndarray | pd.Series, resamples: int, seed: int) -> dict:
    """One predictor's hits against another's on the same pairs.

    `difference` of the accuracies with `low` and `high` by group, the pairs that only one of them got right
    (`only_here`, `only_there`; against a tossed coin, the one with an opinion decides) and `mcnemar_p`, McNemar's exact
    test on those.
    """
    from scipy.stats import binomtest

    difference = np.asarray(hit, float) - np.asarray(other, float)
    low, high = group_interval(difference, groups, resamples, seed)
    here, there = int((difference > 0).sum()), int((difference < 0).sum())
    p = float(binomtest(here, here + there).pvalue) if here + there else 1.0
    return {"n": len(difference), "difference": float(difference.mean()), "low": low, "high": high,
            "only_here": here, "only_there": there, "mcnemar_p": p}


def replicate_ceiling(trials: pd.DataFrame, label: str, seed: int) -> dict:
    """How often two disjoint random halves of the same networks' trials name the same winner, by best trial a side.

    trials: as `tasks.labelled_trials` gives them; label: normalized or rank. Only sides with two trials or more can
    be halved, and a pair that ties in one half counts one half. Gives n (pairs of datasets), `agreement` with low and
    high. What the halves do not agree on is the luck of the recipe, which no reader of the code can know.
    """
    column = {"normalized": "norm", "rank": "rank"}[label]
    shuffled = trials.sample(frac=1, random_state=seed)
    side = ["nn", "epoch", "dataset"]
    half = (shuffled.groupby(side, observed=True).cumcount() % 2).rename("half")
    best = shuffled.groupby([*side[:2], half, "dataset"], observed=True)[column].max().unstack("dataset")
    halves = [best[best.index.get_level_values("half") == one].droplevel("half") for one in (0, 1)]
    first, second = halves[0].align(halves[1], join="inner")
    agreed = [_agreement(first[a] - first[b], second[a] - second[b]) for a, b in combinations(first.columns, 2)]
    agreed = np.concatenate(agreed) if agreed else np.array([])
    low, high = wilson(agreed)
    return {"n": len(agreed), "agreement": float(agreed.mean()) if len(agreed) else np.nan, "low": low, "high": high}


def _ratio(sums: np.ndarray, sizes: np.ndarray, axis: int) -> np.ndarray:
    return sums.sum(axis=axis) / sizes.sum(axis=axis)


def _agreement(first: pd.Series, second: pd.Series) -> np.ndarray:
    known = first.notna() & second.notna()
    return (1 + np.sign(first[known]) * np.sign(second[known])).to_numpy() / 2
