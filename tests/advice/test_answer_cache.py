from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest
from made_advisers import TableAdviser

from nngpt_perfclf.advice.run_folders import AnswerCache, cache_of
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Question, Recipe

QUESTION = Question("class Net: pass", "mnist", "svhn", Recipe(lr=0.1), None)
OTHERS = [replace(QUESTION, arch_code="class Net: x"), replace(QUESTION, recipe_a=Recipe(lr=0.2)),
          replace(QUESTION, recipe_a=None, recipe_b=Recipe(lr=0.1)), replace(QUESTION, epoch=2), QUESTION.swapped()]


def test_an_adviser_of_the_same_fingerprint_is_not_asked_again(tmp_path):
    first, second, other = (TableAdviser(otherwise=1.0, cache=AnswerCache(name, tmp_path))
                            for name in ("same", "same", "other"))
    assert first.advise_many([QUESTION]) == second.advise_many([QUESTION]) == other.advise_many([QUESTION])
    assert [sum(map(len, adviser.asked)) for adviser in (first, second, other)] == [2, 0, 2]


def test_only_what_is_new_is_asked_and_answers_keep_their_order(tmp_path):
    adviser = TableAdviser(table={("mnist", "svhn"): 1.0, ("svhn", "mnist"): -3.0}, cache=AnswerCache("x", tmp_path))
    adviser.log_odds([QUESTION])
    adviser.evidence = lambda asked: np.full((len(asked), 1), 7.0)
    assert adviser.log_odds([OTHERS[0], QUESTION, QUESTION.swapped()]).tolist() == [0.0, 2.0, -2.0]


def test_every_field_of_a_question_counts(tmp_path):
    cache = AnswerCache("x", tmp_path)
    cache.write({QUESTION: [1.0, 2.0]})
    assert cache.read([QUESTION, *OTHERS]) == {QUESTION: [1.0, 2.0]}


def test_no_opinion_is_kept_too(tmp_path):
    cache = AnswerCache("x", tmp_path)
    cache.write({QUESTION: [nan]})
    assert isnan(cache.read([QUESTION])[QUESTION][0])


def test_evidence_comes_back_to_the_last_bit_and_the_first_answer_stays(tmp_path):
    cache = AnswerCache("x", tmp_path)
    cache.write({QUESTION: [0.1 + 0.2, -1e-300]})
    cache.write({QUESTION: [5.0, 5.0]})
    assert cache.read([QUESTION]) == {QUESTION: [0.1 + 0.2, -1e-300]}


def test_a_code_that_is_no_unicode_has_a_key_of_its_own(tmp_path):
    cache = AnswerCache("x", tmp_path)
    broken = replace(QUESTION, arch_code="class Net: pass\ud800")
    cache.write({broken: [1.0]})
    assert cache.read([QUESTION, broken]) == {broken: [1.0]}


def test_more_questions_than_one_statement_takes_are_read(tmp_path):
    cache = AnswerCache("x", tmp_path)
    questions = [replace(QUESTION, epoch=epoch) for epoch in range(1, 1203)]
    cache.write({question: [float(question.epoch)] for question in questions})
    assert cache.read(questions) == {question: [float(question.epoch)] for question in questions}


def test_many_may_write_at_once_and_nothing_is_lost(tmp_path):
    questions = [replace(QUESTION, epoch=epoch) for epoch in range(1, 201)]

    def write(start):
        AnswerCache("x", tmp_path).write({question: [float(question.epoch)] for question in questions[start::4]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [*range(4), *range(4)]))
    assert AnswerCache("x", tmp_path).read(questions) == {question: [float(question.epoch)] for question in questions}


@pytest.mark.parametrize("change", ["label=rank", "advice.profile=never", "datasets=other.yaml"])
def test_a_setting_that_decides_answers_has_a_file_of_its_own(tmp_path, monkeypatch, change):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    run.mkdir()
    (run / "adapter.safetensors").write_bytes(b"1")
    plain = cache_of(run, load_config())
    assert cache_of(run, load_config()).file == plain.file
    assert plain.file.parent == tmp_path / "home" / "advice"
    assert cache_of(run, load_config(overrides=[change])).file != plain.file
    (run / "adapter.safetensors").write_bytes(b"2")
    assert cache_of(run, load_config()).file != plain.file


def test_without_the_setting_nothing_is_kept(tmp_path):
    assert cache_of(tmp_path, load_config(overrides=["advice.answer_cache=false"])) is None
