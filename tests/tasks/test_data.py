"""TaskData: trials, codes, networks, anchors and pairs of a made-up corpus, consistent with each other."""

from dataclasses import replace

import pandas as pd
import pytest
from little_world import replace_corpus

from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import TaskData, anchor_recipes
from nngpt_perfclf.types import PerfclfError


@pytest.fixture
def data(tiny, monkeypatch):
    replace_corpus(monkeypatch, tiny)
    return TaskData.load(load_config(overrides=["split.by=network"]))


def test_every_network_with_trials_has_a_code_and_a_part(data, tiny):
    assert set(data.trials["nn"]) == set(data.codes) == set(data.networks.index)
    assert set(data.networks["part"]) <= {"train", "validation", "test"}
    assert data.fingerprint == tiny.fingerprint


def test_the_trials_of_the_parts_are_all_trials_at_the_epoch(data):
    parts = [data.part(name) for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(data.trials)
    assert set(data.trials["epoch"]) == {1}
    for name, trials in zip(("train", "validation", "test"), parts, strict=True):
        assert set(data.networks.loc[trials["nn"], "part"]) <= {name}


def test_anchors_are_those_of_the_training_part(data):
    assert data.anchors == anchor_recipes(data.part("train")) != anchor_recipes(data.trials)


def test_several_draws_have_other_trials_and_the_first_is_the_single_one(data):
    single, several = data.pairs(), data.pairs(draws=3)
    assert len(several) == 3 * len(single)
    pd.testing.assert_frame_equal(several.head(len(single)), single)
    assert several["trial_a"].tolist() != [*single["trial_a"]] * 3


def test_best_trials_are_drawn_once(data):
    best = replace(data, config=replace(data.config, trial="best"))
    pd.testing.assert_frame_equal(best.pairs(draws=3), best.pairs())


def test_pairs_are_chosen_by_part_and_by_tie(data):
    pairs = data.pairs()
    assert sum(len(data.pairs(part=part)) for part in ("train", "validation", "test")) == len(pairs)
    assert set(data.pairs(part="test")["part"]) == {"test"}
    assert not data.pairs(ties=False)["tie"].any()
    assert len(data.pairs(ties=False)) == len(pairs) - pairs["tie"].sum()


def test_a_label_can_be_given_and_is_by_default_the_configured_one(data):
    by_rank = replace(data, config=replace(data.config, label="rank"))
    pd.testing.assert_frame_equal(data.pairs("rank"), by_rank.pairs())
    assert data.pairs("rank")["margin"].tolist() != data.pairs()["margin"].tolist()


def test_a_dataset_without_properties_is_named(data, monkeypatch):
    assert {"cifar-10", "mnist", "svhn"} <= set(data.datasets)
    monkeypatch.setattr("nngpt_perfclf.tasks.data.dataset_properties", lambda file: {"mnist": None})
    with pytest.raises(PerfclfError, match="no properties of cifar-10, svhn: give them in a file, datasets=FILE"):
        _ = replace(data).datasets


def test_folds_hold_everything_outside_the_test_part_out_once_and_leave_the_test_part_alone(data):
    folds, everything = data.folds(3), data.without_validation()
    held_out = [set(fold.part("validation")["nn"]) for fold in folds]
    outside = set(data.networks.index[data.networks["part"] != "test"])
    assert sorted(name for names in held_out for name in names) == sorted(outside)
    assert set(everything.part("train")["nn"]) == outside
    for fold, names in zip(folds, held_out, strict=True):
        assert set(fold.part("train")["nn"]) == outside - names
        pd.testing.assert_frame_equal(fold.part("test"), data.part("test"))
    assert folds[0].networks["part"].tolist() == data.networks["part"].tolist(), "0.45 / 3 is the usual share"


def test_a_single_fold_and_one_beyond_the_last_are_refused(data):
    with pytest.raises(PerfclfError, match="at least 2"):
        data.folds(1)
    beyond = replace(data, config=replace(data.config, split=replace(data.config.split, fold=9)))
    with pytest.raises(PerfclfError, match=r"split\.fold=9"):
        beyond.part("train")
