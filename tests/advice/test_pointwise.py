import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice import load_advisor, pointwise
from nngpt_perfclf.advice.features import CodeReader
from nngpt_perfclf.advice.percentiles import OTHER
from nngpt_perfclf.advice.pointwise import FORESTS, PointwiseAdviser, SideModel, fit_side_model
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.advice.weights import Weights
from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import question_of
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

GOOD, WILD = (Recipe(lr, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip") for lr in (0.01, 0.9))
CODE = "class Net: pass"


@pytest.fixture(scope="module")
def reader(world):
    return CodeReader.fit(list(world.codes.values()), seed=0)


@pytest.fixture(scope="module")
def model(world, reader):
    return fit_side_model(world.part("train"), "rank", world, SideModel(reader, None, (), "both"))


@pytest.fixture(scope="module")
def adviser(runs, world):
    return load_advisor(runs["pointwise"], world.config)


def accuracy(model, world):
    pairs = world.pairs(part="test", ties=False)
    log_odds = model.log_odds([question_of(row, world.codes) for row in pairs.itertuples()], world.datasets)
    return np.mean((log_odds > 0) == (pairs["better"] == pairs["ds_a"]))


def test_it_learns_what_the_recipe_decides_and_only_where_it_reads_the_recipe(world, reader, model):
    assert accuracy(model, world) > 0.85
    code = fit_side_model(world.part("train"), "rank", world, SideModel(reader, None, (), "code"))
    assert accuracy(code, world) < 0.65


def test_the_same_seed_gives_the_same_forests_and_each_of_them_is_another(world, reader, model):
    again = fit_side_model(world.part("train"), "rank", world, SideModel(reader, None, (), "both"))
    assert np.array_equal(again.forest.leaf_value, model.forest.leaf_value)
    forests = np.split(model.forest.leaf_value, FORESTS)
    assert model.forest.seeds == FORESTS
    assert len({forest.tobytes() for forest in forests}) == FORESTS


def test_the_log_odds_are_the_difference_of_two_sides_whatever_they_are_compared_with(world, model):
    code = world.codes["net-0"]
    sides = [(code, dataset, recipe) for dataset in ("svhn", "mnist") for recipe in (GOOD, WILD, None)]
    labels = dict(zip(sides, model.predict(sides, world.datasets), strict=True))
    questions = [Question(code, a[1], b[1], a[2], b[2]) for a in sides for b in sides]
    expected = [labels[a] - labels[b] for a in sides for b in sides]
    assert model.log_odds(questions, world.datasets).tolist() == expected


def test_a_good_recipe_scores_higher_than_a_wild_one_on_every_dataset(adviser, world):
    for target in ("cifar-10", "mnist", "svhn"):
        good, wild = adviser.score([Candidate("good", CODE, GOOD), Candidate("wild", CODE, WILD)], target)
        assert good.value > wild.value
        assert good.percentile > 0.7 > 0.4 > wild.percentile
        assert good.decided
        assert target in good.reason


rates = st.floats(1e-4, 1).map(lambda lr: Recipe(lr=lr, batch=64))
codes = st.sampled_from([CODE, "class Other: pass", "("])
candidates = st.lists(st.builds(Candidate, st.text("abc", max_size=3), codes, rates | st.just(Recipe())), min_size=1,
                      max_size=8)


@given(candidates, st.sampled_from(["mnist", "svhn"]), st.randoms())
def test_a_score_does_not_depend_on_the_other_candidates_nor_on_their_order(adviser, candidates, target, random):
    together, order = adviser.score(candidates, target), list(range(len(candidates)))
    random.shuffle(order)
    assert adviser.score([candidates[place] for place in order], target) == [together[place] for place in order]
    assert [adviser.score([candidate], target)[0] for candidate in candidates] == together


@given(st.lists(rates, min_size=1, max_size=8), st.sampled_from(["mnist", "svhn"]))
def test_a_percentile_lies_in_its_interval_and_rises_with_the_value(adviser, recipes, target):
    scores = sorted(adviser.score([Candidate("a", CODE, recipe) for recipe in recipes], target),
                    key=lambda score: score.value)
    assert all(0 <= score.low <= score.percentile <= score.high <= 1 for score in scores)
    for column in ("percentile", "low", "high"):
        values = [getattr(score, column) for score in scores]
        assert values == sorted(values)


def test_a_score_ignores_the_candidates_name_and_what_the_host_keeps_with_it(adviser):
    first, second = adviser.score([Candidate("a", CODE, GOOD), Candidate("b", CODE, GOOD, {"any": "thing"})], "svhn")
    assert first == second


def test_without_a_recipe_the_score_comes_from_the_code_and_the_reason_says_so(adviser):
    with_recipe, code_only = adviser.score([Candidate("a", CODE, GOOD), Candidate("b", CODE)], "svhn")
    assert "without a recipe" in code_only.reason
    assert "without a recipe" not in with_recipe.reason
    assert code_only.high - code_only.low > with_recipe.high - with_recipe.low


def test_trees_without_weight_leave_a_score_undecided(adviser):
    silent = replace(adviser, weights=Weights((0.0,), (0.0,)))
    assert not any(score.decided for score in silent.score([Candidate("a", CODE, GOOD), Candidate("b", CODE)], "svhn"))


def test_an_interval_as_wide_as_an_unknown_networks_is_undecided(adviser):
    wide = replace(adviser.percentiles["with_recipe"][OTHER], low=(0.0,) * 15, high=(1.0,) * 15)
    unsure = replace(adviser, percentiles={"with_recipe": {"svhn": wide, OTHER: wide},
                                           "code_only": adviser.percentiles["code_only"]})
    score, = unsure.score([Candidate("a", CODE, GOOD)], "svhn")
    assert not score.decided
    assert "undecided" in score.reason


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


def test_a_dataset_without_recorded_trials_takes_its_percentiles_from_the_others(world, runs, tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("fashion: {images: 60000, size: 28, channels: 1, classes: 10}\n")
    adviser = load_advisor(runs["pointwise"], replace(world.config, datasets=str(file)))
    score, = adviser.score([Candidate("a", CODE, GOOD)], "fashion")
    assert "on other datasets, fashion having none" in score.reason


def test_a_dataset_with_a_single_validation_trial_has_no_map_of_its_own_and_stops_no_training(world, model):
    trials = world.part("validation")
    maps = pointwise.percentiles_of(model, trials[trials["dataset"] != "svhn"], world)
    assert set(maps) == {OTHER, "cifar-10", "mnist"}


def test_a_network_is_never_compared_with_references_where_it_can_be_scored(adviser):
    assert isinstance(adviser, PointwiseAdviser)
    adviser = replace(adviser)
    adviser.evidence = None  # a pair question would fail
    assert adviser.score([Candidate("a", CODE, GOOD)], "svhn")[0].decided


@pytest.mark.parametrize("label", ["normalized", "rank"])
def test_the_pretrained_trees_score_and_answer_pairs_by_the_difference(label):
    adviser = load_advisor("pointwise", load_config(overrides=[f"label={label}"]))
    good, wild = adviser.score([Candidate("good", CODE, GOOD), Candidate("wild", CODE, WILD)], "svhn")
    assert good.value > wild.value
    question = Question(CODE, "svhn", "cifar-10", WILD, GOOD)
    other, = adviser.score([Candidate("good", CODE, GOOD)], "cifar-10")
    assert adviser.log_odds([question])[0] == pytest.approx(wild.value - other.value)
    assert adviser.advise_many([question])[0].better == "cifar-10"


def test_the_pretrained_folder_is_small_and_says_what_it_was_made_of():
    folder = PRETRAINED / "pointwise"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_000_000
    assert json.loads((folder / "run.json").read_text())["kind"] == "pointwise"
