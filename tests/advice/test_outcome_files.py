"""Outcomes are read from JSON lines and from the run database of a loop."""

import json
from pathlib import Path

import pytest

from nngpt_perfclf import Outcome, PerfclfError, Recipe
from nngpt_perfclf.advice.inputs import read_outcomes
from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.run_database import RunDatabase
from nngpt_perfclf.types import Candidate

CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text(encoding="utf-8")


def test_lines_of_outcomes_are_read_and_a_bad_line_costs_no_other(tmp_path, capsys):
    (tmp_path / "net.py").write_text(CODE)
    file = tmp_path / "outcomes.jsonl"
    file.write_text("\n".join([json.dumps({"name": "a", "net": "net.py", "recipe": {"lr": 0.1}, "accuracy": 0.5}),
                               "no json", "",
                               json.dumps({"name": "b", "net": "net.py", "recipe": {"lr": 0.2}, "accuracy": 0.7})]))
    found = read_outcomes(file, 1, "svhn")
    assert [(one.candidate.name, one.accuracy) for one in found["svhn"]] == [("a", 0.5), ("b", 0.7)]
    assert "outcomes.jsonl, line 2: not a line of JSON" in capsys.readouterr().err


@pytest.mark.parametrize(("line", "complaint"), [
    ({"net": "none.py", "accuracy": 0.5}, "no file"), ({"accuracy": 0.5}, "needs either net or arch_code"),
    ({"net": "net.py"}, "the outcome has no accuracy"),
    ({"net": "net.py", "accuracy": 0.5, "lr": 1}, "has an unknown field lr")])
def test_a_line_without_a_readable_network_or_accuracy_is_reported(tmp_path, capsys, line, complaint):
    (tmp_path / "net.py").write_text(CODE)
    (tmp_path / "outcomes.jsonl").write_text(json.dumps(line))
    assert read_outcomes(tmp_path / "outcomes.jsonl", 1, "svhn") == {}
    assert complaint in capsys.readouterr().err


def test_a_line_names_its_dataset_or_takes_the_target(tmp_path, capsys):
    lines = [{"arch_code": CODE, "accuracy": 0.5, "dataset": "mine"}, {"arch_code": CODE, "accuracy": 0.6}]
    (tmp_path / "outcomes.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert sorted(read_outcomes(tmp_path / "outcomes.jsonl", 1, "svhn")) == ["mine", "svhn"]
    assert sorted(read_outcomes(tmp_path / "outcomes.jsonl", 1)) == ["mine"]
    assert "the outcome has no dataset" in capsys.readouterr().err


def test_a_missing_file_and_one_that_is_no_database_are_one_clear_error(tmp_path):
    with pytest.raises(PerfclfError, match="no file of outcomes"):
        read_outcomes(tmp_path / "none.jsonl", 1)
    (tmp_path / "x.sqlite").write_text("no database")
    with pytest.raises(PerfclfError, match="not a run database"):
        read_outcomes(tmp_path / "x.sqlite", 1)


def test_the_run_database_of_a_local_loop_holds_outcomes_by_dataset(tmp_path):
    file = tmp_path / "loop.sqlite"
    with RunDatabase(file, load_config(None, ["loop=local"])) as runs:
        trained = Candidate("a", CODE, Recipe(lr=0.1, batch=16))
        runs.add_outcome(trained, Outcome("a", "digits", 0.8, 3.0))
        runs.add_outcome(trained, Outcome("a", "shapes", None, 3.0, "out of memory"))
    found = read_outcomes(file, 1)
    assert [(one.candidate.name, one.candidate.recipe.lr, one.accuracy) for one in found["digits"]] == [("a", 0.1, 0.8)]
    assert list(found) == ["digits"]
