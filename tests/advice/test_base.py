"""Both orders are averaged in logit space: exchanging the two sides changes nothing, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.baselines import AlwaysFirst, NullAdviser, PriorAdviser
from nngpt_perfclf.advice.calibration import Calibration
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import PerfclfError, Question, Recipe

KNOWN = dataset_properties()
PRIOR = PairPrior({("mnist", "svhn"): 8, ("svhn", "mnist"): 1})
CODE = "class Net: pass"
names = st.sampled_from(sorted(KNOWN))


class Moody(Adviser):
    """Log-odds from a table; counts how often and what it was asked."""

    def __init__(self, odds, **more):
        super().__init__("moody", PRIOR, KNOWN, **more)
        self.odds, self.asked = odds, []

    def log_odds(self, questions):
        self.asked.append(list(questions))
        return np.array([self.odds[question.ds_a, question.ds_b] for question in questions])


@given(names, names, st.floats(-20, 20), st.floats(-20, 20), st.floats(0.01, 5))
def test_swapping_the_sides_changes_no_bit(ds_a, ds_b, ab, ba, slope):
    if ds_a == ds_b:
        return
    adviser = Moody({(ds_a, ds_b): ab, (ds_b, ds_a): ba}, calibration=Calibration(slope))
    assert adviser.advise(CODE, ds_a, ds_b) == adviser.advise(CODE, ds_b, ds_a)
    question = Question(CODE, ds_a, ds_b, Recipe(lr=0.1), Recipe(lr=0.2))
    assert adviser.averaged([question])[0] == -adviser.averaged([question.swapped()])[0]


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_the_probability_is_that_of_the_better_one(ab, ba):
    advice = Moody({("mnist", "svhn"): ab, ("svhn", "mnist"): ba}).advise(CODE, "mnist", "svhn")
    assert 0.5 <= advice.probability <= 1
    assert advice.better in ("mnist", "svhn")


def test_equal_questions_are_answered_once_and_all_in_one_call():
    adviser = Moody({("mnist", "svhn"): 1.0, ("svhn", "mnist"): -1.0})
    one = Question(CODE, "mnist", "svhn")
    advice = adviser.advise_many([one, one.swapped(), one])
    assert len(adviser.asked) == 1
    assert sorted(q.ds_a for q in adviser.asked[0]) == ["mnist", "svhn"]
    assert advice[0] == advice[1] == advice[2]


def test_an_adviser_that_names_the_first_is_undecided():
    advice = AlwaysFirst("always-first", PRIOR, KNOWN).advise(CODE, "mnist", "svhn")
    assert (advice.probability, advice.decided) == (0.5, False)


def test_no_opinion_is_none():
    adviser = NullAdviser("null", PRIOR, KNOWN)
    assert adviser.advise(CODE, "mnist", "svhn") is None
    assert adviser.advise_many([Question(CODE, "mnist", "svhn")]) == [None]


def test_an_unseen_pair_is_a_coin_toss_for_the_prior():
    adviser = PriorAdviser("prior", PRIOR, KNOWN)
    assert adviser.advise(CODE, "mnist", "svhn").probability == pytest.approx(9 / 11)
    unseen = adviser.advise(CODE, "cifar-10", "svhn")
    assert (unseen.probability, unseen.prior, unseen.decided) == (0.5, 0.5, False)
    assert "no recorded pair" in unseen.reason
    assert "cifar-10 was not learned from" in unseen.reason


@pytest.mark.parametrize(("code", "ds_a", "ds_b", "told"), [
    ("", "mnist", "svhn", "empty"),
    (CODE, "svhn", "svhn", "against itself"),
    (CODE, "svhn", "minst", "did you mean mnist"),
])
def test_a_bad_question_is_refused_in_one_line_and_spoils_no_other(code, ds_a, ds_b, told, caplog):
    adviser = Moody({("mnist", "svhn"): 1.0, ("svhn", "mnist"): -1.0})
    with pytest.raises(PerfclfError, match=told):
        adviser.advise(code, ds_a, ds_b)
    good = Question(CODE, "mnist", "svhn")
    assert adviser.advise_many([good, Question(code, ds_a, ds_b), good])[1] is None
    assert told in caplog.text
    assert adviser.advise_many([good, Question(code, ds_a, ds_b)])[0].better == "mnist"


def test_code_that_does_not_parse_is_answered_and_says_so():
    advice = Moody({("mnist", "svhn"): 1.0, ("svhn", "mnist"): -1.0}).advise("class Net(:", "mnist", "svhn")
    assert "does not parse" in advice.reason


def test_undecided_below_the_confidence():
    odds = {("mnist", "svhn"): 1.0, ("svhn", "mnist"): -1.0}
    sure, unsure = (Moody(odds, confidence=confidence).advise(CODE, "mnist", "svhn") for confidence in (0.73, 0.74))
    assert (sure.decided, unsure.decided) == (True, False)
    assert "undecided" in unsure.reason
