"""Whatever an adviser does costs its opinion at most."""

import math
import threading

import pytest

from nngpt_perfclf.advice.scorers import is_usable, opinions
from nngpt_perfclf.types import Candidate, PerfclfError, Score

ASKED = [Candidate("a", "x"), Candidate("b", "y")]
GOOD = Score(0.5, 0.5, 0.1, 0.9, True, "made up")


class OddError(Exception):
    def __str__(self):
        raise ValueError


def fail(error):
    def ask(candidates):
        raise error
    return ask


def test_good_scores_are_given_as_they_are():
    assert opinions(lambda candidates: (GOOD, None), ASKED) == ([GOOD, None], "the adviser has no opinion")
    assert opinions(fail(ValueError()), []) == ([], "")


@pytest.mark.parametrize(("ask", "why"), [
    (fail(ValueError("in\ntwo lines")), "ValueError: in two lines"), (fail(SystemExit(3)), "SystemExit: 3"),
    (fail(OddError()), "OddError"), (fail(GeneratorExit()), "GeneratorExit:"),
    (fail(StopIteration()), "StopIteration:"),
    (lambda candidates: [GOOD], "1 answers about 2 candidates"), (lambda candidates: "ab", "str answers about"),
    (lambda candidates: candidates.clear() or candidates, "0 answers about 2 candidates"),
])
def test_a_failure_is_no_opinion_and_one_line_of_why(ask, why, caplog):
    scores, reason = opinions(ask, ASKED)
    assert scores == [None, None]
    assert reason.startswith(f"the adviser failed: {why}")
    assert reason in caplog.text
    assert len(ASKED) == 2


def test_what_the_user_must_repair_is_raised():
    with pytest.raises(PerfclfError, match="no such dataset"):
        opinions(fail(PerfclfError("no such dataset")), ASKED)
    with pytest.raises(PerfclfError, match=r"nngpt-perfclf\[llm\]"):
        opinions(fail(ModuleNotFoundError("no torch", name="torch")), ASKED)


def test_an_adviser_that_hangs_is_left_behind_and_nobody_is_asked_until_it_ends():
    goes_on, calls = threading.Event(), []

    def hang(candidates):
        calls.append(threading.current_thread())
        goes_on.wait(60)
        return [GOOD, GOOD]

    assert opinions(hang, ASKED, patience=0.01) == ([None, None], "the adviser failed: it took longer than 0.01 s")
    assert opinions(hang, ASKED) == ([None, None], "the adviser failed: an earlier call has not ended")
    goes_on.set()
    calls[0].join(10)
    assert opinions(hang, ASKED)[0] == [GOOD, GOOD]


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, "0.5", None, 1j])
def test_only_finite_numbers_are_scores(value):
    assert not is_usable(Score(value, 0.5, 0.1, 0.9, True, ""))
    assert not is_usable(value)


@pytest.mark.parametrize(("reason", "said"), [("\x1b[2Jred\n\ud800", "red  "), (None, ""), ("näher", "näher")])
def test_a_reason_is_one_line_of_text(reason, said):
    [score], _ = opinions(lambda candidates: [Score(0.5, 0.5, 0.1, 0.9, True, reason)], ASKED[:1])
    assert score.reason == said
