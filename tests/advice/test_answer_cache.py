from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isnan, nan

import numpy as np

from nngpt_perfclf.advice.answer_cache import Memory
from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Question, Recipe

QUESTION = Question("class Net: pass", "mnist", "svhn", Recipe(lr=0.1), None)
OTHERS = [replace(QUESTION, arch_code="class Net: x"), replace(QUESTION, recipe_a=Recipe(lr=0.2)),
          replace(QUESTION, recipe_a=None, recipe_b=Recipe(lr=0.1)), replace(QUESTION, epoch=2), QUESTION.swapped()]


class Counting(Adviser):
    asked = 0

    def log_odds(self, questions):
        self.asked += len(questions)
        return np.ones(len(questions))


def test_a_new_adviser_of_the_same_fingerprint_is_not_asked_again(tmp_path):
    first, second, other = (Counting("counting", PairPrior(), dataset_properties(), memory=Memory(name, tmp_path))
                            for name in ("same", "same", "other"))
    assert first.advise_many([QUESTION]) == second.advise_many([QUESTION])
    other.advise_many([QUESTION])
    assert (first.asked, second.asked, other.asked) == (2, 0, 2)


def test_every_field_of_a_question_counts(tmp_path):
    memory = Memory("x", tmp_path)
    memory.write({QUESTION: 1.0})
    assert memory.read([QUESTION, *OTHERS]) == {QUESTION: 1.0}


def test_no_opinion_is_remembered_too(tmp_path):
    memory = Memory("x", tmp_path)
    memory.write({QUESTION: nan})
    assert isnan(memory.read([QUESTION])[QUESTION])


def test_many_may_write_at_once_and_nothing_is_lost(tmp_path):
    questions = [replace(QUESTION, epoch=epoch) for epoch in range(1, 201)]

    def write(start):
        Memory("x", tmp_path).write({question: float(question.epoch) for question in questions[start::4]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [*range(4), *range(4)]))
    assert Memory("x", tmp_path).read(questions) == {question: float(question.epoch) for question in questions}
