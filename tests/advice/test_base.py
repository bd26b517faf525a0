import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from made_advisers import KNOWN, PRIOR, TableAdviser

from nngpt_perfclf.advice.base import verdict
from nngpt_perfclf.advice.baselines import AlwaysFirst, NullAdviser, PriorAdviser
from nngpt_perfclf.advice.weights import Weights
from nngpt_perfclf.types import PerfclfError, Question, Recipe

CODE = "class Net: pass"
SURE = {("mnist", "svhn"): 1.0, ("svhn", "mnist"): -1.0}
names = st.sampled_from(sorted(KNOWN))
log_odds = st.floats(-20, 20)


def pairs_of_names():
    return st.lists(names, min_size=2, max_size=2, unique=True)


@given(pairs_of_names(), log_odds, log_odds, st.floats(0.01, 5))
def test_swapping_the_sides_changes_the_sign_and_no_bit(pair, ab, ba, weight):
    ds_a, ds_b = pair
    adviser = TableAdviser(table={(ds_a, ds_b): ab, (ds_b, ds_a): ba}, weights=Weights((weight,), (weight / 2,)))
    assert adviser.advise(CODE, ds_a, ds_b) == adviser.advise(CODE, ds_b, ds_a)
    for recipe in (None, Recipe(lr=0.1)):
        question = Question(CODE, ds_a, ds_b, recipe, Recipe(lr=0.2))
        assert adviser.log_odds([question])[0] == -adviser.log_odds([question.swapped()])[0]


@given(pairs_of_names(), log_odds)
def test_the_probability_is_that_of_the_better_one(pair, odds):
    better, other, probability = verdict(Question(CODE, *pair), odds)
    assert {better, other} == set(pair)
    assert 0.5 <= probability <= 1
    if odds:
        assert (better == pair[0]) == (odds > 0)
    assert verdict(Question(CODE, *pair).swapped(), -odds) == (better, other, probability)


@given(st.permutations(range(6)), st.lists(log_odds, min_size=6, max_size=6))
def test_advice_does_not_depend_on_the_other_questions_nor_on_their_order(order, odds):
    questions = [Question(f"{CODE}  # {place}", "mnist", "svhn", epoch=place + 1) for place in range(6)]
    adviser = TableAdviser(weights=Weights((0.7,), (0.3,)))
    adviser.evidence = lambda asked: np.array([[odds[q.epoch - 1] * (1 if q.ds_a == "mnist" else -1)] for q in asked])
    together = adviser.advise_many([questions[place] for place in order])
    assert together == [adviser.advise_many([questions[place]])[0] for place in order]


def test_equal_questions_are_answered_once_and_all_in_one_call():
    adviser = TableAdviser(table=SURE)
    question = Question(CODE, "mnist", "svhn")
    advice = adviser.advise_many([question, question.swapped(), question])
    assert len(adviser.asked) == 1
    assert sorted(asked.ds_a for asked in adviser.asked[0]) == ["mnist", "svhn"]
    assert advice[0] == advice[1] == advice[2]


def test_no_questions_get_no_answers():
    adviser = TableAdviser()
    assert adviser.advise_many([]) == []
    assert adviser.log_odds([]).shape == (0,)


def test_an_adviser_that_names_the_first_dataset_is_undecided():
    advice = AlwaysFirst("always-first", PRIOR, KNOWN).advise(CODE, "mnist", "svhn")
    assert (advice.probability, advice.decided) == (0.5, False)


def test_no_opinion_is_none():
    adviser = NullAdviser("null", PRIOR, KNOWN)
    assert adviser.advise(CODE, "mnist", "svhn") is None
    assert adviser.advise_many([Question(CODE, "mnist", "svhn")]) == [None]


def test_the_prior_of_a_pair_that_was_never_recorded_is_undecided():
    adviser = PriorAdviser("prior", PRIOR, KNOWN)
    assert adviser.advise(CODE, "mnist", "svhn").probability == pytest.approx(9 / 11)
    unseen = adviser.advise(CODE, "cifar-10", "svhn")
    assert (unseen.probability, unseen.prior, unseen.decided) == (0.5, 0.5, False)
    assert "no recorded pair" in unseen.reason
    assert "cifar-10 has no recorded trials" in unseen.reason


@pytest.mark.parametrize(("question", "complaint"), [
    (Question("", "mnist", "svhn"), "empty"),
    (Question(CODE, "svhn", "svhn"), "against itself"),
    (Question(CODE, "svhn", "minst"), "did you mean mnist"),
    (Question(CODE, "mnist", "svhn", Recipe(lr=-1.0)), "learning rate must be a positive number"),
    (Question(CODE, "mnist", "svhn", epoch=0), "epoch must be a whole number"),
    (Question(CODE, "mnist", "svhn", epoch=True), "epoch must be a whole number"),
    (Question("(" * 1000, "mnist", "svhn"), "nests brackets"),
])
def test_a_bad_question_is_refused_in_one_line_and_costs_no_other_its_answer(question, complaint, caplog):
    adviser = TableAdviser(table=SURE)
    with pytest.raises(PerfclfError, match=complaint) as refused:
        adviser.check(question)
    assert "\n" not in str(refused.value)
    good = Question(CODE, "mnist", "svhn")
    answers = adviser.advise_many([good, question, good])
    assert complaint in caplog.text
    assert answers[1] is None
    assert answers[0] == answers[2] == adviser.advise(CODE, "mnist", "svhn")
    assert answers[0].better == "mnist"


def test_asking_about_a_single_network_raises_for_a_bad_question():
    with pytest.raises(PerfclfError, match="did you mean mnist"):
        TableAdviser().advise(CODE, "svhn", "minst")


def test_code_that_does_not_parse_is_answered_and_the_reason_says_so():
    advice = TableAdviser(table=SURE).advise("class Net(:", "mnist", "svhn")
    assert "does not parse" in advice.reason


@pytest.mark.parametrize(("answer", "words"), [("mnist", "mnist wins 82% of"), ("svhn", "svhn wins only 18% of")])
def test_the_reason_says_so_where_the_answer_is_not_the_dataset_that_usually_wins(answer, words):
    odds = 1.0 if answer == "mnist" else -1.0
    advice = TableAdviser(table={("mnist", "svhn"): odds, ("svhn", "mnist"): -odds}).advise(CODE, "mnist", "svhn")
    assert advice.reason.startswith(words)


@given(st.floats(0.5, 0.99), log_odds)
def test_an_advice_is_decided_exactly_from_the_confidence_on(confidence, odds):
    assume(odds)
    advice = TableAdviser(table={("mnist", "svhn"): odds, ("svhn", "mnist"): -odds}, confidence=confidence).advise(
        CODE, "mnist", "svhn")
    assert advice.decided == (advice.probability >= confidence)
    assert ("undecided" in advice.reason) != advice.decided
