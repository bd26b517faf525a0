import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.weights import FILE, Weights, accuracy, fit_weights, load_weights, save_weights, sources_of
from nngpt_perfclf.types import PerfclfError

SOURCES = ("model", "prior", "near")


def drawn(*worth, n=20_000, seed=0):
    """Evidence of as many sources as numbers, each worth so much, and who won by chance accordingly."""
    random = np.random.default_rng(seed)
    evidence = random.normal(0, 2, (n, len(worth)))
    return evidence, random.random(n) < 1 / (1 + np.exp(-evidence @ np.array(worth)))


@pytest.mark.parametrize("worth", [0.3, 1.0, 2.5])
def test_the_weight_of_a_single_source_is_its_temperature(worth):
    assert fit_weights(*drawn(worth)) == pytest.approx((worth,), rel=0.06)


def test_each_source_weighs_what_it_is_worth():
    assert fit_weights(*drawn(0.5, 1.0, 0.0, 2.0)) == pytest.approx((0.5, 1.0, 0.0, 2.0), abs=0.15)


def test_a_source_that_points_the_wrong_way_gets_no_weight_and_the_others_keep_theirs():
    wrong, right = fit_weights(*drawn(-1.0, 0.8))
    assert wrong == 0
    assert right == pytest.approx(fit_weights(drawn(-1.0, 0.8)[0][:, 1:], drawn(-1.0, 0.8)[1])[0], rel=1e-3)


def test_evidence_worth_nothing_leaves_an_adviser_that_is_never_sure():
    evidence, won = drawn(-1.0, -0.5)
    weights = Weights(fit_weights(evidence, won), (0.0, 0.0))
    assert (weights(evidence, np.ones(len(evidence), bool)) == 0).all()


def test_a_source_that_is_not_used_gets_no_weight():
    evidence, won = drawn(1.0, 1.0)
    assert fit_weights(evidence, won, used=[True, False])[1] == 0
    assert fit_weights(evidence, won, used=[False, False]) == (0, 0)


def test_which_side_comes_first_does_not_matter_to_the_fit():
    evidence, won = drawn(0.7, 0.2, n=500)
    turned = np.random.default_rng(1).random(500) < 0.5
    other = fit_weights(np.where(turned[:, None], -evidence, evidence), won ^ turned)
    assert other == pytest.approx(fit_weights(evidence, won), abs=1e-5)


def test_pairs_without_an_opinion_are_left_out_and_none_at_all_is_an_error():
    evidence, won = drawn(1.0, 1.0, n=500)
    holes = np.full((50, 2), (1.0, np.nan))
    assert fit_weights(np.vstack([evidence, holes]), np.append(won, [True] * 50)) == fit_weights(evidence, won)
    with pytest.raises(PerfclfError, match="no validation pairs"):
        fit_weights(np.full((3, 1), np.nan), np.ones(3, bool))


rows = st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=8)
weights_of_three = st.tuples(*[st.floats(0, 5)] * 3)


@given(rows, weights_of_three, weights_of_three)
def test_opposite_evidence_gives_opposite_log_odds(evidence, with_recipe, code_only):
    weights, has_recipes = Weights(with_recipe, code_only), np.arange(len(evidence)) % 2 == 0
    evidence = np.array(evidence)
    assert (weights(-evidence, has_recipes) == -weights(evidence, has_recipes)).all()


@given(rows, weights_of_three, weights_of_three, st.randoms())
def test_the_log_odds_of_a_question_do_not_depend_on_its_company(evidence, with_recipe, code_only, random):
    weights, evidence = Weights(with_recipe, code_only), np.array(evidence)
    has_recipes = np.arange(len(evidence)) % 2 == 0
    together = weights(evidence, has_recipes)
    order = list(range(len(evidence)))
    random.shuffle(order)
    assert (weights(evidence[order], has_recipes[order]) == together[order]).all()
    for place in order:
        assert weights(evidence[place:place + 1], has_recipes[place:place + 1])[0] == together[place]


def test_an_answer_of_even_odds_is_half_right():
    assert accuracy(np.array([1.0, -2.0, 3.0, 0.0]), np.array([True, False, False, True])) == 0.625


def test_questions_with_and_without_recipes_have_weights_of_their_own():
    evidence = np.array([[1.0, 10.0], [1.0, 10.0]])
    assert Weights((1.0, 0.0), (0.0, 2.0))(evidence, np.array([True, False])).tolist() == [1.0, 20.0]


def test_missing_evidence_is_no_opinion():
    assert np.isnan(Weights.ones(("a", "b"))(np.array([[1.0, np.nan]]), np.array([True]))[0])


def test_weights_come_back_as_they_were_written_in_any_order_of_the_sources(tmp_path):
    save_weights({"rank": Weights((0.1, 2.0, 3.5), (0.0, 1.0, 2.0))}, SOURCES, tmp_path)
    assert load_weights(tmp_path, "rank") == Weights((0.1, 2.0, 3.5), (0.0, 1.0, 2.0))
    assert load_weights(tmp_path, "rank", ("near", "model")) == Weights((3.5, 0.1), (2.0, 0.0))
    assert sources_of(tmp_path, "rank") == list(SOURCES)


@pytest.mark.parametrize("content", [
    {}, {"rank": None}, {"rank": []}, {"rank": {}}, {"rank": {"with_recipe": {"model": 1.0}}},
    {"rank": {"with_recipe": {"model": 1.0}, "code_only": {"model": None}}},
    {"rank": {"with_recipe": {"other": 1.0}, "code_only": {"other": 1.0}}}])
def test_a_file_without_the_weights_asked_for_is_one_clear_error(tmp_path, content):
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(PerfclfError, match="holds no weights for label=rank"):
        load_weights(tmp_path, "rank", ("model",))


@pytest.mark.parametrize("content", [{}, {"rank": None}, {"rank": {"with_recipe": {}}}, {"rank": {"with_recipe": []}}])
def test_a_file_that_names_no_sources_is_one_clear_error(tmp_path, content):
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(PerfclfError, match="holds no weights for label=rank"):
        sources_of(tmp_path, "rank")
