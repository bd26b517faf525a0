"""What outcomes of an unknown dataset are worth, measured in a little world in which the learning rate decides."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from little_world import SETTINGS, little_corpus

from nngpt_perfclf.advice import trees
from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.replay import outcomes
from nngpt_perfclf.replay.outcome_world import World
from nngpt_perfclf.simulate import run_loop
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.tasks.task import load_task
from nngpt_perfclf.types import PerfclfError

WORDS = [*SETTINGS, "train.labels=[normalized,rank]", "loop=outcomes", "loop.targets=[mnist]", "loop.pool=60",
         "loop.resamples=4", "loop.outcomes=[0,10]", "advice.profile=never"]


@pytest.fixture(scope="module")
def world():
    config = load_config(None, WORDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "TREES", 30)
        data = TaskData(config, little_corpus(), load_task(config.task))
        patch.setattr(TaskData, "load", staticmethod(lambda config: replace(data, config=config)))
        yield config


@pytest.fixture(scope="module")
def measured(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcomes")
    return folder, run_loop(replace(world, out=str(folder)))


def rows(result, **wanted):
    return [row for row in result["outcomes"] if all(row[key] == value for key, value in wanted.items())]


def test_there_is_a_row_for_each_policy_number_of_outcomes_and_target(measured):
    keys = [(row["policy"], row["outcomes"], row["target"]) for row in measured[1]["outcomes"]]
    assert sorted(keys) == sorted((policy, count, target) for policy in ("random", "ask") for count in (0, 10)
                                  for target in ("mnist", "all"))


def test_every_figure_has_its_interval_and_n(measured):
    for row in measured[1]["outcomes"]:
        for name in ("normalized_right", "rank_right", "regret_0.5", "saved_0.25"):
            assert row[f"{name}_low"] <= row[f"{name}_high"]
        assert row["normalized_n"] > 50
        assert 0 <= row["rank_calibration_error"] < 0.5


def test_after_ten_outcomes_the_easy_dataset_is_known_to_be_easy(measured):
    for policy in ("random", "ask"):
        [row] = rows(measured[1], policy=policy, outcomes=10, target="mnist")
        assert row["normalized_right"] > 0.8


def test_half_the_candidates_are_saved_and_the_recipe_tells_which(measured):
    for row in rows(measured[1], target="all"):
        assert 0.3 < row["saved_0.5"] < 0.7
        assert row["regret_0.5"] <= row["regret_0.25"] < 10


def test_a_finished_target_is_not_measured_again(measured, world, monkeypatch):
    monkeypatch.setattr(outcomes, "_measured", None)
    assert run_loop(replace(world, out=str(measured[0])))["outcomes"] == measured[1]["outcomes"]


def test_the_adviser_knows_nothing_of_the_target(measured):
    folder = measured[0] / "without" / "pointwise-mnist"
    assert "mnist" not in (folder / "curves.json").read_text()
    assert '"mnist"' not in (folder / "text" / "percentiles.json").read_text()


def test_pairs_of_observed_networks_are_not_counted(measured):
    [file] = measured[0].glob("mnist-*.npz")
    with np.load(file) as found:
        assert found["random 10 rank"].shape == found["ask 10 rank"].shape
        assert np.isnan(found["ask 10 rank"]).any()
        assert not np.isnan(found["ask 0 rank"]).any()


@pytest.mark.parametrize(("words", "complaint"), [
    (["loop.outcomes=[]"], "with numbers in loop.outcomes"),
    (["loop.policies=[oracle]"], "loop.policies of random, ask"),
    (["loop.outcomes=[50]"], "leaves no generation of 20 after 50 outcomes"),
    (["loop.resamples=3"], "must divide the 200 bootstrap samples")])
def test_what_cannot_be_measured_is_one_clear_line(words, complaint, tmp_path):
    config = load_config(None, [*WORDS, *words])
    with RunDatabase(tmp_path / FILE, config) as runs, pytest.raises(PerfclfError, match=complaint):
        outcomes.measure_outcomes(config, tmp_path, runs)


def test_networks_that_are_known_from_other_datasets_are_counted_too(world, measured, tmp_path):
    shutil.copytree(measured[0] / "without", tmp_path / "without")
    known = replace(world, out=str(tmp_path), loop=replace(world.loop, known_networks=True, policies=("random",)))
    result = run_loop(known)
    [row] = rows(result, outcomes=10, target="mnist")
    [strict] = rows(measured[1], policy="random", outcomes=10, target="mnist")
    assert result["part"] == "all"
    assert row["normalized_n"] > 2 * strict["normalized_n"]
    assert row["normalized_right"] > 0.8


def test_a_lookup_that_reads_neither_code_nor_recipe_learns_that_mnist_is_easy(measured):
    [before] = rows(measured[1], policy="random", outcomes=0, target="mnist")
    [after] = rows(measured[1], policy="random", outcomes=10, target="mnist")
    assert before["normalized_lookup"] == 0.5
    assert after["normalized_lookup"] > 0.52


def test_an_adviser_that_reads_no_history_cannot_be_measured_on_known_networks(world):
    found = World.load(replace(world, loop=replace(world.loop, known_networks=True)))
    with pytest.raises(PerfclfError, match="measures pointwise"):
        found.history(object(), "mnist")
