"""Both ways of matching an answer with the offered datasets, on NNGPT's own cases and on made-up ones."""

import json
import string
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.evaluation.matching import extract_answer, read_answer
from nngpt_perfclf.types import PerfclfError

CASES = [json.loads(line) for line in
         (Path(__file__).parents[1] / "golden" / "nngpt" / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
PAIR = ("mnist", "svhn")


@pytest.mark.parametrize("category", sorted({case["category"] for case in CASES}))
def test_reference_mode_gives_nngpts_own_answers(category):
    for case in (case for case in CASES if case["category"] == category):
        assert extract_answer(case["answer"], case["datasets"], "reference") == case["extract_answer"], case
        assert read_answer(case["answer"], case["datasets"], "reference") == case["evaluate_epoch"], case


@pytest.mark.parametrize(("text", "answer"), [
    ("fashion-mnist", None),
    ("fashion_mnist, so svhn", "svhn"),
    ("mnist-c", None),
    ("svhn, not mnist", "svhn"),
    ("not mnist but svhn", "svhn"),
    ("Not mnist; it is svhn.", "svhn"),
    ("svhn rather than mnist", "svhn"),
    ("mnist isn't better, so svhn", "svhn"),
    ("mnist is worse than svhn", "svhn"),
    ("mnist performs worse than svhn", "svhn"),
    ("better on svhn than on mnist", "svhn"),
    ("compared to mnist, svhn is better", "svhn"),
    ("it does worse on mnist", None),
    ("lower accuracy on the mnist dataset, so svhn", "svhn"),
    ("less accurate with mnist, more with svhn", "svhn"),
    ("svhn and mnist", "svhn"),
    ("not sure, mnist", "mnist"),
    ("not only mnist", "mnist"),
    ("neither mnist nor svhn", None),
    ("not svhn", None),
    ("kmnist", None),
    ("s v h n", None),
    ("SVHN<|im_end|>", "svhn"),
    ("**Svhn**", "svhn"),
    ("", None),
    (None, None),
])
def test_the_first_name_that_is_not_negated_counts(text, answer):
    assert extract_answer(text, PAIR) == answer


@pytest.mark.parametrize(("text", "answer"), [
    ("cifar-100", "cifar-100"), ("cifar-10", "cifar-10"), ("CIFAR 100", "cifar-100"), ("cifar_10.", "cifar-10"),
    ("cifar‑100", "cifar-100"), ("cifar-1000", None), ("cifar-10dataset", None), ("cifar100", None),
    ("cifar-100 not cifar-10", "cifar-100"),
])
def test_the_longest_name_matches_and_parts_of_words_do_not(text, answer):
    assert extract_answer(text, ("cifar-10", "cifar-100")) == answer
    assert extract_answer(text, ("cifar-100", "cifar-10")) == answer


@pytest.mark.parametrize(("text", "answer"), [
    ("fashion-mnist", None), ("fashion_mnist", None), ("Fashion‑MNIST", None), ("mnist-c", None), ("mnist_c", None),
    ("mnist-svhn", None), ("fashion-mnist is harder than svhn", None), ("fashion-mnist, so svhn", "svhn"),
    ("svhn, fashion-mnist", "svhn"), ("fashion-mnist or mnist", "mnist"),
    ("- mnist", "mnist"), ("-mnist", "mnist"), ("mnist-", "mnist"), ("_mnist_", "mnist"), ("__mnist__", "mnist"),
    ("svhn—the other is harder", "svhn"), ("svhn – the other", "svhn"), ("svhn--the other", "svhn"),
])
def test_a_word_that_is_joined_to_the_name_makes_it_another_name(text, answer):
    assert extract_answer(text, PAIR) == answer


def test_a_joined_name_that_is_offered_is_the_answer():
    assert extract_answer("fashion-mnist", ("mnist", "fashion-mnist")) == "fashion-mnist"
    assert extract_answer("fashion mnist", ("mnist", "fashion-mnist")) == "fashion-mnist"
    assert extract_answer("mnist", ("mnist", "fashion-mnist")) == "mnist"


WORDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
JOINS = st.sampled_from(["-", "_", "\u2010", "\u2011", "\u2212"])


@given(word=WORDS, join=JOINS, name=st.sampled_from(PAIR), before=st.booleans())
def test_no_word_that_is_joined_by_a_hyphen_leaves_the_name_a_match(word, join, name, before):
    text = f"{word}{join}{name}" if before else f"{name}{join}{word}"
    assert extract_answer(text, PAIR) is None
    assert extract_answer(text, (*PAIR, text)) == text


@given(name=st.sampled_from(PAIR), marks=st.text("\"'`*()[]{}.,:#~ -_\n", max_size=4))
def test_punctuation_around_a_name_changes_nothing(name, marks):
    assert extract_answer(f"{marks}{name}{marks}", PAIR) == name


@pytest.mark.parametrize(("text", "answer"), [
    ("<think>mnist, surely mnist</think>svhn", "svhn"),
    ("maybe mnist</think>\nsvhn", "svhn"),
    ("<think>mnist", None),
    ("<think>a</think>svhn<think>mnist", "svhn"),
    ("<THINK>mnist</Think>svhn", "svhn"),
    ("One of: mnist, svhn\n### Response:\nsvhn", "svhn"),
    ("### Response: mnist <|im_start|>assistant svhn", "svhn"),
    ("<start_of_turn>user mnist or svhn<start_of_turn>model\nsvhn", "svhn"),
])
def test_reasoning_and_the_echoed_prompt_are_removed(text, answer):
    assert read_answer(text, PAIR) == answer


@given(st.text(max_size=80), st.sampled_from(["strict", "reference"]))
def test_the_answer_is_one_of_the_pair_or_none(text, mode):
    assert read_answer(text, PAIR, mode) in {*PAIR, None}


@given(st.sampled_from(PAIR), st.sampled_from(["{}", " {}\n", "`{}`", "**{}**", "Answer: {}.", "<think>no</think>{}"]))
def test_both_modes_agree_on_plain_answers(name, frame):
    text = frame.format(name)
    assert read_answer(text, PAIR) == read_answer(text, PAIR, "reference") == name


def test_a_missing_dataset_is_never_the_answer():
    for mode in ("strict", "reference"):
        assert read_answer("svhn", [None, "svhn"], mode) == "svhn"
        assert read_answer("svhn", [None, ""], mode) is None


def test_of_two_spellings_of_a_name_the_one_in_the_text_is_the_answer():
    assert extract_answer("cifar_10", ["cifar-10", "cifar_10"]) == "cifar_10"


def test_a_very_long_answer_is_matched_in_time():
    start = time.perf_counter()
    for text in ("<think>" * 20_000, "not " + " " * 100_000 + "x", "cifar" + "-" * 100_000, "not mnist " * 5000):
        assert read_answer(text, ["mnist", "cifar-10"]) is None
    assert time.perf_counter() - start < 3


def test_an_unknown_mode_is_refused():
    with pytest.raises(PerfclfError, match="unknown mode"):
        extract_answer("svhn", PAIR, "loose")
