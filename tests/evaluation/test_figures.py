"""The statistics against known values, and the laws that they keep."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_predictions import predictions, swapped

from nngpt_perfclf.evaluation import metrics, summary
from nngpt_perfclf.evaluation.comparison import compare, group_interval, replicate_ceiling
from nngpt_perfclf.types import PerfclfError

# 64ths: 1 - p is exact, so that ties stay ties when sides are exchanged.
chances = st.integers(0, 64).map(lambda number: number / 64) | st.just(float("nan"))
probabilities = st.lists(st.tuples(chances, st.booleans()), min_size=1, max_size=60)


def arrays(drawn):
    p, won = zip(*drawn, strict=True)
    return np.array(p, float), np.array(won, bool)


@pytest.mark.parametrize(("right", "n", "low", "high"),
                         [(24, 30, 0.6269, 0.9050), (0, 10, 0, 0.2775), (5, 5, 0.5655, 1)])
def test_the_wilson_interval_is_that_of_the_textbook(right, n, low, high):
    assert metrics.wilson(np.repeat([1.0, 0.0], [right, n - right])) == pytest.approx((low, high), abs=1e-4)


@settings(deadline=None)
@given(probabilities)
def test_an_interval_contains_its_estimate(drawn):
    row = metrics.rate(metrics.hits(*arrays(drawn)))
    assert -1e-12 <= row["low"] <= row["accuracy"] <= row["high"] <= 1 + 1e-12


def test_no_opinion_and_an_even_chance_count_as_a_tossed_coin():
    p, won = np.array([np.nan, 0.5, 0.9, 0.1]), np.array([True, False, True, True])
    assert metrics.hits(p, won).tolist() == [0.5, 0.5, 1.0, 0.0]


@settings(max_examples=50, deadline=None)
@given(probabilities)
def test_exchanging_the_sides_of_any_pair_changes_no_score(drawn):
    p, won = arrays(drawn)
    better = np.where(won, "mnist", "svhn")
    flip = np.arange(len(p)) % 2 == 0
    there = metrics.scores(np.where(flip, 1 - p, p), np.where(flip, ~won, won), better)
    assert there == pytest.approx(metrics.scores(p, won, better), abs=1e-6)


def test_scores_are_those_of_a_worked_example():
    p, won = np.array([0.9, 0.8, 0.3, 0.6]), np.array([True, True, False, False])
    found = metrics.scores(p, won, np.array(["x", "x", "y", "y"]))
    assert found["accuracy"] == found["balanced_accuracy"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.09 + 0.36) / 4)
    # From both sides: 0.9, 0.8, 0.7, 0.4 won against 0.1, 0.2, 0.3, 0.6; only 0.4 stands below one of these.
    assert found["auc"] == pytest.approx(15 / 16)


def test_answers_as_sure_as_they_are_right_have_no_calibration_error():
    p = np.repeat([0.6, 0.9], 100)
    won = np.concatenate([np.arange(100) < 60, np.arange(100) < 90])
    curve = metrics.reliability(p, won)
    assert curve["n"].tolist() == [100, 100]
    assert metrics.calibration_error(curve) == pytest.approx(0, abs=1e-9)
    assert metrics.calibration_error(metrics.reliability(np.full(100, 1.0), np.arange(100) < 60)) == pytest.approx(0.4)


@settings(deadline=None)
@given(probabilities)
def test_the_reliability_curve_loses_no_pair_and_rises_in_confidence(drawn):
    curve = metrics.reliability(*arrays(drawn))
    assert curve["n"].sum() == len(drawn)
    assert curve["confidence"].is_monotonic_increasing


@settings(deadline=None)
@given(probabilities)
def test_asking_for_more_confidence_never_answers_more(drawn):
    curve = metrics.coverage(*arrays(drawn))
    assert curve["coverage"].iloc[0] == 1
    assert curve["coverage"].is_monotonic_decreasing
    assert (curve["coverage"] > 0).all()


def test_orders_that_name_different_winners_are_counted_before_averaging():
    found = metrics.order_disagreement([1.0, 1.0, -1.0, np.nan], [2.0, -0.5, -0.2, 1.0])
    assert (found["n"], found["share"]) == (3, pytest.approx(1 / 3))


def test_groups_that_stand_and_fall_together_widen_the_interval():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 20)
    together = np.repeat(random.random(30) < 0.8, 20).astype(float)
    by_group = group_interval(together, groups, 1000, 0)
    by_pair = group_interval(together, np.arange(600), 1000, 0)
    assert by_group[1] - by_group[0] > 3 * (by_pair[1] - by_pair[0])
    assert by_group[0] <= together.mean() <= by_group[1]


def test_one_group_alone_has_no_interval():
    assert np.isnan(group_interval(np.ones(5), np.zeros(5), 100, 0)).all()


def test_mcnemar_counts_only_the_pairs_on_which_two_predictors_differ():
    here, there = np.repeat([1.0, 0.0, 1.0], [9, 1, 90]), np.repeat([0.0, 1.0, 1.0], [9, 1, 90])
    found = compare(here, there, np.arange(100), 200, 0)
    assert (found["only_here"], found["only_there"]) == (9, 1)
    assert found["difference"] == pytest.approx(0.08)
    assert found["mcnemar_p"] == pytest.approx(2 * (10 + 1) / 2**10)


def test_comparing_is_antisymmetric_and_with_itself_nothing():
    table = predictions()
    won = (table["better"] == table["ds_a"]).to_numpy()
    here, there = (metrics.hits(table[column], won) for column in ("p_a", "prior_a"))
    forth, back = (compare(*both, table["group"], 300, 0) for both in ((here, there), (there, here)))
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["mcnemar_p"] == back["mcnemar_p"]
    same = compare(here, here, table["group"], 300, 0)
    assert (same["difference"], same["low"], same["high"], same["mcnemar_p"]) == (0, 0, 0, 1)


def replicated(noise: float, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = [(f"n{number}", 1, dataset, ability + noise * random.normal())
            for number in range(300) for dataset in ("mnist", "svhn")
            for ability in [random.normal()] for _ in range(4)]
    return pd.DataFrame(rows, columns=["nn", "epoch", "dataset", "norm"]).assign(rank=lambda table: table["norm"])


def test_without_luck_two_halves_of_the_trials_agree_and_with_luck_alone_half_the_time():
    assert replicate_ceiling(replicated(0.0), "normalized", 0) == {
        "n": 300, "agreement": 1.0, "low": pytest.approx(0.987, abs=1e-3), "high": pytest.approx(1)}
    assert replicate_ceiling(replicated(1e6), "rank", 0)["agreement"] == pytest.approx(0.5, abs=0.08)


def test_a_side_with_one_trial_cannot_be_halved():
    lone = replicated(0.0).drop_duplicates(["nn", "dataset"])
    assert replicate_ceiling(lone, "normalized", 0)["n"] == 0


def test_the_summary_names_n_interval_and_prior_with_every_accuracy():
    table = predictions()
    found = summary(table, {"pairwise": table.sample(frac=1, random_state=1)}, resamples=200)
    assert found["n"] == 60 * 21
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert found["prior"] < found["accuracy"] == found["pairwise"]
    assert [row["predictor"] for row in found["predictors"]] == ["adviser", "prior", "pairwise"]
    assert [row["against"] for row in found["comparisons"]] == ["prior", "pairwise"]
    assert found["comparisons"][1]["difference"] == 0
    for name in ("by_dataset", "by_pair", "by_family", "by_margin", "coverage"):
        assert all({"n", "accuracy", "low", "high", "prior", "pairwise"} <= set(row) for row in found[name])
    for name in ("by_pair", "by_family", "by_margin", "reliability"):
        assert sum(row["n"] for row in found[name]) == found["n"]
    assert sum(row["n"] for row in found["by_dataset"]) == 2 * found["n"]


def test_the_summary_does_not_mind_which_side_is_called_a():
    table = predictions()
    here, there = summary(table, resamples=100), summary(swapped(table), resamples=100)
    for name in ("accuracy", "prior", "order_disagreement", "comparisons", "by_dataset"):
        assert here[name] == there[name]


def test_the_prior_itself_can_be_summarised():
    table = predictions().assign(p_a=lambda rows: rows["prior_a"])
    found = summary(table, name="prior", resamples=100)
    assert found["accuracy"] == found["prior"]
    assert found["comparisons"] == []


def test_predictions_for_other_pairs_are_refused():
    with pytest.raises(PerfclfError, match="pairwise are for other pairs"):
        summary(predictions(), {"pairwise": predictions(networks=59)}, resamples=10)
    with pytest.raises(PerfclfError, match="no pairs to evaluate"):
        summary(predictions().head(0))
