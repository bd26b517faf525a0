"""The laws of every policy, whatever the advice."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.loop.policies import POLICIES, Rule, build_policy, keep_mask, noise
from nngpt_perfclf.types import Advice, Candidate, PerfclfError, Recipe

REFERENCES = ("cifar-10", "mnist", "svhn")
TARGET = "cifar-100"
rules = st.builds(Rule, keep=st.sampled_from([None, 0.1, 0.25, 0.5, 0.75, 1.0]), least_kept=st.integers(0, 5),
                  confidence=st.floats(0.5, 0.9), miss_probability=st.floats(0.01, 0.5), inverse_temperature=st.floats(0, 5))
advices = st.none() | st.builds(Advice, better=st.sampled_from([TARGET, "the other"]), probability=st.floats(0.5, 1),
                                prior=st.floats(0, 1), decided=st.booleans(), reason=st.just(""))
generations = st.lists(st.tuples(*[advices] * len(REFERENCES)), min_size=1, max_size=25)


def candidates_for(generation):
    return [Candidate(f"net-{place}", "code", Recipe(lr=0.1)) for place in range(len(generation))]


def policy_called(name, rule, candidates):
    return build_policy(name, rule, references=REFERENCES, anchors={name: Recipe(lr=0.2) for name in REFERENCES},
                        outcomes={one.name: place % 7 / 7 for place, one in enumerate(candidates)})


@given(st.sampled_from(sorted(POLICIES)), rules, generations, st.integers(0, 9))
def test_enough_is_kept_and_what_has_no_score_is_kept_beside_it(name, rule, generation, seed):
    candidates = candidates_for(generation)
    selection = policy_called(name, rule, candidates).select(candidates, generation, TARGET, seed)
    scored = sum(score is not None for score in selection.scores)
    pruned = {candidate.name for candidate, _ in selection.pruned}
    least = max(rule.least_kept, math.ceil((rule.keep or 0) * scored - 1e-9), 1)
    assert len(pruned) <= max(0, scored - least)
    assert not any(score is None and candidate.name in pruned
                   for candidate, score in zip(candidates, selection.scores, strict=True))
    assert len(selection.kept) + len(pruned) == len(candidates)
    assert all(reason for _, reason in selection.pruned)


@given(st.sampled_from(sorted(POLICIES)), rules, generations, st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(name, rule, generation, seed, random):
    candidates = candidates_for(generation)
    policy = policy_called(name, rule, candidates)
    mixed = random.sample(range(len(candidates)), len(candidates))
    first = policy.select(candidates, generation, TARGET, seed)
    second = policy.select([candidates[i] for i in mixed], [generation[i] for i in mixed], TARGET, seed)
    assert {one.name for one in first.kept} == {one.name for one in second.kept}


@given(st.sampled_from(["anchored", "naive", "prior"]), rules, st.integers(1, 25), st.integers(0, 9))
def test_advice_that_does_not_tell_candidates_apart_prunes_nothing(name, rule, count, seed):
    candidates = candidates_for([None] * count)
    advice = [[Advice(TARGET, 0.9, 0.7, True, "")] * len(REFERENCES)] * count
    assert not policy_called(name, rule, candidates).select(candidates, advice, TARGET, seed).pruned


@given(rules, generations, st.integers(0, 9))
def test_a_better_score_is_never_pruned_before_a_worse_one(rule, generation, seed):
    candidates = candidates_for(generation)
    selection = policy_called("anchored", rule, candidates).select(candidates, generation, TARGET, seed)
    score = dict(zip((one.name for one in candidates), selection.scores, strict=True))
    kept = [score[one.name] for one in selection.kept if score[one.name] is not None]
    assert all(score[one.name] <= min(kept) for one, _ in selection.pruned)


def test_nop_prunes_nothing_and_asks_nothing():
    candidates = candidates_for([None] * 5)
    policy = build_policy("nop", Rule(keep=0.1))
    assert policy.questions(candidates[0], TARGET) == []
    assert policy.select(candidates, [[]] * 5, TARGET, 0).kept == tuple(candidates)


def test_the_anchored_policy_asks_with_the_candidates_recipe_against_each_references_anchor():
    anchors = {name: Recipe(lr=0.2, batch=place) for place, name in enumerate(REFERENCES)}
    candidate = Candidate("net", "code", Recipe(lr=0.1))
    asked = build_policy("anchored", Rule(), references=(*REFERENCES, TARGET), anchors=anchors | {TARGET: Recipe()},
                         epoch=5).questions(candidate, TARGET)
    assert [(one.ds_a, one.ds_b, one.recipe_a, one.recipe_b, one.epoch) for one in asked] == [
        (TARGET, name, candidate.recipe, anchors[name], 5) for name in REFERENCES]


def test_the_naive_policy_asks_with_one_recipe_on_both_sides():
    candidate = Candidate("net", "code", Recipe(lr=0.1))
    asked = build_policy("naive", Rule(), references=REFERENCES).questions(candidate, TARGET)
    assert all(one.recipe_a == one.recipe_b == candidate.recipe for one in asked)


def test_a_score_is_the_mean_log_odds_gained_over_the_prior():
    policy = build_policy("anchored", Rule(), references=REFERENCES)
    told = [Advice(TARGET, 0.8, 0.5, True, ""), Advice("mnist", 0.9, 0.9, False, ""), None]
    assert policy.score(told, TARGET) == pytest.approx((math.log(4) + 0) / 2, abs=1e-6)


def test_where_advice_tells_strengths_the_targets_own_is_the_anchored_score():
    candidates, policy = candidates_for([None] * 3), build_policy("anchored", Rule(), references=REFERENCES)
    # The second is good at everything: it beats no reference by much, and the third looks best by its odds.
    advice = [[Advice(TARGET, 0.7, 0.5, True, "", (target, other)),
               Advice("mnist", 0.7, 0.5, True, "", (other, target))]
              for target, other in ((1.0, 0.2), (3.0, 2.8), (2.0, 0.1))]
    assert policy.select(candidates, advice, TARGET, 0).scores == (1.0, 3.0, 2.0)
    undecided = [[Advice(TARGET, 0.5, 0.5, False, "", (9.0, 9.0))], *advice[1:]]
    assert policy.select(candidates, undecided, TARGET, 0).scores == (None, 3.0, 2.0)
    mixed = [[Advice(TARGET, 0.8, 0.5, True, "")], *advice[1:]]
    assert policy.select(candidates, mixed, TARGET, 0).scores[0] == pytest.approx(math.log(4), abs=1e-6)


def test_the_oracle_refuses_candidates_whose_outcome_nobody_recorded():
    with pytest.raises(PerfclfError, match="net-0 has none"):
        build_policy("oracle", Rule()).select(candidates_for([None]), [[]], TARGET, 0)


def test_unknown_policies_and_impossible_rules_are_refused():
    with pytest.raises(PerfclfError, match="known: nop, anchored"):
        build_policy("anchord", Rule())
    for wrong in ({"keep": 0.0}, {"keep": 1.5}, {"least_kept": -1}, {"confidence": 0.4}, {"miss_probability": 1.0}):
        with pytest.raises(PerfclfError):
            Rule(**wrong)


@pytest.mark.parametrize("inverse_temperature", [0.0, 1.0, 3.0])
def test_the_best_is_lost_no_oftener_than_the_stated_risk(inverse_temperature):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 20))
    # Luce's choice axiom: the best is the one with the largest of inverse_temperature × score + Gumbel noise.
    best = (inverse_temperature * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    kept = keep_mask(scores, rng.random(scores.shape), Rule(keep=None, miss_probability=0.1, inverse_temperature=inverse_temperature))
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
