import json
from dataclasses import replace

import numpy as np
import pytest

from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.advice.pointwise import PointwiseAdviser
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.advice.side_models import POWER, USUAL
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

GOOD, WILD = (Recipe(lr, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip") for lr in (0.01, 0.9))
CODE = "class Net: pass"  # in the little world, what has no convolution cannot be built


def log_odds_of(difference, adviser):
    """Of a pair by text, from the difference of its sides' scores."""
    weight, = adviser.by_text.weights.with_recipe
    return np.sign(difference) * weight * USUAL * (abs(difference) / weight / USUAL) ** POWER


@pytest.fixture(scope="module")
def experienced(runs, world):
    return load_advisor(runs["pointwise"], world.config)


@pytest.fixture(scope="module")
def adviser(experienced):
    return replace(experienced, history=None)


@pytest.fixture
def built(world):
    return world.codes["net-0"]


def test_a_network_that_can_be_built_is_judged_by_its_profile_and_any_other_by_its_text(adviser, built):
    candidates = [Candidate("a", CODE, GOOD), Candidate("b", built, GOOD), Candidate("c", CODE, WILD)]
    first, second, third = adviser.score(candidates, "svhn")
    assert second == adviser.by_profile.score(candidates[1:2], "svhn")[0]
    for found, place in ((first, 0), (third, 2)):
        by_text, = adviser.by_text.score(candidates[place:place + 1], "svhn")
        assert found == replace(by_text, reason=f"{by_text.reason}; judged by its text, not built: took too long")


def test_without_profiles_every_network_is_judged_by_its_text(adviser, built):
    never = replace(adviser, profile="never")
    assert "judged by its text" in never.score([Candidate("b", built, GOOD)], "svhn")[0].reason


def test_what_a_learned_network_reached_moves_its_score_and_no_other(experienced, adviser, world):
    learned = world.networks.index[world.networks["part"] == "train"][0]
    asked = [Candidate("learned", world.codes[learned], GOOD), Candidate("new", CODE, GOOD)]
    (moved, new), (before, _) = experienced.score(asked, "svhn"), adviser.score(asked, "svhn")
    assert moved.percentile != before.percentile
    assert "recorded trials of this network" in moved.reason
    assert new == adviser.score(asked, "svhn")[1]


def test_on_one_scale_equal_predictions_are_equal_percentiles_on_every_dataset(adviser):
    together = adviser.on_one_scale()
    asked = [Candidate("a", CODE, GOOD), Candidate("b", CODE, WILD)]
    values, percentiles = zip(*((score.value, score.percentile) for dataset in ("svhn", "mnist", "cifar-10")
                                for score in together.score(asked, dataset)), strict=True)
    order = sorted(range(6), key=values.__getitem__)
    assert [percentiles[place] for place in order] == sorted(percentiles)
    assert [one.value for one in adviser.score(asked, "svhn")] == list(values[:2])


def test_pair_advice_reads_the_text_unless_profiles_are_always_wanted(adviser, built):
    question, unbuilt = (Question(code, "svhn", "cifar-10", GOOD, WILD) for code in (built, CODE))
    assert adviser.evidence([question])[0, 0] == adviser.by_text.log_odds([question])[0]
    always = replace(adviser, profile="always")
    evidence = always.evidence([unbuilt, question])[:, 0].tolist()
    assert evidence == [adviser.by_text.log_odds([unbuilt])[0], adviser.by_profile.log_odds([question])[0]]
    assert always.log_odds([question.swapped()])[0] == -always.log_odds([question])[0]


def test_a_pair_is_answered_by_the_difference_of_two_scores(adviser):
    question = Question(CODE, "svhn", "cifar-10", WILD, GOOD)
    sides = [adviser.by_text.score([Candidate("a", CODE, recipe)], dataset)[0].value
             for dataset, recipe in (("svhn", WILD), ("cifar-10", GOOD))]
    assert adviser.log_odds([question])[0] == pytest.approx(log_odds_of(sides[0] - sides[1], adviser))
    assert adviser.advise_many([question])[0].better == "cifar-10"
    assert "without recipes" in adviser.advise(CODE, "svhn", "cifar-10").reason


def test_a_candidate_with_an_invalid_recipe_gets_no_score_and_costs_no_other_its_own(adviser, caplog):
    good = Candidate("a", CODE, GOOD)
    first, bad, last = adviser.score([good, Candidate("b", CODE, Recipe(lr=-1.0)), good], "svhn")
    assert bad is None
    assert first == last == adviser.score([good], "svhn")[0]
    assert "learning rate must be a positive number" in caplog.text


def test_nobody_is_scored_for_an_unknown_dataset(adviser):
    with pytest.raises(PerfclfError, match="did you mean mnist"):
        adviser.score([], "minst")
    assert adviser.score([], "mnist") == []


def test_a_network_is_never_compared_with_references_where_it_can_be_scored(adviser):
    scoring = replace(adviser)
    scoring.evidence = None  # a pair question would fail
    assert scoring.score([Candidate("a", CODE, GOOD)], "svhn")[0].decided


def test_the_run_folder_says_how_good_both_kinds_are_on_validation(runs):
    result = json.loads((runs["pointwise"] / "run.json").read_text())["result"]
    for kind in ("profile", "text"):
        assert result[f"{kind}_validation_rank_with_recipe"] > 0.8
        assert result[f"{kind}_validation_rank_n"] > 100


@pytest.mark.parametrize("label", ["normalized", "rank"])
def test_the_pretrained_trees_score_and_answer_pairs_by_the_difference(label):
    adviser = load_advisor("pointwise", load_config(overrides=[f"label={label}"]))
    assert isinstance(adviser, PointwiseAdviser)
    good, wild = adviser.score([Candidate("good", CODE, GOOD), Candidate("wild", CODE, WILD)], "svhn")
    assert good.value > wild.value
    question = Question(CODE, "svhn", "cifar-10", WILD, GOOD)
    other, = adviser.score([Candidate("good", CODE, GOOD)], "cifar-10")
    assert adviser.log_odds([question])[0] == pytest.approx(log_odds_of(wild.value - other.value, adviser))
    assert adviser.advise_many([question])[0].better == "cifar-10"


def test_the_pretrained_folder_is_small_and_says_what_it_was_made_of():
    folder = PRETRAINED / "pointwise"
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 3_000_000
    assert json.loads((folder / "run.json").read_text())["kind"] == "pointwise"
