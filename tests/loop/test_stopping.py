import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nngpt_perfclf.loop.policies import Rule
from nngpt_perfclf.loop.stopping import HALVING, STOPPING, Known, build_stopping, chance_of_best, numbers_of
from nngpt_perfclf.types import PerfclfError, Score

SHAPE = (3, 8)
VALUES = arrays(float, SHAPE, elements=st.floats(-6, 6))
RUNNING = arrays(bool, SHAPE)


def known(epoch, accuracy, value=None, deviation=0.5, seconds=None) -> Known:
    accuracy = np.asarray(accuracy, float)
    value = accuracy if value is None else np.asarray(value, float)
    seconds = np.ones(accuracy.shape) if seconds is None else np.asarray(seconds, float)
    ties = np.arange(accuracy.size).reshape(accuracy.shape) / accuracy.size
    return Known(epoch, accuracy, value, np.full(accuracy.shape, deviation), seconds, ties)


@given(st.sampled_from(sorted(STOPPING)), VALUES, RUNNING, st.floats(0.05, 1), st.floats(0.01, 0.5),
       st.integers(0, 4))
def test_nobody_is_started_again_and_where_somebody_is_running_somebody_goes_on(name, values, running, keep, miss,
                                                                                epoch):
    policy = build_stopping(name, Rule(keep=keep, miss_probability=miss), (1, 2))
    kept = policy.going_on(known(epoch, values), running)
    assert not (kept & ~running).any()
    assert (kept.any(axis=1) == running.any(axis=1)).all()


@given(st.sampled_from(["halve", "ask_halve"]), VALUES, RUNNING, st.integers(1, 2))
def test_the_best_of_those_that_are_running_always_goes_on(name, values, running, epoch):
    kept = build_stopping(name, Rule(keep=0.5), (1, 2)).going_on(known(epoch, values), running)
    for row, stays, ran in zip(values, kept, running, strict=True):
        if ran.any():
            assert stays[ran & (row == row[ran].max())].any()


def test_halving_keeps_its_share_at_its_rungs_alone():
    policy = build_stopping("halve", Rule(keep=0.5), (1, 3))
    everyone = np.ones((1, 4), bool)
    accuracy = [[0.1, 0.4, 0.3, 0.2]]
    assert policy.going_on(known(1, accuracy), everyone).tolist() == [[False, True, True, False]]
    assert policy.going_on(known(2, accuracy), everyone).all()
    assert policy.going_on(known(3, accuracy), everyone).sum() == 2


def test_asha_compares_a_candidate_with_those_before_it():
    policy = build_stopping("asha", Rule(keep=0.5), (1,))
    kept = policy.going_on(known(1, [[0.3, 0.2, 0.4, 0.35, 0.1]]), np.ones((1, 5), bool))
    # The first always goes on; after it the cutoff is the median of what was reached so far.
    assert kept.tolist() == [[True, False, True, True, False]]


def test_asha_stops_what_ray_tune_stops():
    pytest.importorskip("ray")
    from ray.tune.schedulers.async_hyperband import _Bracket

    for reduction, keep in ((2, 0.5), (4, 0.25)):
        accuracies = np.random.default_rng(reduction).random(40)
        bracket = _Bracket(min_t=1, max_t=5, reduction_factor=reduction, s=0)
        theirs = []
        for number, accuracy in enumerate(accuracies):
            rung = next(recorded for milestone, recorded in bracket._rungs if milestone == 1)
            cutoff = bracket.cutoff(rung)
            theirs.append(cutoff is None or accuracy >= cutoff)
            rung[number] = accuracy
        policy = build_stopping("asha", Rule(keep=keep), (1,))
        ours = policy.going_on(known(1, accuracies[None]), np.ones((1, 40), bool))
        assert ours[0].tolist() == theirs


def test_asking_first_prunes_before_the_training_and_stops_nothing_later():
    policy = build_stopping("ask", Rule(keep=0.5), (1,))
    everyone = np.ones((1, 4), bool)
    assert policy.going_on(known(0, [[0.1, 0.4, 0.3, 0.2]]), everyone).tolist() == [[False, True, True, False]]
    assert policy.going_on(known(1, [[0.1, 0.4, 0.3, 0.2]]), everyone).all()
    assert [policy.asks_at(epoch) for epoch in range(3)] == [True, False, False]


