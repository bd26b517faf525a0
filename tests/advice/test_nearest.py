import logging
from dataclasses import replace

import numpy as np
import pytest

from nngpt_perfclf.advice import load_advisor, nearest
from nngpt_perfclf.retrieval import Neighbours
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

GOOD, WILD = (Recipe(lr, momentum=0.9, batch=64, transform="norm_64_flip") for lr in (0.01, 0.9))


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    """Folder and result of a run on the little world's trials."""
    folder = tmp_path_factory.mktemp("nearest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nngpt_perfclf.tasks.TaskData.load", staticmethod(lambda config: world))
        return folder, nearest.train(world.config, folder)


@pytest.fixture(scope="module")
def adviser(run, world):
    return load_advisor(run[0], world.config)


def test_it_learns_what_the_recipe_decides(run):
    assert run[1]["validation_rank_n"] > 100
    assert run[1]["validation_rank_with_recipe"] > 0.75
    assert run[1]["validation_rank_code_only"] < 0.65


def test_with_folds_the_validation_trials_are_added(run, world, tmp_path, monkeypatch):
    more = replace(world, config=replace(world.config, train=replace(world.config.train, folds=3)))
    monkeypatch.setattr("nngpt_perfclf.tasks.TaskData.load", staticmethod(lambda config: more))
    assert nearest.train(more.config, tmp_path) == {**run[1], "run": str(tmp_path)}
    before, after = (Neighbours.load(folder / nearest.FILE) for folder in (run[0], tmp_path))
    assert len(after.labels) - len(before.labels) == len(world.part("validation"))
    assert after.scales.tolist() == before.scales.tolist()


def test_pair_answers_follow_the_nearest_trials_of_both_sides_in_either_order(adviser, world):
    code = world.codes["net-0"]
    first, second, unread = adviser.advise_many([
        Question(code, "svhn", "cifar-10", *recipes) for recipes in ((GOOD, WILD), (WILD, GOOD), ())])
    assert (first.better, second.better) == ("svhn", "cifar-10")
    assert first.decided
    assert "without recipes" in unread.reason
    question = Question(code, "svhn", "cifar-10", GOOD, WILD)
    assert adviser.log_odds([question.swapped()])[0] == -adviser.log_odds([question])[0]


def test_scores_order_candidates_and_differ_by_the_log_odds_of_a_pair(adviser, world):
    code = world.codes["net-0"]
    good, wild = adviser.score([Candidate("good", code, GOOD), Candidate("wild", code, WILD)], "svhn")
    assert good.value > wild.value
    assert good.percentile > 0.6 > 0.4 > wild.percentile
    other = adviser.score([Candidate("wild", code, WILD)], "mnist")[0]
    asked = Question(code, "svhn", "mnist", GOOD, WILD)
    assert good.value - other.value == pytest.approx(adviser.log_odds([asked])[0])


def test_without_recorded_trials_or_a_valid_recipe_there_is_no_opinion(adviser, world, caplog):
    candidates = [Candidate("wild", world.codes["net-0"], Recipe(lr=float("nan"))),
                  Candidate("good", world.codes["net-0"], GOOD)]
    with caplog.at_level(logging.WARNING):
        first, second = adviser.score(candidates, "svhn")
    assert first is None
    assert second is not None
    assert "no opinion" in caplog.text
    assert adviser.score(candidates, "places365") == [None, None]
    assert adviser.score([], "svhn") == []
    assert adviser.advise_many([Question(world.codes["net-0"], "svhn", "places365", GOOD, GOOD)]) == [None]
    with pytest.raises(PerfclfError, match="unknown dataset"):
        adviser.score(candidates, "nowhere")


def test_a_damaged_table_of_trials_is_a_clear_error(run, world, tmp_path):
    for file in run[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes() if file.name != nearest.FILE else b"no table")
    with pytest.raises(PerfclfError, match="table of recorded trials"):
        load_advisor(tmp_path, world.config)


class Near:
    """Recorded trials near by: half of the learning rate on mnist, none elsewhere; one of a group that is hidden."""

    def lookup(self, codes, datasets, recipes, not_in=None):
        found = [[np.nan] * 2 if dataset != "mnist" else [recipe.lr / 2, recipe.lr]
                 for dataset, recipe in zip(datasets, recipes, strict=True)]
        return np.array(found) * (1 if not_in is None else -1)


def test_the_label_decides_what_was_reached_near_by_and_trials_of_a_near_duplicate_group_can_be_hidden():
    question, labels = Question("code", "mnist", "svhn", Recipe(lr=0.5), GOOD), ["normalized", "rank"]
    near = nearest.near_labels(Near(), [question] * 2, labels)
    assert near[:, 0].tolist() == [0.25, 0.5]
    assert np.isnan(near[:, 1]).all()
    hidden = nearest.near_labels(Near(), [question] * 2, labels, np.array([7, 7]))
    assert (hidden[:, 0] == -near[:, 0]).all()


def test_without_recorded_trials_nothing_is_near_and_no_questions_have_no_answers():
    assert np.isnan(nearest.near_labels(None, [Question("code", "mnist", "svhn", GOOD, GOOD)], ["rank"])).all()
    assert nearest.near_labels(Near(), [], []).shape == (0, 2)
