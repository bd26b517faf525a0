"""A tiny language model is fine-tuned in the little world, once, and what is left in its run folder is looked at."""

import json
from dataclasses import replace

import numpy as np
import pytest
from little_world import SETTINGS, made_structure

from nngpt_perfclf.advice import fine_tuning, language, load_advisor
from nngpt_perfclf.advice.language import LanguageAdviser
from nngpt_perfclf.advice.nearest import load_neighbours, near_labels
from nngpt_perfclf.advice.prior import PairPrior, load_prior
from nngpt_perfclf.advice.weights import Weights, load_weights
from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

QUICK = [*SETTINGS, "train.labels_count=24", "train.eval_samples=6", "train.checkpoint_steps=2", "train.batch=2",
         "train.precision=float32", "lora.rank=2", "advice.answer_cache=false", "advice.profile=never"]
BOTH_SIDES = ["template=code_recipe", "code_only_template=code"]
GOOD, WILD = (Recipe(lr, 0.9, 64, None, "norm_64_flip") for lr in (0.01, 0.9))


def trained(world, folder, model, *overrides):
    config = load_config(overrides=[*QUICK, f"model={model}", *overrides])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskData, "load", staticmethod(lambda config: replace(world, config=config)))
        return fine_tuning.train(config, folder), config


@pytest.fixture(scope="module")
def run(world, tiny_folder, tmp_path_factory):
    """Folder, result and configuration of a run with the default templates, which ask about one side at a time."""
    folder = tmp_path_factory.mktemp("language") / "run"
    return folder, *trained(world, folder, tiny_folder)


@pytest.fixture(scope="module")
def adviser(run):
    return load_advisor(run[0], run[2])


def test_the_run_folder_holds_all_that_asking_needs_and_how_it_was_made(run, world):
    folder, result, _ = run
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["kind"], manifest["status"], manifest["data"]) == ("language", "done", world.fingerprint)
    assert manifest["config"]["train"]["labels_count"] == 24
    assert manifest["config"]["out"] is None
    assert {"run": str(folder), **manifest["result"]} == result
    assert {file.name for file in folder.iterdir()} >= {"adapter", "log.jsonl", "neighbours.npz", "prior.json",
                                                        "percentiles.json", "weights.json"}
    assert load_prior(folder, "rank") == PairPrior.fit(world.pairs("rank", part="train"))


def test_the_result_says_how_long_it_learned_and_how_good_it_is_on_validation(run):
    result = run[1]
    assert (result["labels"], result["rows"], result["steps"]) == (24, 3, 2)
    assert result["loss"] > 0
    for mode in ("with_recipe", "code_only"):
        assert result[f"validation_rank_{mode}_n"] > 50
        assert 0 <= result[f"validation_rank_{mode}_log_loss"] <= np.log(2) + 1e-6
    assert result["validation_rank_with_recipe"] > 0.75, "the nearest recorded trials tell what the recipe decides"
    assert not any("normalized" in name for name in result)


def test_the_weights_of_all_three_sources_are_fitted_again_on_validation(run):
    folder, _, _ = run
    weights = load_weights(folder, "rank", LanguageAdviser.sources)
    assert weights.with_recipe[2] > 1, "the nearest trials count"
    assert all(weight >= 0 for weight in (*weights.with_recipe, *weights.code_only))
    untouched = load_weights(folder, "normalized", LanguageAdviser.sources)
    assert untouched.with_recipe[0] == untouched.code_only[0] == 1.0, "label not trained: as in training"


def test_the_run_folder_opens_as_an_adviser_that_answers_in_either_order(adviser, world):
    assert isinstance(adviser, LanguageAdviser)
    question = Question(world.codes["net-0"], "svhn", "cifar-10", GOOD, WILD)
    first, turned, unread = adviser.advise_many([question, question.swapped(), question.without_recipes()])
    assert first == turned
    assert first.better == "svhn"
    assert "without recipes" in unread.reason


def test_near_duplicates_of_a_question_do_not_answer_it_in_training(run, world):
    neighbours = load_neighbours(run[0])
    groups = world.networks["group"].astype("category").cat.codes
    row = next(world.pairs(part="train").itertuples())
    question = world.questions(world.pairs(part="train").head(1))[0][0]
    shown = near_labels(neighbours, [question], ["rank"])
    hidden = near_labels(neighbours, [question], ["rank"], np.array([groups[row.nn]]))
    assert np.isfinite(hidden).all()
    assert (shown != hidden).any()


@pytest.mark.parametrize("offset", ["prior", "near"])
def test_what_is_known_before_reading_may_be_an_offset_in_training(world, tiny_folder, tmp_path, offset):
    trained(world, tmp_path / "run", tiny_folder, f"train.offset={offset}", "train.labels_count=4", *BOTH_SIDES)
    untouched = load_weights(tmp_path / "run", "normalized", LanguageAdviser.sources).with_recipe
    if offset == "prior":
        assert untouched == (1.0, 1.0, 0.0), "as it is while training"
    else:
        assert untouched[2] > 0, "the nearest trials of training pairs tell who won"


def test_a_template_about_one_side_trains_a_scorer(adviser, world):
    good, wild = adviser.score([Candidate("", world.codes["net-0"], recipe) for recipe in (GOOD, WILD)], "svhn")
    assert good.value > wild.value
    assert all(0 <= score.low <= score.percentile <= score.high <= 1 for score in (good, wild))
    assert good.high - good.low < 1, "fitted on the validation trials"
    assert adviser.profile == "never", "an adapter that was trained on code views is asked with them"


def test_training_builds_the_networks_unless_it_must_not(world, tiny_folder, tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(language, "shown_structures",
                        lambda codes: built.extend(codes) or [made_structure("nn.Conv2d(3, 8)")] * len(codes))
    _, config = trained(world, tmp_path / "run", tiny_folder, "advice.profile=auto", "train.labels_count=4")
    assert built
    adviser = load_advisor(tmp_path / "run", config)
    assert adviser.builder.structures is None, "pair questions read the text"
    assert adviser.profile == "auto", "scoring builds"


def test_a_template_about_one_side_has_no_offset(world, tiny_folder, tmp_path):
    with pytest.raises(PerfclfError, match="layers_recipe asks about one side at a time: it is trained with"):
        trained(world, tmp_path / "run", tiny_folder, "train.offset=near")


def test_the_untrained_model_is_asked_as_it_is(tiny_folder, world):
    config = load_config(overrides=[*QUICK, f"model={tiny_folder}", *BOTH_SIDES, "adviser=zero-shot"])
    adviser = load_advisor("zero-shot", config)
    assert adviser.weights == Weights((1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    assert adviser.advise(world.codes["net-0"], "svhn", "cifar-10").better in ("svhn", "cifar-10")
