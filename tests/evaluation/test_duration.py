"""How long an adviser will take is what its tokens or a sample of its answers say."""

import pytest
from made_advisers import KNOWN, PRIOR, TableAdviser

from nngpt_perfclf.advice.base import some_networks
from nngpt_perfclf.advice.language import LanguageAdviser
from nngpt_perfclf.advice.stack import StackAdviser
from nngpt_perfclf.evaluation.predict import expected_seconds
from nngpt_perfclf.models import throughput
from nngpt_perfclf.models.language import load
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.types import Question

CODES = [f"class Net:\n def __init__(self):\n  self.a = nn.Conv2d(3, {8 * number}, 3)\n" for number in range(1, 7)]
QUESTIONS = [Question(code, "mnist", other) for code in CODES for other in ("svhn", "cifar-10", "cifar-100")]


class Remembering(dict):
    """An answer cache in memory."""

    def read(self, questions):
        return {question: self[question] for question in questions if question in self}

    def write(self, answers):
        self.update(answers)


@pytest.fixture(scope="module")
def reader(tiny_folder):
    builder = PromptBuilder(templates()["code_recipe"], templates()["code"], "ast", 100, KNOWN)
    return LanguageAdviser("tiny", PRIOR, KNOWN, model=load(tiny_folder, precision="float32"), builder=builder)


def test_a_sample_has_all_questions_about_networks_that_are_spread_evenly():
    assert some_networks(QUESTIONS, 2) == QUESTIONS[:3] + QUESTIONS[-3:]
    assert some_networks(QUESTIONS, 99) == QUESTIONS


def test_an_adviser_without_a_model_is_measured_by_what_it_answers():
    adviser = TableAdviser()
    assert expected_seconds(adviser, QUESTIONS) > 0
    assert {question for asked in adviser.asked for question in asked} >= set(QUESTIONS)
    assert expected_seconds(adviser, []) == 0


def test_a_language_model_takes_the_time_of_its_tokens_at_the_rate_of_this_machine(reader, monkeypatch):
    found = []
    for rate in (0.5, 0.25):
        monkeypatch.setattr(throughput, "reading_rate", lambda model, rate=rate: rate)
        found.append(expected_seconds(reader, QUESTIONS))
    assert found[1] == pytest.approx(2 * found[0], rel=0.05)
    assert expected_seconds(reader, QUESTIONS[:9]) == pytest.approx(found[1] / 2, rel=0.1)


def test_answers_in_the_cache_take_no_time(reader, monkeypatch):
    monkeypatch.setattr(throughput, "reading_rate", lambda model: 0.5)
    every = expected_seconds(reader, QUESTIONS)
    monkeypatch.setattr(reader, "cache", Remembering())
    assert expected_seconds(reader, QUESTIONS) == pytest.approx(every, rel=0.05)
    reader.both_orders(QUESTIONS[:9])
    assert expected_seconds(reader, QUESTIONS) == pytest.approx(every / 2, rel=0.1)
    reader.both_orders(QUESTIONS)
    assert expected_seconds(reader, QUESTIONS) == 0


def test_a_stack_takes_as_long_as_its_parts(reader, monkeypatch):
    monkeypatch.setattr(throughput, "reading_rate", lambda model: 0.5)
    stack = StackAdviser("stack", PRIOR, KNOWN, parts=[reader, TableAdviser()])
    assert expected_seconds(stack, QUESTIONS) == pytest.approx(expected_seconds(reader, QUESTIONS), rel=0.05)
