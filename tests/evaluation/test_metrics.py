"""Metrics against known values, and the properties that they have for any probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.evaluation import metrics

# 64ths: 1 - p is exact, so that ties stay ties when sides are exchanged.
chances = st.integers(0, 64).map(lambda number: number / 64) | st.just(float("nan"))
probabilities = st.lists(st.tuples(chances, st.booleans()), min_size=1, max_size=60)


def arrays(drawn):
    p, won = zip(*drawn, strict=True)
    return np.array(p, float), np.array(won, bool)


@pytest.mark.parametrize(("right", "n", "low", "high"),
                         [(24, 30, 0.6269, 0.9050), (0, 10, 0, 0.2775), (5, 5, 0.5655, 1)])
def test_the_wilson_interval_has_the_textbook_values(right, n, low, high):
    assert metrics.wilson(np.repeat([1.0, 0.0], [right, n - right])) == pytest.approx((low, high), abs=1e-4)


@given(probabilities)
def test_an_interval_contains_its_estimate(drawn):
    row = metrics.rate(metrics.hits(*arrays(drawn)))
    assert -1e-12 <= row["low"] <= row["accuracy"] <= row["high"] <= 1 + 1e-12


def test_no_opinion_and_a_probability_of_one_half_count_one_half():
    p, won = np.array([np.nan, 0.5, 0.9, 0.1]), np.array([True, False, True, True])
    assert metrics.hits(p, won).tolist() == [0.5, 0.5, 1.0, 0.0]


@given(probabilities)
def test_exchanging_the_sides_of_any_pair_changes_no_score(drawn):
    p, won = arrays(drawn)
    better = np.where(won, "mnist", "svhn")
    flip = np.arange(len(p)) % 2 == 0
    flipped = metrics.scores(np.where(flip, 1 - p, p), np.where(flip, ~won, won), better)
    assert flipped == pytest.approx(metrics.scores(p, won, better), abs=1e-6)


def test_scores_are_those_of_a_worked_example():
    p, won = np.array([0.9, 0.8, 0.3, 0.6]), np.array([True, True, False, False])
    found = metrics.scores(p, won, np.array(["x", "x", "y", "y"]))
    assert found["accuracy"] == found["balanced_accuracy"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.09 + 0.36) / 4)
    # In both orders: 0.9, 0.8, 0.7, 0.4 won and 0.1, 0.2, 0.3, 0.6 lost; only 0.4 is below one of the latter.
    assert found["auc"] == pytest.approx(15 / 16)


def test_confidence_equal_to_accuracy_has_no_calibration_error():
    p = np.repeat([0.6, 0.9], 100)
    won = np.concatenate([np.arange(100) < 60, np.arange(100) < 90])
    curve = metrics.reliability(p, won)
    assert curve["n"].tolist() == [100, 100]
    assert metrics.calibration_error(curve) == pytest.approx(0, abs=1e-9)
    assert metrics.calibration_error(metrics.reliability(np.full(100, 1.0), np.arange(100) < 60)) == pytest.approx(0.4)


@given(probabilities)
def test_the_reliability_curve_loses_no_pair_and_rises_in_confidence(drawn):
    curve = metrics.reliability(*arrays(drawn))
    assert curve["n"].sum() == len(drawn)
    assert curve["confidence"].is_monotonic_increasing


@given(probabilities)
def test_coverage_falls_as_the_threshold_rises(drawn):
    curve = metrics.coverage(*arrays(drawn))
    assert curve["coverage"].iloc[0] == 1
    assert curve["coverage"].is_monotonic_decreasing
    assert (curve["coverage"] > 0).all()


def test_order_disagreement_counts_different_winners_and_leaves_out_missing_answers():
    found = metrics.order_disagreement([1.0, 1.0, -1.0, np.nan], [2.0, -0.5, -0.2, 1.0])
    assert (found["n"], found["share"]) == (3, pytest.approx(1 / 3))
