"""The score of a network that is built does not depend on code that is never run, on names or on literals."""

from pathlib import Path

import pytest

from nngpt_perfclf import Candidate, Recipe, rank

CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text(encoding="utf-8")
CLASS, INIT, FORWARD = "class Net(nn.Module):", "        self.device = device\n", "    def forward(self, x):\n"
BEFORE = "def helper(y):\n    return nn.Linear(99, 99)(y)\n\n\nclass Attention(nn.Module):\n    pass\n\n\n"
VARIANTS = {
    "plain": CODE,
    "dead branch in a constructor": CODE.replace(INIT, f"{INIT}        if 0:\n            x = nn.Conv2d(3, 9, 7)\n"),
    "dead branch in forward": CODE.replace(FORWARD, f"{FORWARD}        if False:\n            x = nn.LSTM(8, 8)(x)\n"),
    "unused function and class": CODE.replace(CLASS, BEFORE + CLASS),
    "unused imports": CODE.replace("import torch\n", "import torch\nimport math, collections, itertools\n", 1),
    "literals": CODE.replace(CLASS, f"BEST = 'vision transformer, 99 % accuracy'\nSCORES = [0.99] * 5\n\n\n{CLASS}"),
    "names": CODE.replace("features", "attention").replace("classifier", "transformer_head"),
}


def test_every_variant_differs_from_the_plain_code():
    assert len(set(VARIANTS.values())) == len(VARIANTS)


@pytest.mark.parametrize("target", ["cifar-10", "svhn"])
def test_code_that_is_never_run_moves_no_score(target):
    recipe = Recipe(lr=0.01, batch=64, transform="norm_64_flip")
    ranked = rank([Candidate(name, code, recipe) for name, code in VARIANTS.items()], target)
    assert {place.status for place in ranked} == {"ok"}
    assert all("text" not in place.score.reason for place in ranked), "the networks were not built"
    assert len({place.score.value for place in ranked}) == 1
