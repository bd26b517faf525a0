import json

import pytest
from nngpt_perfclf.advice.loading import folder_of, load_advisor

from nngpt_perfclf.advice.stack import StackAdviser
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import PerfclfError, Question, Recipe

CONFIG = load_config()
QUESTION = Question("class Net: pass", "mnist", "svhn", Recipe(lr=0.01), Recipe(lr=0.5))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"kind": "stack"}))
    (tmp_path / "stack.json").write_text(json.dumps({"normalized": {"prior": 0.5, "pairwise": 0.75}}))
    (tmp_path / "prior.json").write_text((folder_of("prior") / "prior.json").read_text())
    return tmp_path


def test_it_is_the_weighted_sum_of_its_parts_log_odds_in_either_order(folder):
    stack = load_advisor(folder, CONFIG)
    assert isinstance(stack, StackAdviser)
    prior, pairwise = (load_advisor(name, CONFIG).averaged([QUESTION])[0] for name in ("prior", "pairwise"))
    assert stack.averaged([QUESTION])[0] == pytest.approx(0.5 * prior + 0.75 * pairwise)
    assert stack.averaged([QUESTION.swapped()])[0] == -stack.averaged([QUESTION])[0]


def test_a_label_without_weights_and_a_missing_part_are_clear_errors(folder):
    with pytest.raises(PerfclfError, match="no weights for label=rank"):
        load_advisor(folder, load_config(overrides=["label=rank"]))
    (folder / "stack.json").write_text(json.dumps({"normalized": {"prior": 0.5, "../gone": 0.75}}))
    with pytest.raises(PerfclfError, match="no adviser"):
        load_advisor(folder, CONFIG)


@pytest.mark.parametrize(("name", "told"), [("parwise", "did you mean pairwise"), ("nothing-like-it", "known: shipped")])
def test_an_unknown_adviser_is_told_the_known_ones(name, told):
    with pytest.raises(PerfclfError, match=told):
        load_advisor(name)


def test_a_folder_that_holds_no_adviser_says_what_it_holds(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"kind": "evaluation"}))
    with pytest.raises(PerfclfError, match="'evaluation', not an adviser"):
        load_advisor(tmp_path)
