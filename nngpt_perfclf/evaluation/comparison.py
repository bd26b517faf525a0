"""Paired comparison of two predictors: cluster bootstrap by near-duplicate group, McNemar's test, label noise.

Answers about one network, and about networks with nearly the same code, are correlated. An interval that treats them
as independent is too narrow, so groups are resampled, not pairs.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, bootstrap

from nngpt_perfclf.evaluation.metrics import CONFIDENCE, wilson


def group_interval(values: np.ndarray, groups: np.ndarray | pd.Series, resamples: int, seed: int) -> tuple:
    """The percentile bootstrap interval of the mean of `values`; whole groups are drawn with replacement.

    For a paired comparison `values` are the differences of two predictors' hits. NaN for fewer than two groups.
    """
    by_group = pd.Series(np.asarray(values, float)).groupby(np.asarray(groups, object))
    sums, sizes = by_group.sum().to_numpy(), by_group.size().to_numpy(float)
    if len(sums) < 2:
        return (np.nan, np.nan)
    interval = bootstrap(
        (sums, sizes), lambda sums, sizes, axis: sums.sum(axis=axis) / sizes.sum(axis=axis), paired=True,
        vectorized=True, n_resamples=resamples, method="percentile", confidence_level=CONFIDENCE,
        batch=max(1, 2_000_000 // len(sums)), rng=seed).confidence_interval
    return float(interval.low), float(interval.high)


def compare(hit: np.ndarray, other: np.ndarray, groups: np.ndarray | pd.Series, resamples: int, seed: int) -> dict:
    """Compare two predictors' hits on the same pairs.

    Returns n, `difference` of the accuracies with `low` and `high` by group, the numbers of pairs on which only the
    first (`only_here`) or only the second (`only_there`) is right, and `mcnemar_p`, McNemar's exact test on those two.
    Where one has no opinion, the other one decides.
    """
    difference = np.asarray(hit, float) - np.asarray(other, float)
    low, high = group_interval(difference, groups, resamples, seed)
    first, second = int((difference > 0).sum()), int((difference < 0).sum())
    p = float(binomtest(first, first + second).pvalue) if first + second else 1.0
    return {"n": len(difference), "difference": float(difference.mean()), "low": low, "high": high,
            "only_here": first, "only_there": second, "mcnemar_p": p}


def replicate_ceiling(trials: pd.DataFrame, label: str, seed: int) -> dict:
    """How often two disjoint random halves of the same networks' trials have the same winner, by best trials.

    This estimates the label noise that the choice of recipe causes, which cannot be predicted from the code alone.
    trials: as `tasks.labelled_trials` returns them; label: normalized or rank. Sides with one trial are left out; a
    pair that ties in one half counts one half. Returns n (pairs of datasets) and `agreement` with low and high.
    """
    column = {"normalized": "norm", "rank": "rank"}[label]
    shuffled = trials.sample(frac=1, random_state=seed)
    side = ["nn", "epoch", "dataset"]
    half = (shuffled.groupby(side, observed=True).cumcount() % 2).rename("half")
    best = shuffled.groupby([*side[:2], half, "dataset"], observed=True)[column].max().unstack("dataset")
    halves = [best[best.index.get_level_values("half") == number].droplevel("half") for number in (0, 1)]
    first, second = halves[0].align(halves[1], join="inner")
    agreed = [_agreement(first[a] - first[b], second[a] - second[b]) for a, b in combinations(first.columns, 2)]
    agreed = np.concatenate(agreed) if agreed else np.array([])
    low, high = wilson(agreed)
    return {"n": len(agreed), "agreement": float(agreed.mean()) if len(agreed) else np.nan, "low": low, "high": high}


def _agreement(first: pd.Series, second: pd.Series) -> np.ndarray:
    in_both = first.notna() & second.notna()
    return (1 + np.sign(first[in_both]) * np.sign(second[in_both])).to_numpy() / 2
