"""Stopping one candidate of a search: by what it reached, and what the others did."""

from dataclasses import replace

import pytest
from curve_world import made_adviser
from hypothesis import given
from hypothesis import strategies as st
from made_scorers import Raising

from nngpt_perfclf import EarlyStopping
from nngpt_perfclf.types import Candidate, PerfclfError

SHARE = st.floats(0, 1)
CURVE = st.lists(SHARE, max_size=5)


def after(*accuracies, name="a") -> Candidate:
    return Candidate(name, "class Net: pass", seen=dict(enumerate(accuracies, 1)))


STOPPING = EarlyStopping("svhn", 5, adviser=made_adviser())


def decide(candidate, *others):
    return STOPPING.decide(candidate, others)


def test_a_candidate_is_stopped_once_it_can_hardly_become_the_best():
    best = after(0.5, 0.6, 0.7, 0.75, 0.8)
    assert decide(after(0.6), best).train
    stopped = decide(after(0.2), best)
    assert not stopped.train
    assert "20.0% were reached after epoch 1; the best of the search with a probability of 0.0%" in stopped.reason


def test_the_first_candidate_and_one_without_a_seen_or_a_later_epoch_go_on():
    best = after(0.5, 0.6, 0.7, 0.75, 0.8)
    assert decide(after(0.01)).train
    assert decide(after(), best).train
    assert decide(after(0.1, 0.1, 0.1, 0.1, 0.1), best).train


def test_of_those_that_came_to_the_end_the_best_counts():
    worse, best = after(0.1, 0.1, 0.2, 0.2, 0.3), after(0.5, 0.6, 0.7, 0.75, 0.8)
    assert decide(after(0.25), worse).train
    assert not decide(after(0.25), worse, best).train


def test_those_that_are_still_trained_count_as_they_are_expected_to_end():
    assert not decide(after(0.5), after(0.8)).train
    assert decide(after(0.5), after(0.52), after(0.48)).train


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=4), st.lists(CURVE, max_size=5))
def test_a_better_curve_is_never_stopped_where_a_worse_one_goes_on(pairs, others):
    worse, better = (after(*map(choose, pairs)) for choose in (min, max))
    others = [after(*curve) for curve in others]
    assert decide(better, *others).train >= decide(worse, *others).train


@given(st.lists(CURVE, min_size=1, max_size=6), st.permutations(range(6)))
def test_the_order_of_the_others_does_not_matter(curves, order):
    own, *others = (after(*curve) for curve in curves)
    mixed = [others[place] for place in order if place < len(others)]
    assert decide(own, *others).train == decide(own, *mixed).train


def test_whoever_fails_to_answer_stops_nobody():
    class Unsure:
        def score(self, candidates, target):
            return [score and replace(score, decided=False) for score in made_adviser().score(candidates, target)]

    stopping = EarlyStopping("svhn", 5, adviser=made_adviser())
    for scorer in (Raising(), Unsure()):
        stopping.scorer = scorer
        decision = stopping.decide(after(0.01), [after(0.5, 0.6, 0.7, 0.75, 0.8)])
        assert decision.train
        assert decision.reason.startswith("undecided: ")


def test_impossible_questions_are_refused():
    with pytest.raises(PerfclfError, match="at least 2"):
        EarlyStopping("svhn", 1)
    with pytest.raises(PerfclfError, match="predicted for epochs 1 to 50"):
        EarlyStopping("svhn", 51)
    with pytest.raises(PerfclfError, match=r"must lie in 0\.\.1"):
        decide(after(41.0))


def test_the_packages_own_adviser_stops_what_lags_behind(alexnet):
    stopping = EarlyStopping("cifar-10", 5)
    best, slow, fast = (Candidate("net", alexnet, seen=seen) for seen in (
        {1: 0.5, 5: 0.8}, {1: 0.12, 2: 0.13}, {1: 0.6, 2: 0.7}))
    assert not stopping.decide(slow, [best]).train
    assert stopping.decide(fast, [best]).train
