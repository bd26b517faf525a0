"""Which trials are drawn, which dataset stands first and who is better: by rule and seed, never by the rows' order."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nngpt_perfclf.tasks import anchor_recipes, labelled_trials, make_pairs, pairs, question_of, recipe_of
from nngpt_perfclf.types import PerfclfError, Recipe

CHOICES = st.sampled_from(["random", "best"])
LABELS = st.sampled_from(["normalized", "rank"])
a_few = settings(max_examples=10, deadline=None)


@pytest.fixture(scope="module")
def trials(tiny, task):
    return labelled_trials(tiny, task, 1)


def test_normalized_accuracy_is_relative_to_the_datasets_best_at_the_epoch(trials):
    for _, rows in trials.groupby("dataset"):
        assert rows["norm"].max() == 1
        assert (rows["norm"] * rows["accuracy"].max()).tolist() == pytest.approx(rows["accuracy"].tolist())


def test_rank_is_the_share_of_the_datasets_trials_that_are_not_better(trials):
    for _, rows in trials.groupby("dataset"):
        assert rows["rank"].tolist() == [(rows["accuracy"] <= own).mean() for own in rows["accuracy"]]


@a_few
@given(seed=st.integers(0, 2**32), shuffle=st.integers(0, 2**32 - 1), trial=CHOICES, label=LABELS)
def test_the_order_of_the_rows_says_nothing(trials, seed, shuffle, trial, label):
    expected = make_pairs(trials, label, trial, seed)
    shuffled = make_pairs(trials.sample(frac=1, random_state=shuffle), label, trial, seed)
    pd.testing.assert_frame_equal(shuffled, expected)


@a_few
@given(seed=st.integers(0, 2**32), trial=CHOICES)
def test_another_networks_data_changes_no_draw(trials, seed, trial):
    rest = trials[trials["nn"] != "ga-0"]
    before, after = make_pairs(rest, "normalized", trial, seed), make_pairs(trials, "normalized", trial, seed)
    pd.testing.assert_frame_equal(after[after["nn"] != "ga-0"].reset_index(drop=True), before)


@a_few
@given(seed=st.integers(0, 2**32), trial=CHOICES, label=LABELS)
def test_every_network_has_each_pair_of_its_datasets_once_and_the_better_one_is_better(trials, seed, trial, label):
    table = make_pairs(trials, label, trial, seed)
    datasets = trials.groupby("nn")["dataset"].nunique()
    assert table.groupby("nn").size().to_dict() == (datasets * (datasets - 1) // 2)[lambda n: n > 0].to_dict()
    column = {"normalized": "norm", "rank": "rank"}[label]
    for row in table.itertuples():
        a, b = getattr(row, f"{column}_a"), getattr(row, f"{column}_b")
        assert row.ds_a != row.ds_b
        assert row.margin == abs(a - b)
        assert row.tie == (a == b)
        assert row.better == (row.ds_a if (a, row.ds_b) > (b, row.ds_a) else row.ds_b)


@a_few
@given(seed=st.integers(0, 2**32))
def test_the_best_trial_a_side_is_the_same_for_every_seed(trials, seed):
    best = trials.groupby(["nn", "dataset"])["accuracy"].max()
    for row in make_pairs(trials, "normalized", "best", seed).itertuples():
        assert (row.acc_a, row.acc_b) == (best[row.nn, row.ds_a], best[row.nn, row.ds_b])


def test_another_seed_draws_other_trials_and_other_orders(trials):
    first, second = (make_pairs(trials, "normalized", "random", seed) for seed in (0, 1))
    assert {*first["trial_a"], *first["trial_b"]} != {*second["trial_a"], *second["trial_b"]}
    assert first["ds_a"].tolist() != second["ds_a"].tolist()


def test_every_trial_is_drawn_as_often_as_another(trials):
    side = trials[(trials["nn"] == "ga-1") & (trials["dataset"] == "mnist")]
    drawn = pd.concat([pairs._drawn(side, "svhn", seed)["trial"] for seed in range(300)])
    share = drawn.value_counts(normalize=True)
    assert len(share) == len(side)
    assert share.tolist() == pytest.approx([1 / len(side)] * len(side), abs=0.1)


def test_a_tie_goes_to_the_first_dataset_in_the_alphabet_and_is_marked(trials):
    level = trials.assign(norm=0.5)
    table = make_pairs(level, "normalized", "random", 0)
    assert table["tie"].all()
    assert (table["better"] == table[["ds_a", "ds_b"]].min(axis=1)).all()


def test_a_question_carries_the_code_and_both_recipes(trials, tiny):
    row = next(make_pairs(trials, "normalized", "random", 0).itertuples())
    question = question_of(row, tiny.codes)
    assert (question.arch_code, question.epoch) == (tiny.codes[row.nn], 1)
    assert question.recipe_b == recipe_of(row, "b")
    assert question.recipe_a.batch == 16
    assert isinstance(question.recipe_a.batch, int)
    assert question.recipe_a.dropout is None


def test_an_anchor_is_the_recipe_of_the_datasets_median_trial(trials):
    for dataset, recipe in anchor_recipes(trials).items():
        rows = trials[trials["dataset"] == dataset].sort_values("accuracy")
        assert recipe == recipe_of(next(rows.iloc[[(len(rows) - 1) // 2]].itertuples()))
        assert isinstance(recipe, Recipe)


@pytest.mark.parametrize(("label", "trial", "complaint"), [
    ("acc", "random", "label=acc: known are normalized, rank"), ("rank", "two", "trial=two: known are random, best")])
def test_unknown_words_are_named_with_the_known_ones(trials, label, trial, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        make_pairs(trials, label, trial, 0)


def test_an_epoch_without_trials_names_the_epochs_that_have_some(tiny, task):
    with pytest.raises(PerfclfError, match="no trials at epoch 9; epochs 1 to 2 have some"):
        labelled_trials(tiny, task, 9)


def test_networks_with_one_dataset_each_give_no_pairs_and_a_clear_error(trials):
    with pytest.raises(PerfclfError, match="no network has trials on two of the datasets"):
        make_pairs(trials[trials["dataset"] == "mnist"], "normalized", "random", 0)
