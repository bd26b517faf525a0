"""The laws of every policy, whatever the scores."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nngpt_perfclf.loop.policies import BY_MISS, POLICIES, Rule, build_policy, keep_mask, noise
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe, Score

shares = st.sampled_from([None, 0.1, 0.25, 0.5, 0.75, 1.0])
rules = st.builds(Rule, keep=shares, least_kept=st.integers(0, 5), confidence=st.floats(0.5, 0.9),
                  miss_probability=st.floats(0.01, 0.5), inverse_temperature=st.floats(0, 5))
values = st.floats(-8, 8).map(lambda value: round(value, 3))
scores = st.none() | st.builds(Score, value=values, percentile=st.floats(0, 1), low=st.just(0.0), high=st.just(1.0),
                               decided=st.booleans(), reason=st.just(""))
generations = st.lists(scores, min_size=1, max_size=25)
matrices = arrays.arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=values | st.just(math.nan))


BATCH = sorted(POLICIES.keys() - {"gate"})  # the gate decides on one after the other and has tests of its own


def candidates_for(generation):
    return [Candidate(f"net-{place}", "code", Recipe(lr=0.1)) for place in range(len(generation))]


def policy_called(name, rule, candidates):
    return build_policy(name, rule, {candidate.name: place % 7 / 7 for place, candidate in enumerate(candidates)})


@given(st.sampled_from(BATCH), rules, generations, st.integers(0, 9))
def test_every_candidate_is_kept_or_pruned_with_a_reason_and_enough_are_kept(name, rule, generation, seed):
    candidates = candidates_for(generation)
    selection = policy_called(name, rule, candidates).select(candidates, generation, seed)
    ranked = sum(value is not None for value in selection.values)
    least = max(rule.least_kept, math.ceil((rule.keep or 0) * ranked - 1e-9), 1)
    assert len(selection.pruned) <= max(0, ranked - least)
    assert sorted(one.name for one in (*selection.kept, *(pruned for pruned, _ in selection.pruned))) == sorted(
        one.name for one in candidates)
    assert all(reason for _, reason in selection.pruned)


@given(st.sampled_from(BY_MISS), rules, generations, st.integers(0, 9))
def test_a_candidate_without_a_decided_score_is_never_pruned(name, rule, generation, seed):
    candidates = candidates_for(generation)
    selection = policy_called(name, rule, candidates).select(candidates, generation, seed)
    kept = {candidate.name for candidate in selection.kept}
    assert kept >= {candidate.name for candidate, score in zip(candidates, generation, strict=True)
                    if score is None or not score.decided}


@given(st.sampled_from(BATCH), rules, generations, st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(name, rule, generation, seed, random):
    candidates = candidates_for(generation)
    policy = policy_called(name, rule, candidates)
    mixed = random.sample(range(len(candidates)), len(candidates))
    first = policy.select(candidates, generation, seed)
    second = policy.select([candidates[place] for place in mixed], [generation[place] for place in mixed], seed)
    assert {candidate.name for candidate in first.kept} == {candidate.name for candidate in second.kept}


def test_a_less_certain_candidate_is_kept_in_place_of_one_that_scores_hardly_better():
    spread = ((2.0, 0.1), (1.0, 0.1), (0.9, 1.0), (0.8, None))
    generation = [Score(value, 0.5, 0.0, 1.0, True, "", deviation=deviation) for value, deviation in spread]
    candidates = candidates_for(generation)
    selection = build_policy("ask", Rule(0.5)).select(candidates, generation, 0)
    assert [candidate.name for candidate in selection.kept] == ["net-0", "net-2"]
    assert "standard deviation 0.100" in selection.pruned[0][1]
    timed = [replace(score, seconds=1.0) for score in generation]
    kept = build_policy("ask_per_second", Rule(0.5)).select(candidates, timed, 0).kept
    assert [candidate.name for candidate in kept] == ["net-0", "net-1"], "gains are compared as they are"
    kept = build_policy("ask", Rule(None)).select(candidates, generation, 0).kept
    assert kept == build_policy("ask", Rule(None)).select(candidates, [
        replace(score, deviation=None) for score in generation], 0).kept, "the probability of a miss is one of scores"


@given(rules, st.integers(1, 25), st.integers(0, 9))
def test_candidates_that_score_the_same_are_all_kept(rule, count, seed):
    same = [Score(1.0, 0.5, 0.0, 1.0, True, "")] * count
    assert not build_policy("ask", rule).select(candidates_for(same), same, seed).pruned


@given(rules, generations, st.integers(0, 9))
def test_a_better_score_is_never_pruned_before_a_worse_one(rule, generation, seed):
    candidates = candidates_for(generation)
    selection = build_policy("ask", rule).select(candidates, generation, seed)
    value = dict(zip((candidate.name for candidate in candidates), selection.values, strict=True))
    kept = [value[candidate.name] for candidate in selection.kept if value[candidate.name] is not None]
    assert all(value[candidate.name] <= min(kept) for candidate, _ in selection.pruned)


@given(matrices, rules)
def test_a_mask_keeps_what_has_no_score_and_the_best_of_each_generation(scores, rule):
    kept = keep_mask(scores, np.zeros_like(scores), rule)
    assert kept[np.isnan(scores)].all()
    best = scores == np.nanmax(np.where(np.isnan(scores), -np.inf, scores), axis=1, keepdims=True)
    assert kept[best].all()


@given(matrices, rules, st.integers(0, 3))
def test_candidates_without_a_score_take_no_place_in_the_share(scores, rule, more):
    unknown = np.full((len(scores), more), np.nan)
    alone = keep_mask(scores, np.zeros_like(scores), rule)
    with_others = keep_mask(np.hstack([scores, unknown]), np.zeros((len(scores), scores.shape[1] + more)), rule)
    assert (with_others[:, :scores.shape[1]] == alone).all()


@given(matrices, st.sampled_from([(0.1, 0.25), (0.25, 0.5), (0.5, 1.0)]), rules)
def test_a_larger_share_keeps_all_that_a_smaller_one_keeps(scores, two, rule):
    smaller, larger = (keep_mask(scores, np.zeros_like(scores), replace(rule, keep=share)) for share in two)
    assert (smaller <= larger).all()


@given(matrices, rules, st.floats(-5, 5))
def test_a_mask_depends_on_differences_of_scores_alone(scores, rule, offset):
    # Whole numbers, so that adding the offset cannot make two scores equal.
    whole, by = np.round(scores), round(offset)
    assert (keep_mask(whole, np.zeros_like(whole), rule) == keep_mask(whole + by, np.zeros_like(whole), rule)).all()


def test_each_generation_of_a_mask_is_decided_by_itself():
    scores = np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    assert keep_mask(scores, np.zeros_like(scores), Rule(keep=0.5)).tolist() == [
        [False, False, True, True], [True, True, False, False]]


@pytest.mark.parametrize("name", ["nop", "random", "oracle"])
def test_policies_that_do_not_ask_ignore_scores(name):
    assert name not in BY_MISS
    generation = [Score(float(place), 0.5, 0.0, 1.0, True, "") for place in range(8)]
    candidates = candidates_for(generation)
    policy = policy_called(name, Rule(keep=0.5), candidates)
    assert policy.select(candidates, generation, 3) == policy.select(candidates, [None] * 8, 3)


def test_nop_prunes_nothing():
    candidates = candidates_for([None] * 5)
    scores = [Score(float(place), 0.5, 0.0, 1.0, True, "") for place in range(5)]
    assert build_policy("nop", Rule(keep=0.1)).select(candidates, scores, 0).kept == tuple(candidates)


def test_the_oracle_keeps_the_most_accurate_and_refuses_candidates_whose_outcome_nobody_recorded():
    candidates = candidates_for([None] * 4)
    outcomes = {candidate.name: place / 10 for place, candidate in enumerate(candidates)}
    kept = build_policy("oracle", Rule(keep=0.5), outcomes).select(candidates, [None] * 4, 0).kept
    assert [candidate.name for candidate in kept] == ["net-2", "net-3"]
    with pytest.raises(PerfclfError, match="net-0 has none"):
        build_policy("oracle", Rule()).select(candidates[:1], [None], 0)


def test_a_reason_says_the_place_and_the_share():
    candidates = candidates_for([None] * 3)
    scores = [Score(value, 0.5, 0.0, 1.0, True, "") for value in (0.25, 1.5, 1.0)]
    [(pruned, reason)] = build_policy("ask", Rule(keep=0.5)).select(candidates, scores, 0).pruned
    assert (pruned.name, reason) == (
        "net-0", "score 0.250 is number 3 of 3, the best is 1.500; 2 of 3 kept (keep 0.5)")


def test_a_generation_without_candidates_is_decided_too():
    assert build_policy("ask", Rule()).select([], [], 0).kept == ()


def test_as_many_scores_as_candidates_are_wanted():
    with pytest.raises(PerfclfError, match="2 candidates, but 1 scores"):
        build_policy("ask", Rule()).select(candidates_for([None] * 2), [None], 0)


def test_unknown_policies_and_impossible_rules_are_refused():
    with pytest.raises(PerfclfError, match="known: nop, ask"):
        build_policy("anchord", Rule())
    for wrong in ({"keep": 0.0}, {"keep": 1.5}, {"least_kept": -1}, {"confidence": 0.4}, {"miss_probability": 1.0},
                  {"inverse_temperature": -1.0}):
        with pytest.raises(PerfclfError):
            Rule(**wrong)


@pytest.mark.parametrize("inverse_temperature", [0.0, 1.0, 3.0])
def test_the_best_is_lost_no_oftener_than_the_stated_miss_probability(inverse_temperature):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 20))
    # Luce's choice axiom: the best is the one with the largest of inverse_temperature × score + Gumbel noise.
    best = (inverse_temperature * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    rule = Rule(keep=None, miss_probability=0.1, inverse_temperature=inverse_temperature)
    kept = keep_mask(scores, rng.random(scores.shape), rule)
    lost = 1 - kept[np.arange(len(best)), best].mean()
    assert lost <= 0.105
    assert lost >= 0.03, "nothing would be gained by pruning so timidly"


def test_a_candidate_that_may_be_as_good_as_the_best_stays_where_confidence_is_asked_for():
    scores, ties = np.array([[3.0, 2.9, 0.0, 0.0]]), np.zeros((1, 4))
    assert keep_mask(scores, ties, Rule(keep=0.25)).tolist() == [[True, False, False, False]]
    assert keep_mask(scores, ties, Rule(keep=0.25, confidence=0.65)).tolist() == [[True, True, False, False]]


def test_ties_are_drawn_evenly_and_again_the_same_for_the_same_seed():
    candidates = candidates_for([None] * 20)
    drawn = noise(candidates, range(2000))
    assert abs(drawn.mean() - 0.5) < 0.01
    assert (np.bincount(drawn.argmin(axis=1), minlength=20) > 60).all()
    assert (drawn[7] == noise(candidates, [7])[0]).all()
