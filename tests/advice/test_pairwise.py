from dataclasses import fields

import numpy as np
import pytest

from nngpt_perfclf.advice import load_advisor, pairwise
from nngpt_perfclf.advice.pairwise import PairModel, fit_pair_model
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.advice.tree_models import TreeAdviser
from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import question_of
from nngpt_perfclf.types import PerfclfError, Question, Recipe

GOOD, WILD = (Recipe(lr, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip") for lr in (0.01, 0.9))


@pytest.fixture(scope="module")
def pairs(world):
    return world.pairs(draws=4, part="train", ties=False), world.pairs(part="test", ties=False)


@pytest.fixture(scope="module")
def both(world, pairs):
    return fit_pair_model(pairs[0], world, PairModel(None, (), "both"))


def accuracy(model, world, pairs):
    log_odds = model.log_odds([question_of(row, world.codes) for row in pairs.itertuples()], world.datasets)
    return np.mean((log_odds > 0) == (pairs["better"] == pairs["ds_a"]))


def test_it_learns_what_the_recipe_decides_and_only_where_it_reads_the_recipe(world, pairs, both):
    code, recipe = (fit_pair_model(pairs[0], world, PairModel(None, (), reads)) for reads in ("code", "recipe"))
    assert accuracy(both, world, pairs[1]) > 0.85
    assert accuracy(recipe, world, pairs[1]) > 0.85
    assert accuracy(code, world, pairs[1]) < 0.65


def test_each_model_reads_the_datasets_and_what_it_is_let_read(world):
    questions = [Question("class A: pass", "svhn", "mnist", GOOD, WILD)]
    width = {reads: PairModel(None, ("mnist", "svhn"), reads).rows(questions, world.datasets)[0].shape[1]
             for reads in ("nothing", "code", "recipe", "both")}
    assert width["both"] - width["code"] == width["recipe"] - width["nothing"] > 0
    assert width["code"] > width["nothing"] > 0


def test_the_same_seed_gives_the_same_trees(world, pairs, both):
    again = fit_pair_model(pairs[0], world, PairModel(None, (), "both"))
    for field in fields(both.forest):
        assert np.array_equal(getattr(both.forest, field.name), getattr(again.forest, field.name)), field.name


def test_swapping_the_sides_changes_the_sign_and_no_bit(world, both):
    questions = [Question(code, "svhn", "mnist", GOOD, WILD) for code in list(world.codes.values())[:9]]
    turned = both.log_odds([question.swapped() for question in questions], world.datasets)
    assert (turned == -both.log_odds(questions, world.datasets)).all()


def test_log_odds_do_not_depend_on_the_other_questions(world, both):
    questions = [Question(code, *datasets, GOOD, WILD) for code in list(world.codes.values())[:5]
                 for datasets in (("svhn", "mnist"), ("mnist", "cifar-10"))]
    together = both.log_odds(questions, world.datasets)
    alone = [both.log_odds([question], world.datasets)[0] for question in questions[::-1]]
    assert together.tolist() == alone[::-1]
    assert both.log_odds([], world.datasets).shape == (0,)


def test_a_trained_run_folder_opens_as_the_adviser_that_was_trained(runs, world):
    adviser = load_advisor(runs["pairwise"], world.config)
    assert isinstance(adviser, TreeAdviser)
    first, second, unread = adviser.advise_many([
        Question(world.codes["net-0"], "svhn", "cifar-10", *recipes) for recipes in ((GOOD, WILD), (WILD, GOOD), ())])
    assert (first.better, second.better) == ("svhn", "cifar-10")
    assert first.decided
    assert second.decided
    assert "without recipes" in unread.reason
    assert "without recipes" not in first.reason


def test_a_question_without_recipes_is_answered_by_the_trees_that_read_the_code_alone(runs, world):
    adviser = load_advisor(runs["pairwise"], world.config)
    partly = Question(world.codes["net-0"], "svhn", "cifar-10", GOOD)
    evidence = adviser.evidence([partly, partly.without_recipes()])
    assert evidence[0] == evidence[1]


@pytest.mark.parametrize("file", ["rank-with_recipe.npz", "rank-code_only.npz", "prior.json", "weights.json",
                                  "run.json"])
def test_a_run_folder_without_one_of_its_files_is_refused(runs, world, tmp_path, file):
    for other in runs["pairwise"].iterdir():
        if other.name != file:
            (tmp_path / other.name).write_bytes(other.read_bytes())
    with pytest.raises(PerfclfError, match=file):
        load_advisor(tmp_path, world.config)


def test_a_label_that_was_not_trained_is_refused(runs):
    with pytest.raises(PerfclfError, match="normalized"):
        load_advisor(runs["pairwise"], load_config())


@pytest.mark.parametrize("split", [["split.test=0.5", "split.validation=0.4999"], ["split.test=0.2",
                                                                                "split.validation=0"]])
def test_a_split_that_leaves_nothing_to_learn_from_or_to_check_by_is_refused(little, tmp_path, split):
    config = load_config(overrides=["split.by=network", "train.labels=[rank]", *split])
    with pytest.raises(PerfclfError, match=r"change split\.\*"):
        pairwise.train(config, tmp_path / "run")


@pytest.mark.parametrize("label", ["normalized", "rank"])
def test_the_pretrained_trees_answer_with_and_without_recipes(label):
    adviser = load_advisor("pairwise", load_config(overrides=[f"label={label}"]))
    code_only = adviser.advise("class Net: pass", "cifar-10", "svhn")
    assert "without recipes" in code_only.reason
    good, wild = adviser.log_odds([Question("class Net: pass", "cifar-10", "svhn", *recipes)
                                   for recipes in ((GOOD, WILD), (WILD, GOOD))])
    assert good > wild


def test_the_pretrained_trees_are_small():
    assert sum(file.stat().st_size for file in (PRETRAINED / "pairwise").iterdir()) < 3_000_000


def test_a_dataset_that_was_not_learned_from_is_answered_by_its_properties_and_the_reason_says_so(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("fashion:\n  images: 60000\n  size: 28\n  channels: 1\n  classes: 10\n")
    adviser = load_advisor("pairwise", load_config(overrides=[f"datasets={file}"]))
    advice = adviser.advise("class Net: pass", "fashion", "places365")
    assert "fashion has no recorded trials; only its properties are known" in advice.reason
    assert advice.prior == 0.5
    with pytest.raises(PerfclfError, match="unknown dataset 'fashion'"):
        load_advisor("pairwise").advise("class Net: pass", "fashion", "places365")
