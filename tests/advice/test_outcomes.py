"""Accuracies of a user's own runs are checked, read, and change the scores of what is like them."""

import json
import math
from pathlib import Path

import pytest

from nngpt_perfclf import Candidate, PerfclfError, Recipe, rank
from nngpt_perfclf.advice.outcomes import checked, read_outcomes
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Observation

CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text(encoding="utf-8")
UNKNOWN = "fashion: {images: 60000, size: 28, channels: 1, classes: 10}\n"


def candidate(lr, name=None):
    return Candidate(name or f"lr {lr}", CODE, Recipe(lr=lr, batch=64, transform="norm_64_flip"))


@pytest.fixture
def config(tmp_path):
    known = tmp_path / "datasets.yaml"
    known.write_text(UNKNOWN)
    return load_config(None, ["advice.profile=never", f"datasets={known}"])


@pytest.mark.parametrize(("accuracy", "complaint"), [
    (math.nan, "not a number"), (True, "not a number"), ("0.5", "not a number"), (71.0, "as a share: 0.71"),
    (-0.1, "not in 0..1"), (math.inf, "not in 0..1")])
def test_an_impossible_accuracy_is_reported_and_left_out(accuracy, complaint):
    good, complaints = checked([Observation(candidate(0.1), accuracy), Observation(candidate(0.2), 0.5)], epoch=1)
    assert [entry.accuracy for entry in good] == [0.5]
    assert len(complaints) == 1
    assert complaint in complaints[0]


def test_an_outcome_of_another_epoch_is_left_out():
    good, complaints = checked([Observation(candidate(0.1), 0.5, epoch=3)], epoch=1)
    assert good == []
    assert "epoch 3" in complaints[0]


def test_of_two_outcomes_of_one_candidate_the_last_counts():
    good, complaints = checked([Observation(candidate(0.1), 0.4), Observation(candidate(0.1, "again"), 0.6)], epoch=1)
    assert [entry.accuracy for entry in good] == [0.6]
    assert "observed before" in complaints[0]


def test_lines_of_outcomes_are_read_and_a_bad_line_costs_no_other(tmp_path, capsys):
    (tmp_path / "net.py").write_text(CODE)
    file = tmp_path / "outcomes.jsonl"
    file.write_text("\n".join([json.dumps({"name": "a", "net": "net.py", "recipe": {"lr": 0.1}, "accuracy": 0.5}),
                               "no json", "",
                               json.dumps({"name": "b", "net": "net.py", "recipe": {"lr": 0.2}, "accuracy": 0.7})]))
    assert [(one.candidate.name, one.accuracy) for one in read_outcomes(file, "svhn", 1)] == [("a", 0.5), ("b", 0.7)]
    assert "outcomes.jsonl" in capsys.readouterr().err


def test_a_missing_file_and_one_that_is_no_database_are_one_clear_error(tmp_path):
    with pytest.raises(PerfclfError, match="no file of outcomes"):
        read_outcomes(tmp_path / "none.jsonl", "svhn", 1)
    (tmp_path / "x.sqlite").write_text("no database")
    with pytest.raises(PerfclfError, match="no run database"):
        read_outcomes(tmp_path / "x.sqlite", "svhn", 1)


def test_outcomes_move_the_recipe_that_did_well_above_the_one_that_failed(config):
    high, low = candidate(0.3), candidate(0.003)
    near_high = [Observation(candidate(lr), 0.85) for lr in (0.28, 0.29, 0.31, 0.32)]
    near_low = [Observation(candidate(lr), 0.15) for lr in (0.0028, 0.0029, 0.0031, 0.0032)]

    def difference(outcomes):
        values = {row.candidate.name: row.score.value
                  for row in rank([high, low], "fashion", config=config, outcomes=outcomes)}
        return values[high.name] - values[low.name]

    without = difference([])
    assert difference([*near_high, *near_low]) > without
    swapped = [Observation(one.candidate, 1 - one.accuracy) for one in (*near_high, *near_low)]
    assert difference(swapped) < without


def test_with_outcomes_a_score_tells_the_accuracy_to_expect(config):
    outcomes = [Observation(candidate(lr), 0.9) for lr in (0.01, 0.02, 0.05)]
    row, = rank([candidate(0.03)], "fashion", config=config, outcomes=outcomes)
    accuracy = row.score.accuracy
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    before = rank([candidate(0.03)], "fashion", config=config, outcomes=[
        Observation(one.candidate, 0.3) for one in outcomes])[0].score.accuracy
    assert before.value < accuracy.value


def test_the_order_of_outcomes_changes_nothing(config):
    outcomes = [Observation(candidate(lr), lr) for lr in (0.1, 0.2, 0.4)]
    asked = [candidate(0.3), candidate(0.15)]
    first = rank(asked, "fashion", config=config, outcomes=outcomes)
    second = rank(asked, "fashion", config=config, outcomes=outcomes[::-1])
    assert [row.score.value for row in first] == pytest.approx([row.score.value for row in second], rel=1e-6)
