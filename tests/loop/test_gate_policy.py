"""The policy that decides on one candidate after the other."""

import numpy as np
import pytest

from nngpt_perfclf.gate.threshold import Settings, let_through
from nngpt_perfclf.loop.policies import Rule, build_policy
from nngpt_perfclf.types import Candidate, PerfclfError, Score


def candidates(count):
    return [Candidate(f"net-{place}", "code") for place in range(count)]


def scores_of(values):
    return [None if value is None else Score(value, 0.5, 0.1, 0.9, True, "") for value in values]


def test_each_generation_is_a_stream_of_its_own_where_nothing_was_seen():
    rng = np.random.default_rng(0)
    values, ties = rng.normal(size=(50, 20)), rng.random((50, 20))
    kept = build_policy("gate", Rule(0.25)).kept(values, ties, Rule(0.25))
    assert (kept == let_through(values, ties, Settings(0.25))).all()
    assert kept[:, :Settings().first].all()


def test_a_gate_that_has_seen_other_generations_keeps_the_share():
    rng = np.random.default_rng(0)
    values, ties = rng.normal(size=(300, 20)), rng.random((300, 20))
    rule = Rule(0.25, seen=3)
    assert build_policy("gate", rule).kept(values, ties, rule).mean() == pytest.approx(0.28, abs=0.03)


def test_a_search_goes_on_where_its_earlier_generations_ended():
    values = np.random.default_rng(1).normal(size=60).tolist()
    policy, networks = build_policy("gate", Rule(0.3)), candidates(60)
    whole = policy.select(networks, scores_of(values), 0)
    past = [(one.name, value) for one, value in zip(networks[:40], values[:40], strict=True)]
    rest = policy.select(networks[40:], scores_of(values[40:]), 1, past)
    assert [one.name for one in rest.kept] == [one.name for one in whole.kept if one in networks[40:]]


def test_what_has_no_score_stays():
    selection = build_policy("gate", Rule(0.1)).select(candidates(30), scores_of([None] * 30), 0)
    assert len(selection.kept) == 30


def test_the_number_of_seen_generations_cannot_be_below_zero():
    with pytest.raises(PerfclfError, match="seen"):
        Rule(seen=-1)


def test_a_score_counts_with_half_of_its_standard_deviation():
    scores = [Score(1.0, 0.5, 0.0, 1.0, True, "", deviation=deviation) for deviation in (None, 1.0)]
    assert build_policy("gate", Rule(0.5)).values([], scores, [0]).tolist() == [[1.0, 1.5]]
