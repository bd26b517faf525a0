"""An answer does not depend on its company: a question has the same bits alone, in any batch and in any order."""

import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.models.language import load
from nngpt_perfclf.prompts import Prompt

NAMES = ("celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn")
CODES = ("", "conv3:cin>64 bn relu\n", "conv3:cin>64 bn relu\n" * 9, " ".join(f"conv{at}" for at in range(180)))
RECIPES = ("", "lr-2.1 ", "lr-3.0 mom.9 batch64 img32 flip norm\n" * 3)
POOL = [Prompt("Which?\n", code, f"{recipe}{a} or {b}:\n", (a, b))
        for code in CODES for recipe in RECIPES for a, b in permutations(NAMES, 2)]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def answers(request, tiny_folder):
    """A tiny model, and what it says of each prompt alone."""
    model, alone = load(tiny_folder, precision=request.param), {}

    def of(prompt: Prompt) -> float:
        if prompt not in alone:
            alone[prompt] = model.score([prompt])[0]
        return alone[prompt]

    return model, of


@given(some=st.lists(st.sampled_from(POOL), min_size=2, max_size=60, unique=True),
       tokens=st.sampled_from([1, 300, 4096]))
def test_a_question_has_the_same_bits_in_any_company(answers, some, tokens):
    model, alone = answers
    assert model.score(some, tokens).tolist() == [alone(prompt) for prompt in some]


@pytest.mark.parametrize("limits", [{}, {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}], ids=["avx2", "avx2-mkl"])
def test_so_it_has_with_avx2_alone(tiny_folder, limits):
    """In processes of their own: the instruction set is chosen when torch is loaded."""
    done = subprocess.run([sys.executable, __file__, str(tiny_folder)], cwd=ROOT, capture_output=True, text=True,
                          timeout=300, check=False,
                          env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "ATEN_CPU_CAPABILITY": "avx2",
                               "ONEDNN_MAX_CPU_ISA": "AVX2", **limits})
    assert done.returncode == 0, done.stderr[-2000:]


def compare(folder: str) -> None:
    """Ask shuffled samples of the pool in both precisions, and each question again in other company."""
    import random

    from nngpt_perfclf.models.device import instruction_set

    draw = random.Random(0)
    for precision in ("float32", "bfloat16"):
        model, known = load(Path(folder), precision=precision), {}
        for size in (1, 2, 3, 17, 60, 120):
            some = draw.sample(POOL, size)
            for prompt, log_odds in zip(some, model.score(some), strict=True):
                assert known.setdefault(prompt, log_odds) == log_odds, (precision, prompt)
        for prompt in draw.sample(sorted(known, key=str), 12):
            assert model.score([prompt])[0] == known[prompt], (precision, prompt)
    print(instruction_set())


if __name__ == "__main__":
    compare(sys.argv[1])
