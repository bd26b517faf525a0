"""Paired comparison: intervals by group, McNemar's test, and the agreement of replicates."""

import numpy as np
import pandas as pd
import pytest
from made_predictions import predictions

from nngpt_perfclf.evaluation import metrics
from nngpt_perfclf.evaluation.comparison import compare, group_interval, replicate_ceiling


def test_correlated_groups_have_a_wider_interval():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 20)
    correlated = np.repeat(random.random(30) < 0.8, 20).astype(float)
    by_group = group_interval(correlated, groups, 1000, 0)
    by_pair = group_interval(correlated, np.arange(600), 1000, 0)
    assert by_group[1] - by_group[0] > 3 * (by_pair[1] - by_pair[0])
    assert by_group[0] <= correlated.mean() <= by_group[1]


def test_a_single_group_has_no_interval():
    assert np.isnan(group_interval(np.ones(5), np.zeros(5), 100, 0)).all()


def test_mcnemar_counts_only_the_pairs_on_which_two_predictors_differ():
    first, second = np.repeat([1.0, 0.0, 1.0], [9, 1, 90]), np.repeat([0.0, 1.0, 1.0], [9, 1, 90])
    found = compare(first, second, np.arange(100), 200, 0)
    assert (found["only_here"], found["only_there"]) == (9, 1)
    assert found["difference"] == pytest.approx(0.08)
    assert found["mcnemar_p"] == pytest.approx(2 * (10 + 1) / 2**10)


def test_exchanging_the_predictors_changes_the_sign_and_a_predictor_equals_itself():
    table = predictions()
    won = (table["better"] == table["ds_a"]).to_numpy()
    first, second = (metrics.hits(table[column], won) for column in ("p_a", "prior_a"))
    forth, back = (compare(*both, table["group"], 300, 0) for both in ((first, second), (second, first)))
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["mcnemar_p"] == back["mcnemar_p"]
    same = compare(first, first, table["group"], 300, 0)
    assert (same["difference"], same["low"], same["high"], same["mcnemar_p"]) == (0, 0, 0, 1)


def replicated(noise: float, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = [(f"n{number}", 1, dataset, ability + noise * random.normal())
            for number in range(300) for dataset in ("mnist", "svhn")
            for ability in [random.normal()] for _ in range(4)]
    return pd.DataFrame(rows, columns=["nn", "epoch", "dataset", "norm"]).assign(rank=lambda table: table["norm"])


def test_halves_of_trials_without_noise_agree_and_halves_of_noise_agree_half_the_time():
    assert replicate_ceiling(replicated(0.0), "normalized", 0) == {
        "n": 300, "agreement": 1.0, "low": pytest.approx(0.987, abs=1e-3), "high": pytest.approx(1)}
    assert replicate_ceiling(replicated(1e6), "rank", 0)["agreement"] == pytest.approx(0.5, abs=0.08)


def test_sides_with_one_trial_are_left_out():
    lone = replicated(0.0).drop_duplicates(["nn", "dataset"])
    assert replicate_ceiling(lone, "normalized", 0)["n"] == 0
