import json

import pytest

from nngpt_perfclf.advice.inputs import read_candidate, read_network, read_question, recipe_of
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

NET = "class Net: pass\n"


def line(**fields):
    return json.dumps(fields).encode()


def test_a_mark_of_the_byte_order_does_not_belong_to_the_network(tmp_path):
    (tmp_path / "net.py").write_text(NET, encoding="utf-8-sig")
    assert read_network(tmp_path / "net.py") == NET


def test_a_question_states_everything_or_takes_the_defaults(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    both = {"ds_a": "mnist", "ds_b": "svhn"}
    default = Recipe(lr=0.5)
    assert read_question(line(net="net.py", **both), tmp_path, 7, default, None) == Question(
        NET, "mnist", "svhn", default, None, 7)
    stated = line(arch_code="x", recipe_a={"lr": 1, "transform": "norm"}, recipe_b={"batch": 8}, epoch=2, **both)
    assert read_question(stated, tmp_path, 7, default, default) == Question(
        "x", "mnist", "svhn", Recipe(lr=1, transform="norm"), Recipe(batch=8), 2)
    null = line(arch_code="x", recipe_a=None, epoch=None, **both)
    assert read_question(null, tmp_path, 7, default).recipe_a == default


@pytest.mark.parametrize(("content", "complaint"), [
    (b"{bad", "not a line of JSON"), (b"\xff", "not a line of JSON"), (b"[" * 100_000, "not a line of JSON"),
    (b"3", "must be a JSON object, not int"),
    (line(arch_code="x", ds_a="mnist"), "has no ds_b"),
    (line(ds_a="mnist", ds_b="svhn"), "needs either net or arch_code"),
    (line(arch_code="x", ds_a="mnist", ds_b="svhn", epohc=1), "unknown field epohc; did you mean epoch"),
    (line(arch_code="x", ds_a=1, ds_b="svhn"), "ds_a of the question must be str, not int"),
    (line(arch_code="x", ds_a="a", ds_b="b", epoch=True), "epoch of the question must be int, not bool"),
    (line(arch_code="x", ds_a="a", ds_b="b", recipe_a={"lr": "1"}), "lr of recipe_a must be int or float"),
    (line(net="none.py", ds_a="a", ds_b="b"), "no file"),
])
def test_a_line_that_is_no_question_names_the_fault(tmp_path, content, complaint):
    with pytest.raises(PerfclfError, match=complaint) as refused:
        read_question(content, tmp_path, 1)
    assert "\n" not in str(refused.value)


def test_a_candidate_is_called_by_its_name_its_file_or_its_line(tmp_path):
    file = tmp_path / "pool.jsonl"
    (tmp_path / "net.py").write_text(NET)
    recipe = Recipe(lr=0.1)
    assert read_candidate(line(name="a", net="net.py"), file, 4, recipe) == Candidate("a", NET, recipe)
    assert read_candidate(line(net="net.py"), file, 4, recipe).name == "net.py"
    assert read_candidate(line(arch_code="x", recipe={"lr": 0.2}), file, 4, recipe) == Candidate(
        "pool.jsonl:4", "x", Recipe(lr=0.2))


def test_the_recipe_of_the_command_line_is_checked():
    assert recipe_of(load_config(overrides=["recipe.lr=0.1", "recipe.transform=norm"]).recipe) == Recipe(
        lr=0.1, transform="norm")
    with pytest.raises(PerfclfError, match=r"momentum must lie in 0\.\.1"):
        recipe_of(load_config(overrides=["recipe.momentum=2"]).recipe)
