"""An advice is the same alone, in any batch and order, and whether or not it comes from the answer cache: the rounded
probability, the decision and all else."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from itertools import count, permutations
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_advisers import KNOWN, PRIOR

from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.advice.language import LanguageAdviser
from nngpt_perfclf.advice.run_folders import AnswerCache
from nngpt_perfclf.advice.weights import Weights
from nngpt_perfclf.config import load_config
from nngpt_perfclf.models.language import load
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.types import Question, Recipe

ROOT = Path(__file__).parents[2]
LAYER = "        self.conv{0} = nn.Conv2d({0}, {0}, 3)\n"
CODES = [f"class Net(nn.Module):\n    def __init__(self):\n{''.join(map(LAYER.format, range(1, depth)))}"
         for depth in (2, 3, 12, 40)]
NAMES = ("celeba-gender", "cifar-10", "cifar-100", "mnist", "svhn")
RECIPES = (None, Recipe(lr=0.01), Recipe(lr=0.001, batch=64, momentum=0.9))
POOL = [Question(code, a, b, first, second) for code in CODES for a, b in permutations(NAMES, 2)
        for first in RECIPES for second in RECIPES[1:]]
QUESTIONS = [Question(code, a, b, RECIPES[1], recipe) for code, a, b, recipe in (
    (CODES[0], "mnist", "svhn", None), (CODES[0], "svhn", "mnist", RECIPES[1]), (CODES[0], "mnist", "svhn", RECIPES[2]),
    (CODES[1], "mnist", "svhn", RECIPES[1]), (CODES[1], "cifar-10", "cifar-100", RECIPES[1]))]
CACHES = count()


def tiny_adviser(folder: Path, precision: str) -> LanguageAdviser:
    """A language adviser of a tiny model, undecided about half of its answers, without a cache."""
    builder = PromptBuilder(templates()["code_recipe"], templates()["code"], "ast", 100, KNOWN)
    adviser = LanguageAdviser("tiny", PRIOR, KNOWN, model=load(folder, precision=precision), builder=builder,
                              weights=Weights((1.3, 0.2, 1.0), (0.7, 0.1, 1.0)))
    sample = random.Random(0).sample(POOL, 40)
    return replace(adviser, confidence=median(advice.probability for advice in adviser.advise_many(sample)))


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def answers(request, tiny_folder):
    """An adviser without a cache, and what it says of each question alone."""
    adviser, alone = tiny_adviser(tiny_folder, request.param), {}

    def of(question):
        if question not in alone:
            alone[question] = adviser.advise_many([question])[0]
        return alone[question]

    return adviser, of


batches = st.lists(st.lists(st.sampled_from(POOL), min_size=1, max_size=25), min_size=1, max_size=3)


@settings(max_examples=12)
@given(batches, st.booleans(), st.sampled_from([1, 300, 4096]))
def test_an_advice_is_the_same_in_any_company_and_from_the_cache(answers, tmp_path_factory, asked, cached, tokens):
    adviser, alone = answers
    cache = AnswerCache(f"cache-{next(CACHES)}", tmp_path_factory.getbasetemp()) if cached else None
    adviser = replace(adviser, cache=cache, batch_tokens=tokens)
    for batch in asked:
        assert adviser.advise_many(batch) == [alone(question) for question in batch]
    if cached:
        again = replace(adviser, model=None)  # nothing is left to be read
        every = [question for batch in asked for question in batch]
        assert again.advise_many(every[::-1]) == [alone(question) for question in reversed(every)]


def test_the_adviser_decides_some_questions_and_leaves_others_open(answers):
    adviser, alone = answers
    advices = [alone(question) for question in random.Random(1).sample(POOL, 30)]
    assert {advice.decided for advice in advices} == {True, False}
    assert all(advice.decided == (advice.probability >= adviser.confidence) for advice in advices)
    assert len({advice.probability for advice in advices}) > 20


def compare(adviser: LanguageAdviser, questions: list[Question], caches: Path) -> None:
    """Ask all questions in one batch; shuffled, in parts, with a cache that knows some; and one of them alone."""
    draw, cache = random.Random(0), AnswerCache(f"cache-{next(CACHES)}", caches)
    known = dict(zip(questions, adviser.advise_many(questions), strict=True))
    for asked in (replace(adviser, cache=cache), replace(adviser, cache=cache, batch_tokens=1)):
        some = draw.sample(questions, len(questions) // 2)
        assert asked.advise_many(some) == [known[question] for question in some], adviser.computed_with
    assert adviser.advise_many(questions[:1]) == [known[questions[0]]], adviser.computed_with
    assert len({advice.probability for advice in known.values()}) > len(questions) // 2


@pytest.mark.slow
def test_so_are_those_of_the_pretrained_model(pretrained, tmp_path):
    compare(replace(pretrained, cache=None), QUESTIONS, tmp_path)


@pytest.mark.slow
def test_so_it_is_with_avx2_alone(tiny_folder, tmp_path):
    """In a process of its own: the instruction set is chosen when torch is loaded."""
    done = subprocess.run(
        [sys.executable, __file__, str(tiny_folder), str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        timeout=600, check=False,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
             "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"})
    assert done.returncode == 0, done.stderr[-2000:]


def main(tiny: Path, caches: Path) -> None:
    """The tiny model in both precisions, and the pretrained one in the precision that is fast with these instructions.
    """
    for precision in ("float32", "bfloat16"):
        compare(tiny_adviser(tiny, precision), random.Random(2).sample(POOL, 60), caches)
    compare(load_advisor("pretrained", load_config(overrides=["advice.answer_cache=false"])), QUESTIONS, caches)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
