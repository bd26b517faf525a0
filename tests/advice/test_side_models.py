from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice import load_advisor, side_models
from nngpt_perfclf.advice.percentiles import OTHER
from nngpt_perfclf.advice.side_models import (
    BOOSTERS,
    KINDS,
    USUAL,
    ProfileModel,
    SideModel,
    expected_of,
    fit_side_model,
    fit_spread,
    percentiles_of,
    training_trials,
)
from nngpt_perfclf.advice.weights import Weights
from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import TaskData, question_of
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

GOOD, WILD = (Recipe(lr, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip") for lr in (0.01, 0.9))
CODE = "class Net: pass"


@pytest.fixture(scope="module", params=[SideModel, ProfileModel])
def model(world, request):
    return fit_side_model(training_trials(world, 10_000), "rank", world, request.param(None, (), "both"))


@pytest.fixture(scope="module")
def adviser(runs, world):
    """The trees that read the text."""
    return load_advisor(runs["pointwise"], world.config).by_text


def accuracy(model, world):
    pairs = world.pairs(part="test", ties=False)
    log_odds = model.log_odds([question_of(row, world.codes) for row in pairs.itertuples()], world.datasets)
    return np.mean((log_odds > 0) == (pairs["better"] == pairs["ds_a"]))


def test_it_learns_what_the_recipe_decides_and_only_where_it_reads_the_recipe(world, model):
    assert accuracy(model, world) > 0.85
    code = fit_side_model(training_trials(world, 10_000), "rank", world, type(model)(None, (), "code"))
    assert accuracy(code, world) < 0.65


def test_the_same_seed_gives_the_same_trees_and_each_booster_is_another(world, model):
    again = fit_side_model(training_trials(world, 10_000), "rank", world, type(model)(None, (), "both"))
    assert np.array_equal(again.forest.leaf_value, model.forest.leaf_value)
    boosters = np.split(model.forest.leaf_value, BOOSTERS)
    assert model.forest.seeds == BOOSTERS
    assert len({booster.tobytes() for booster in boosters}) == BOOSTERS


def test_the_log_odds_are_the_difference_of_two_sides_whatever_they_are_compared_with(world, model):
    code = world.codes["net-0"]
    sides = [(code, dataset, recipe) for dataset in ("svhn", "mnist") for recipe in (GOOD, WILD, None)]
    labels = dict(zip(sides, model.predict(sides, world.datasets), strict=True))
    questions = [Question(code, a[1], b[1], a[2], b[2]) for a in sides for b in sides]
    differences = np.array([labels[a] - labels[b] for a in sides for b in sides])
    found = model.log_odds(questions, world.datasets)
    assert np.array_equal(np.sign(found), np.sign(differences))
    assert np.array_equal(np.abs(found) > USUAL, np.abs(differences) > USUAL)
    order = np.argsort(differences, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert np.array_equal(model.log_odds([question.swapped() for question in questions], world.datasets), -found)


def test_what_is_not_read_changes_nothing(world):
    code, recipe = ((CODE, "svhn", GOOD), (CODE, "svhn", WILD)), ((CODE, "svhn", GOOD), ("x = 1", "svhn", GOOD))
    for reads, alike in (("code", code), ("recipe", recipe), ("nothing", code), ("nothing", recipe)):
        for kind in KINDS.values():
            rows = kind(None, ("svhn",), reads).rows(alike, world.datasets)
            assert np.array_equal(rows[0], rows[1], equal_nan=True), (kind, reads)


def test_a_network_that_was_not_built_has_no_numbers_of_its_own(world):
    rows = ProfileModel(None, ("svhn",), "code").rows([(world.codes["net-0"], "svhn", GOOD), (CODE, "svhn", GOOD)],
                                                      world.datasets)
    missing = np.isnan(rows)
    assert missing[1].sum() > missing[0].sum()


def test_a_good_recipe_scores_higher_than_a_wild_one_on_every_dataset(adviser):
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


def test_nobody_gets_no_scores(adviser):
    assert adviser.score([], "mnist") == []


def test_a_dataset_without_recorded_trials_takes_its_percentiles_from_the_others(world, runs, tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("fashion: {images: 60000, size: 28, channels: 1, classes: 10}\n")
    adviser = load_advisor(runs["pointwise"], replace(world.config, datasets=str(file))).by_text
    score, = adviser.score([Candidate("a", CODE, GOOD)], "fashion")
    assert "on other datasets, fashion having none" in score.reason


def test_the_percentile_on_a_dataset_without_recorded_trials_comes_from_the_trees_of_the_rank(adviser):
    ranks = replace(adviser, percentiles={mode: {OTHER: maps[OTHER]} for mode, maps in adviser.percentiles.items()})
    asked = [Candidate("a", CODE, GOOD)]
    other = replace(ranks, ranks=ranks, models={mode: replace(model, forest=replace(
        model.forest, leaf_value=model.forest.leaf_value * 2)) for mode, model in ranks.models.items()})
    assert other.score(asked, "svhn")[0].percentile == ranks.score(asked, "svhn")[0].percentile
    assert other.score(asked, "svhn")[0].value != ranks.score(asked, "svhn")[0].value


def test_a_dataset_with_a_single_validation_trial_has_no_map_of_its_own_and_stops_no_training(world, model):
    trials = world.part("validation")
    few = trials[(trials["dataset"] != "svhn") | (trials.groupby("dataset").cumcount() == 0)]
    assert set(percentiles_of(expected_of(model, few, world))) == {OTHER, "cifar-10", "mnist"}


def test_the_spread_tells_where_a_prediction_is_far_off(world, model):
    trials = world.part("train")
    off = np.where(trials["lr"] > 0.1, 0.4, 0.0)
    found = fit_spread(trials["norm"] + off, world, replace(model, forest=None))
    wild, good = (found.predict([(world.codes["net-0"], "svhn", recipe)], world.datasets)[0] for recipe in (WILD, GOOD))
    assert wild > 0.2 > good


def test_scores_with_a_recipe_tell_their_standard_deviation(little, tmp_path):
    config = load_config(overrides=["split.by=network", "split.test=0.2", "split.validation=0.3", "threads=1"])
    side_models.train_sides("text", config, tmp_path / "text")
    adviser = side_models.load_sides("text", config, tmp_path / "text")
    told, untold = adviser.score([Candidate("a", CODE, GOOD), Candidate("b", CODE)], "svhn")
    assert told.deviation > 0
    assert untold.deviation is None
    assert side_models.load_sides("text", replace(config, label="rank"), tmp_path / "text").spread is None


def test_trials_of_large_groups_are_thinned_and_the_sample_weighs_as_much_as_all_of_them(world):
    large = replace(world, config=replace(world.config, split=replace(world.config.split, largest_held_out=1)))
    networks = world.networks.assign(group=np.where(np.arange(len(world.networks)) % 2, "large", world.networks.index))
    vars(large)["networks"] = networks
    trials, kept = large.part("train"), training_trials(large, 90)
    in_large = {name: table["nn"].map(networks["group"]) == "large" for name, table in
                (("all", trials), ("kept", kept))}
    assert in_large["kept"].sum() <= 90 < in_large["all"].sum()
    assert (~in_large["kept"]).sum() == (~in_large["all"]).sum()
    assert kept["weight"].mean() == pytest.approx(1)
    small = kept.loc[~in_large["kept"], "weight"].sum() / kept["weight"].sum()
    groups = trials["nn"].map(networks["group"])
    sizes = groups.map(groups.groupby(groups).size())
    expected = (1 / trials["nn"].map(networks["group"]).map(networks["group"].value_counts()))
    assert small == pytest.approx(expected[~in_large["all"]].sum() / expected.sum())
    assert sizes.notna().all()


def test_a_split_that_leaves_nothing_to_learn_from_is_refused(world):
    empty = TaskData(replace(world.config, split=replace(world.config.split, test=0.5, validation=0.4999)),
                     world.corpus, world.task)
    with pytest.raises(PerfclfError, match=r"no trials to learn from: change split\.\*"):
        training_trials(empty, 10_000)


def test_trees_of_the_rank_come_along_with_those_of_another_label(little, tmp_path):
    config = load_config(overrides=["split.by=network", "split.test=0.2", "split.validation=0.3", "threads=1"])
    side_models.train_sides("text", config, tmp_path / "text")
    normalized = side_models.load_sides("text", config, tmp_path / "text")
    rank = side_models.load_sides("text", replace(config, label="rank"), tmp_path / "text")
    assert rank.ranks is None
    assert normalized.ranks.percentiles == rank.percentiles != normalized.percentiles
    forests = [adviser.models["with_recipe"].forest.leaf_value for adviser in (normalized.ranks, rank, normalized)]
    assert np.array_equal(forests[0], forests[1])
    assert not np.array_equal(forests[0], forests[2])
