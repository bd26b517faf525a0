import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.evaluation import extract_answer, read_answer
from nngpt_perfclf.types import PerfclfError

CASES = [json.loads(line) for line in
         (Path(__file__).parents[1] / "golden" / "nngpt" / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
PAIR = ("mnist", "svhn")


@pytest.mark.parametrize("category", sorted({case["category"] for case in CASES}))
def test_the_reference_reading_is_nngpts_own(category):
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
def test_the_longer_name_at_a_place_wins_and_parts_of_words_do_not(text, answer):
    assert extract_answer(text, ("cifar-10", "cifar-100")) == answer
    assert extract_answer(text, ("cifar-100", "cifar-10")) == answer


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
def test_reasoning_and_the_echoed_prompt_are_taken_out(text, answer):
    assert read_answer(text, PAIR) == answer


@given(st.text(max_size=80), st.sampled_from(["strict", "reference"]))
def test_the_answer_is_one_of_the_pair_or_none(text, mode):
    assert read_answer(text, PAIR, mode) in {*PAIR, None}


@given(st.sampled_from(PAIR), st.sampled_from(["{}", " {}\n", "`{}`", "**{}**", "Answer: {}.", "<think>no</think>{}"]))
def test_strict_reads_what_the_reference_reads_right(name, frame):
    text = frame.format(name)
    assert read_answer(text, PAIR) == read_answer(text, PAIR, "reference") == name


def test_a_missing_dataset_is_never_the_answer():
    for mode in ("strict", "reference"):
        assert read_answer("svhn", [None, "svhn"], mode) == "svhn"
        assert read_answer("svhn", [None, ""], mode) is None


def test_two_spellings_of_one_name_are_told_apart_where_the_text_does():
    assert extract_answer("cifar_10", ["cifar-10", "cifar_10"]) == "cifar_10"


def test_an_endless_answer_is_read_in_time():
    start = time.perf_counter()
    for text in ("<think>" * 20_000, "not " + " " * 100_000 + "x", "cifar" + "-" * 100_000, "not mnist " * 5000):
        assert read_answer(text, ["mnist", "cifar-10"]) is None
    assert time.perf_counter() - start < 3


def test_an_unknown_way_of_reading_is_refused():
    with pytest.raises(PerfclfError, match="unknown way"):
        extract_answer("svhn", PAIR, "loose")