def test_asking_for_the_gain_per_second_prunes_by_it_and_keeps_those_of_unknown_time():
    policy = build_stopping("ask_per_second", Rule(keep=0.5), (1,))
    kept = policy.going_on(known(0, [[0.0] * 4], [[4.0, 3.0, 2.0, 1.0]], seconds=[[100.0, 10.0, 1.0, np.nan]]),
                           np.ones((1, 4), bool))
    assert kept.tolist() == [[False, True, True, True]]


def test_those_that_are_certainly_not_the_best_are_stopped_and_near_ties_go_on():
    policy = build_stopping("ask_halve", Rule(keep=1.0, miss_probability=0.05), (1,))
    kept = policy.going_on(known(1, [[2.0, 1.9, -2.0, -3.0]], deviation=0.3), np.ones((1, 4), bool))
    assert kept.tolist() == [[True, True, False, False]]
    assert policy.going_on(known(1, [[2.0, 1.9, -2.0, -3.0]], deviation=5.0), np.ones((1, 4), bool)).all()


def test_without_a_share_as_few_are_trained_as_hold_the_best_one():
    values, everyone = [[2.0, 1.9, -2.0, -3.0]], np.ones((1, 4), bool)
    for name in HALVING:
        policy = build_stopping(name, Rule(keep=None, miss_probability=0.05), (1,))
        kept = policy.going_on(known(0, [[0.0] * 4], values, deviation=0.3), everyone)
        assert kept.tolist() == [[True, True, False, False]]


def test_of_two_that_may_be_the_best_the_quicker_one_goes_on():
    values, everyone = [[2.0, 1.9]], np.ones((1, 2), bool)
    told = known(1, [[0.0] * 2], values, deviation=0.3, seconds=[[100.0, 10.0]])
    kept = {name: build_stopping(name, Rule(keep=None, miss_probability=0.6), (1,)).going_on(told, everyone)[0].tolist()
            for name in HALVING}
    assert kept == {"ask_halve": [True, False], "ask_halve_per_second": [False, True]}


def test_a_candidate_without_an_opinion_goes_on_and_takes_no_place():
    policy = build_stopping("ask_halve", Rule(keep=0.5, miss_probability=0.05), (1,))
    kept = policy.going_on(known(1, [[0.0] * 3], [[np.nan, 3.0, -3.0]], 0.1), np.ones((1, 3), bool))
    assert kept.tolist() == [[True, True, False]]


def test_the_chance_of_being_the_best_is_that_of_many_draws():
    values, deviations = np.array([[1.0, 0.5, -1.0, -np.inf]]), np.array([[0.5, 1.0, 2.0, 1.0]])
    drawn = np.random.default_rng(0).normal(values[0, :3], deviations[0, :3], (200_000, 3)).argmax(axis=1)
    assert chance_of_best(values, deviations)[0] == pytest.approx([*np.bincount(drawn) / len(drawn), 0.0], abs=0.01)


def test_undecided_scores_are_no_numbers():
    scores = [Score(1.0, 0.5, 0.1, 0.9, True, "", deviation=0.3, seconds=20.0),
              Score(1.0, 0.5, 0.1, 0.9, False, ""), None]
    values, deviations, seconds = numbers_of(scores)
    assert values[0] == 1.0
    assert deviations[0] == 0.3
    assert seconds[0] == 20.0
    assert np.isnan([*values[1:], *deviations[1:], *seconds[1:]]).all()


def test_what_no_policy_can_use_is_refused():
    with pytest.raises(PerfclfError, match="unknown policy"):
        build_stopping("naive", Rule(), (1,))
    with pytest.raises(PerfclfError, match="shares to keep"):
        build_stopping("halve", Rule(keep=None), (1,))
    with pytest.raises(PerfclfError, match="rungs"):
        build_stopping("halve", Rule(), (0,))
