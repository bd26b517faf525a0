import json

import numpy as np
import pandas as pd
import pytest
from nngpt_perfclf.advice.loading import SHIPPED, load_advisor

from nngpt_perfclf.advice import pointwise
from nngpt_perfclf.advice.features import CodeReader, kept_columns, side_rows
from nngpt_perfclf.advice.pairwise import drawn_pairs, load_boosters, weights_of
from nngpt_perfclf.advice.pointwise import PointwiseAdviser, fit_judge, pack
from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.tasks import question_of
from nngpt_perfclf.types import Question, Recipe

KNOWN = dataset_properties()
CONFIG = load_config(overrides=["threads=1", "label=rank"])
GOOD, WILD = (Recipe(lr, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip") for lr in (0.01, 0.9))


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pointwise, "TREES", 30)
        yield


@pytest.fixture(scope="module")
def reader(world):
    return CodeReader.fit(list(world[1].values()), seed=0)


def fitted(world, reader, reads="both"):
    trials, codes, groups = world
    learned = trials[trials["nn"].isin(sorted(codes)[::2])]
    return fit_judge(learned, "rank", codes, groups, reader, CONFIG, KNOWN, reads)


@pytest.fixture(scope="module")
def judge(world, reader):
    return fitted(world, reader)


def accuracy(judge, world):
    trials, codes, _ = world
    pairs = drawn_pairs(trials[trials["nn"].isin(sorted(codes)[1::2])], "rank", CONFIG, draws=1)
    sides = judge.strengths([question_of(row, codes) for row in pairs.itertuples()], KNOWN)
    return np.mean((sides[:, 0] > sides[:, 1]) == (pairs["better"] == pairs["ds_a"]))


def test_it_learns_what_the_recipe_says_and_cannot_learn_it_unread(world, reader, judge):
    assert accuracy(judge, world) > 0.85
    assert accuracy(fitted(world, reader, "code"), world) < 0.65


def test_the_same_seed_gives_the_same_forests_and_each_of_them_is_another(world, reader, judge):
    assert pack(fitted(world, reader)) == pack(judge)
    assert len({trees.model_to_string() for trees in judge.forests}) == pointwise.FORESTS


def test_what_is_packed_answers_as_it_did(tmp_path, judge):
    (tmp_path / "rank.txt.gz").write_bytes(pack(judge))
    rows = np.random.default_rng(0).normal(size=(50, judge.forests[0].num_feature()))
    for before, after in zip(judge.forests, load_boosters(tmp_path / "rank.txt.gz"), strict=True):
        assert (before.predict(rows) == after.predict(rows)).all()


def test_the_strength_of_a_side_does_not_depend_on_what_it_is_compared_with(world, judge):
    code = next(iter(world[1].values()))
    against = [Question(code, "svhn", other, GOOD, recipe) for other in ("mnist", "cifar-10")
               for recipe in (GOOD, WILD)]
    assert len(set(judge.strengths(against, KNOWN)[:, 0])) == 1


def test_a_side_has_one_recipe_and_one_dataset(reader):
    sides = [("class A: pass", "svhn", GOOD), ("class A: pass", "mnist", None)]
    rows = side_rows(sides, reader([code for code, _, _ in sides]), KNOWN, ("mnist", "svhn"))
    code, recipe, nothing = (kept_columns(rows.shape[1], reads, sides=1) for reads in ("code", "recipe", "nothing"))
    assert (code | recipe).all()
    assert (code & recipe == nothing).all()
    assert np.isnan(rows[1, recipe & ~nothing]).all()


def test_near_duplicates_weigh_together_as_much_as_one_network():
    groups = pd.Series(["x", "x", "x", "y"], index=list("abcd"))
    weights = weights_of(pd.Series(["a", "b", "c", "d"]), groups, power=1.0)
    assert weights.mean() == pytest.approx(1)
    assert weights[3] == pytest.approx(weights[:3].sum())


@pytest.mark.parametrize("label", ["normalized", "rank"])
def test_the_shipped_judges_tell_strengths_whose_difference_is_the_log_odds(label):
    adviser = load_advisor("strength", load_config(overrides=[f"label={label}"]))
    assert isinstance(adviser, PointwiseAdviser)
    question = Question("class Net: pass", "svhn", "cifar-10", WILD, GOOD)
    unread = Question("class Net: pass", "svhn", "mnist")
    told, turned, bare = adviser.advise_many([question, question.swapped(), unread])
    assert told == turned
    assert told.better == "cifar-10"
    for advice in (told, bare):
        odds = np.log(advice.probability / (1 - advice.probability))
        assert advice.strengths[0] - advice.strengths[1] == pytest.approx(odds)
    assert "without recipes" in bare.reason


def test_the_shipped_folder_is_small_and_says_what_it_was_made_of():
    folder = SHIPPED / "strength"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_000_000
    assert json.loads((folder / "run.json").read_text())["kind"] == "strength"
