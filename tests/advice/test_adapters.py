import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_advisers import PRIOR, FixedScorer, TableAdviser, candidate, score_of

from nngpt_perfclf.advice.adapters import PairScorer, ScoreComparer, as_scorer, both_orders
from nngpt_perfclf.types import Advice, PerfclfError, Question, Recipe

ANCHORS = {"cifar-10": Recipe(lr=0.02), "mnist": Recipe(lr=0.03), "svhn": Recipe(lr=0.04)}
REFERENCES = ("cifar-10", "mnist")
RATE = Recipe(lr=0.5)


class PairsAlone:
    """An adviser that is no Adviser: it answers each question with the same advice, or as `answer` says."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def advise_many(self, questions):
        self.asked += questions
        return [self.answer(question) for question in questions]


def advice(better, probability, prior=0.5, decided=True):
    return Advice(better, probability, prior, decided, "")


def logit(probability):
    return math.log(probability / (1 - probability))


def test_a_candidate_is_compared_with_each_reference_under_the_references_anchor_recipe():
    adviser = PairsAlone(lambda question: advice(question.ds_a, 0.8))
    PairScorer(adviser, (*REFERENCES, "svhn"), ANCHORS, epoch=3).score([candidate("a", 0.5), candidate("b")], "svhn")
    code = candidate("a").arch_code
    assert adviser.asked == [
        Question(code, "svhn", "cifar-10", RATE, ANCHORS["cifar-10"], 3),
        Question(code, "svhn", "mnist", RATE, ANCHORS["mnist"], 3),
        Question(code, "svhn", "cifar-10", epoch=3), Question(code, "svhn", "mnist", epoch=3)]


def test_without_anchors_both_sides_have_the_candidates_recipe():
    adviser = PairsAlone(lambda question: advice(question.ds_a, 0.8))
    PairScorer(adviser, REFERENCES, None).score([candidate("a", 0.5)], "svhn")
    assert {(asked.recipe_a, asked.recipe_b) for asked in adviser.asked} == {(RATE, RATE)}


def test_a_score_is_the_mean_gain_in_log_odds_over_the_prior():
    answers = {"cifar-10": advice("svhn", 0.9, 0.6), "mnist": advice("mnist", 0.7, 0.8)}
    scorer = PairScorer(PairsAlone(lambda question: answers[question.ds_b]), REFERENCES, ANCHORS)
    score, = scorer.score([candidate("a", 0.5)], "svhn")
    assert score.value == pytest.approx((logit(0.9) - logit(0.6) - logit(0.7) + logit(0.8)) / 2, abs=1e-6)
    assert score.percentile == pytest.approx(1 / (1 + math.exp(-score.value)))
    assert (score.low, score.high, score.decided) == (0, 1, True)


def test_a_reference_without_an_opinion_is_left_out_of_the_mean():
    scorer = PairScorer(PairsAlone(lambda q: None if q.ds_b == "mnist" else advice("svhn", 0.9)), REFERENCES, ANCHORS)
    assert scorer.score([candidate("a", 0.5)], "svhn")[0].value == pytest.approx(logit(0.9), abs=1e-6)


@pytest.mark.parametrize("answer", [None, advice("svhn", 0.9, decided=False)])
def test_without_a_decided_answer_there_is_no_score(answer):
    assert PairScorer(PairsAlone(lambda _: answer), REFERENCES, ANCHORS).score([candidate("a")], "svhn") == [None]


def test_a_certain_adviser_gives_a_finite_score():
    scorer = PairScorer(PairsAlone(lambda question: advice("svhn", 1.0)), REFERENCES, ANCHORS)
    assert 10 < scorer.score([candidate("a")], "svhn")[0].value < 20


@pytest.mark.parametrize(("references", "anchors", "complaint"), [
    (("svhn",), ANCHORS, "no reference dataset to compare svhn with"), ((), ANCHORS, "no reference dataset"),
    (("imagenette",), ANCHORS, "no anchor recipe for the reference dataset 'imagenette'")])
def test_a_target_without_references_is_a_clear_error(references, anchors, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        PairScorer(PairsAlone(lambda _: None), references, anchors).score([candidate("a", 0.1)], "svhn")


@given(st.permutations(range(4)))
def test_a_score_by_pairs_does_not_depend_on_the_other_candidates(order):
    scorer = PairScorer(PairsAlone(lambda q: advice(q.ds_a, 0.5 + q.recipe_a.lr / 3)), REFERENCES, ANCHORS)
    candidates = [candidate(f"net-{place}", (place + 1) / 4) for place in order]
    assert scorer.score(candidates, "svhn") == [scorer.score([one], "svhn")[0] for one in candidates]


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_pair_advice_is_the_difference_of_two_scores_in_either_order(rate_a, rate_b):
    comparer = ScoreComparer(FixedScorer(), confidence=0.6, prior=PRIOR)
    question = Question("class Net: pass", "mnist", "svhn", Recipe(lr=rate_a), Recipe(lr=rate_b))
    told, turned = comparer.advise_many([question, question.swapped()])
    assert told == turned
    assert told.probability == pytest.approx(1 / (1 + math.exp(-abs(rate_a - rate_b))), abs=1e-6)
    assert told.better == ("svhn" if rate_b > rate_a else "mnist")
    assert told.prior == pytest.approx(0.9 - 0.1 * 0.9 if told.better == "mnist" else 0.19, abs=0.01)
    assert told.decided == (told.probability >= 0.6)


def test_each_dataset_is_scored_in_one_call_and_in_its_own_scale():
    scorer = FixedScorer()
    questions = [Question("class Net: pass", "mnist", "svhn", Recipe(lr=1.0), Recipe(lr=0.5))] * 3
    ScoreComparer(scorer).advise_many(questions)
    assert [target for _, target in scorer.asked] == ["mnist"] * 3 + ["svhn"] * 3


def test_a_side_without_a_score_is_no_opinion_and_costs_no_other_question_its_answer(caplog):
    class Picky(FixedScorer):
        def score(self, candidates, target):
            if target == "places365":
                raise PerfclfError("places365 is too large")
            return super().score(candidates, target)

    good = Question("class Net: pass", "mnist", "svhn", Recipe(lr=1.0), Recipe(lr=0.5))
    unrated = Question("class Net: pass", "mnist", "svhn", Recipe(lr=1.0))
    refused = Question("class Net: pass", "mnist", "places365", Recipe(lr=1.0), Recipe(lr=0.5))
    first, *none, last = ScoreComparer(Picky()).advise_many([good, unrated, refused, good])
    assert none == [None, None]
    assert first == last
    assert first.better == "mnist"
    assert "places365 is too large" in caplog.text


def test_an_adviser_that_scores_is_used_as_it_is_and_never_asked_about_references():
    scorer = FixedScorer()
    assert as_scorer(scorer, REFERENCES, ANCHORS) is scorer


def test_an_adviser_of_pairs_is_asked_about_references():
    adviser = TableAdviser()
    assert as_scorer(adviser, list(REFERENCES), ANCHORS, 5) == PairScorer(adviser, REFERENCES, ANCHORS, 5)


def test_an_object_that_does_neither_is_no_adviser():
    with pytest.raises(PerfclfError, match="int is no adviser"):
        as_scorer(3, REFERENCES, ANCHORS)


def test_both_orders_of_any_adviser_are_log_odds_of_the_first_dataset():
    question = Question("class Net: pass", "mnist", "svhn", Recipe(lr=1.0), Recipe(lr=0.5))
    pairs = PairsAlone(lambda asked: advice(asked.ds_a, 0.8))
    table = TableAdviser(table={("mnist", "svhn"): 2.0, ("svhn", "mnist"): -1.0})
    silent = PairsAlone(lambda _: None)
    for adviser, expected in ((table, (2.0, 1.0)), (FixedScorer(), (0.5, 0.5)), (pairs, (logit(0.8), -logit(0.8))),
                              (silent, (np.nan, np.nan))):
        ab, ba = both_orders(adviser, [question])
        assert (ab.shape, ba.shape) == ((1,), (1,))
        assert (ab[0], ba[0]) == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_a_made_up_score_has_its_value():
    assert score_of(None) is None
    assert score_of(1).value == 1.0
