"""The figures about views: their sizes by the model's tokenizer, who looks alike, and what is left out."""

import pandas as pd
import pytest
from little_world import replace_corpus

from nngpt_perfclf.code_view.statistics import structure
from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.prompts import describe

SMALL = ("class Net:\n    def __init__(self):\n        self.a = nn.Linear(8, {})\n"
         "    def forward(self, x):\n        return self.a(x)\n")
CODES = {"one": SMALL.format(4), "the same": f"import os\n# told otherwise\n{SMALL.format(4)}",
         "another": SMALL.format(5),
         "large": "class Net:\n    def __init__(self):\n" + "".join(
             f"        self.layer{at} = nn.Linear({at}, {at * at})\n" for at in range(1, 99)),
         "no pair": SMALL.format(6)}


@pytest.fixture
def config(monkeypatch, tmp_path):
    rows = [{"task": "img-classification", "metric": "acc", "nn": nn, "dataset": dataset, "epoch": 1, "accuracy": 0.5,
             "transform": "norm_64"}
            for nn in CODES for dataset in ("mnist", "svhn") if (nn, dataset) != ("no pair", "svhn")]
    replace_corpus(monkeypatch, Corpus(pd.DataFrame(rows), CODES, "", "", (), 0))
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path))
    return load_config()


def test_networks_without_a_pair_do_not_count_and_those_that_look_alike_are_told(config):
    told = describe(config, views=True)
    assert (told["networks"], told["structures"]) == (4, 3)
    ast_view, cut = told["views"]
    assert (ast_view["same_view"], ast_view["structures_in_the_same_view"], ast_view["something_left_out"]) == (2, 0, 1)
    assert (cut["same_view"], cut["something_left_out"]) == (0, 1)
    assert ast_view["median_tokens"] <= ast_view["tokens_90"] <= 250


def test_without_the_models_tokenizer_the_count_is_said_to_be_an_estimate(config, tmp_path):
    assert describe(config, views=True)["counted_by"] == (
        f"estimate (no {tmp_path / 'models' / 'gemma-3-270m' / 'tokenizer.json'})")


@pytest.mark.parametrize("said", [
    '"""What it is."""\n', "import torch.nn as nn\n", "def supported_hyperparameters():\n    return {'lr'}\n"])
def test_a_structure_does_not_depend_on_what_no_layer_depends_on(said):
    assert structure(said + SMALL.format(4)) == structure(SMALL.format(4).replace("(self)", "(self: object) -> None"))
    assert structure(SMALL.format(4)) != structure(SMALL.format(5))


def test_code_that_does_not_parse_is_its_own_structure():
    assert structure("class Net(:\n") == "class Net(:\n"
