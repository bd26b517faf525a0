"""The order in which candidates are worth training."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.upside import worth_order, worth_order_of
from nngpt_perfclf.types import Score

numbers = st.floats(-8, 8).map(lambda value: round(value, 3))
generations = st.lists(st.tuples(numbers | st.just(np.nan), st.floats(0, 4) | st.just(np.nan)), min_size=1, max_size=40)


def order(generation, deviations=None):
    values, spread = np.array(generation, float).T
    return worth_order(values[None], np.arange(len(values))[None],
                       (spread if deviations is None else deviations)[None])[0].tolist()


@given(generations, st.floats(0, 4))
def test_with_equal_deviations_the_order_is_that_of_the_scores(generation, deviation):
    values = np.array(generation, float)[:, 0]
    alone = worth_order(values[None], np.arange(len(values))[None])[0].tolist()
    assert order(generation, np.full(len(values), deviation)) == alone
    assert order(generation, np.full(len(values), np.nan)) == alone


@given(generations)
def test_every_candidate_has_a_place_and_those_without_a_score_the_last_ones(generation):
    found = order(generation)
    assert sorted(found) == list(range(len(generation)))
    unscored = [bool(np.isnan(generation[place][0])) for place in found]
    assert unscored == sorted(unscored)


@given(generations.filter(lambda generation: not np.isnan(np.array(generation, float)[:, 0]).all()))
def test_the_best_tenth_is_that_of_the_scores_whatever_the_deviations(generation):
    values = np.array(generation, float)[:, 0]
    first = int(np.ceil(0.1 * np.sum(~np.isnan(values)) - 1e-9))
    assert order(generation)[:first] == worth_order(values[None], np.arange(len(values))[None])[0].tolist()[:first]


@given(generations.flatmap(lambda generation: st.tuples(st.just(generation), st.permutations(range(len(generation))))))
def test_the_order_of_the_candidates_does_not_matter(drawn):
    generation, mixed = drawn
    values, spread = np.array(generation, float).T
    ties, mixed = np.arange(len(values)), np.array(mixed)
    again = worth_order(values[mixed][None], ties[mixed][None], spread[mixed][None])[0]
    assert mixed[again].tolist() == order(generation)


def test_after_the_first_tenth_a_less_certain_candidate_comes_before_a_certain_one_that_scores_the_same():
    scores = [Score(value, 0.5, 0.0, 1.0, True, "", deviation=deviation)
              for value, deviation in ((3.0, 0.1), (1.0, 0.1), (0.9, 1.0), (2.0, 0.1))]
    assert worth_order_of(scores) == [0, 3, 2, 1]
