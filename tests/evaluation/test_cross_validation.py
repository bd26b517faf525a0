"""The baselines' table by folds, in a little world: three datasets, networks in near-duplicate pairs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.evaluation import cross_validation
from nngpt_perfclf.types import PerfclfError


@pytest.fixture
def world(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    codes = {f"net-{number}": f"class N:\n    {' '.join(f'w{number // 2}_{word}' for word in range(9))}\n"
             for number in range(20)}
    rows = [{"task": "img-classification", "metric": "acc", "nn": nn, "dataset": dataset, "epoch": 1, "lr": lr,
             "accuracy": 0.5 - 0.1 * abs(np.log10(lr) + 2) + 0.2 * (dataset == "mnist"), "duration": 1.0,
             "momentum": 0.9, "batch": 64.0, "dropout": np.nan, "transform": "norm_64",
             "trial": f"{nn}-{dataset}-{draw}"}
            for nn in codes for dataset in ("cifar-10", "mnist", "svhn") for draw in range(2)
            for lr in [10 ** random.uniform(-4, 0)]]
    corpus = Corpus(pd.DataFrame(rows), codes, "made", "f00d", (), 0)
    monkeypatch.setattr("nngpt_perfclf.tasks.data.load_corpus", lambda config: corpus)
    monkeypatch.setattr(cross_validation, "ASKED", (("rank", "random"),))
    return load_config(overrides=[f"out={tmp_path / 'run'}", "threads=1", "evaluate.part=folds",
                                  "evaluate.reads=[both]"])


def test_each_pair_is_predicted_once_by_what_was_learned_from_other_groups(world, tmp_path):
    told = cross_validation.cross_validate(world)
    assert [(row["predictor"], row["n"]) for row in told["table"]] == [("prior", 60), ("pairwise (both)", 60)]
    for row in (*told["table"], *told["folds"]):
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        assert row["above_prior_low"] <= row["above_prior"] <= row["above_prior_high"]
    assert [row["above_prior"] for row in told["folds"] if row["predictor"] == "prior"] == [0] * 5
    assert told["table"][1]["above_prior"] == pytest.approx(told["table"][1]["accuracy"] - told["table"][0]["accuracy"])
    folds = [set(pd.read_parquet(tmp_path / "run" / f"rank-random-both-{number}.parquet")["nn"]) for number in range(5)]
    assert sum(map(len, folds)) == 20
    assert all({nn, f"net-{int(nn[4:]) ^ 1}"} <= fold for fold in folds for nn in fold), "a near-duplicate crossed"


def test_a_stopped_table_goes_on_and_a_finished_one_is_not_overwritten(world, tmp_path, monkeypatch):
    first = cross_validation.cross_validate(world)
    with pytest.raises(PerfclfError, match="already holds a table"):
        cross_validation.cross_validate(world)
    (tmp_path / "run" / "folds.json").unlink()
    (tmp_path / "run" / "rank-random-both-3.parquet").unlink()
    assert cross_validation.cross_validate(world) == first


def test_a_dataset_that_nothing_was_learned_about_is_answered_from_its_properties_and_the_prior_has_no_opinion(
        world, monkeypatch):
    learned, fit = [], cross_validation.fit_pair_model
    monkeypatch.setattr(cross_validation, "fit_pair_model",
                        lambda pairs, *more: learned.append(pairs) or fit(pairs, *more))
    told = cross_validation.cross_validate(replace(world, split=replace(world.split, by="dataset")))
    rows = {(row["fold"], row["predictor"]): row for row in told["folds"]}
    assert [row["n"] for row in told["table"]] == [120, 120], "each pair stands in two folds"
    for pairs, dataset in zip(learned, ("cifar-10", "mnist", "svhn"), strict=True):
        assert dataset not in {*pairs["ds_a"], *pairs["ds_b"]}
        assert rows[dataset, "prior"]["accuracy"] == 0.5
        assert rows[dataset, "pairwise (both)"]["n"] == 40


def test_a_table_does_not_go_on_in_a_folder_that_was_begun_with_another_split(world):
    cross_validation.cross_validate(world)
    other = replace(world, resume=True, split=replace(world.split, by="network"))
    with pytest.raises(PerfclfError, match="begun with another config"):
        cross_validation.cross_validate(other)


def test_what_gradient_boosting_cannot_read_is_refused(world):
    with pytest.raises(PerfclfError, match=r"evaluate\.reads: tea leaves is not of code, recipe, both"):
        cross_validation.cross_validate(replace(world, evaluate=replace(world.evaluate, reads=("both", "tea leaves"))))
