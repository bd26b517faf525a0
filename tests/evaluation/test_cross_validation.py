"""Cross-validation of the baselines on three datasets and twenty networks in near-duplicate pairs."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from little_world import SETTINGS, little_corpus, replace_corpus

from nngpt_perfclf.advice import trees
from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.evaluation import cross_validation
from nngpt_perfclf.tasks import TaskData, splits
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
    replace_corpus(monkeypatch, corpus)
    monkeypatch.setattr(trees, "TREES", 10)
    monkeypatch.setattr(cross_validation, "TARGETS", (("rank", "random"),))
    return load_config(overrides=[f"out={tmp_path / 'run'}", "threads=1", "evaluate.part=folds",
                                  "evaluate.reads=[both]"])


def test_each_pair_is_predicted_once_by_models_of_other_groups(world, tmp_path):
    result = cross_validation.cross_validate(world)
    assert [(row["predictor"], row["n"]) for row in result["table"]] == [("prior", 60), ("pairwise (both)", 60)]
    for row in (*result["table"], *result["folds"]):
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        assert row["above_prior_low"] <= row["above_prior"] <= row["above_prior_high"]
    assert [row["above_prior"] for row in result["folds"] if row["predictor"] == "prior"] == [0] * 5
    prior, trees = result["table"]
    assert trees["above_prior"] == pytest.approx(trees["accuracy"] - prior["accuracy"])
    folds = [set(pd.read_parquet(tmp_path / "run" / f"rank-random-both-{number}.parquet")["nn"]) for number in range(5)]
    assert sum(map(len, folds)) == 20
    assert all({nn, f"net-{int(nn[4:]) ^ 1}"} <= fold for fold in folds for nn in fold), "a near-duplicate crossed"


def test_a_stopped_table_continues_and_a_finished_one_is_not_overwritten(world, tmp_path, capsys):
    first = cross_validation.cross_validate(world)
    announced = re.compile(r"cross-validation takes about \d+ s on this machine: (\d+) of (\d+) tables")
    assert announced.search(capsys.readouterr().err).groups() == ("10", "10")
    with pytest.raises(PerfclfError, match="already holds a table"):
        cross_validation.cross_validate(world)
    (tmp_path / "run" / "folds.json").unlink()
    (tmp_path / "run" / "rank-random-both-3.parquet").unlink()
    assert cross_validation.cross_validate(world) == first
    assert announced.search(capsys.readouterr().err).groups() == ("1", "10")


def test_the_time_is_that_of_the_rows_at_the_rate_of_a_sample(world, monkeypatch):
    folds = cross_validation._Folds.of(TaskData.load(world), world.split)
    jobs = [(("rank", "random", reads), number) for reads in ("prior", "both") for number in (0, 1)]
    _, drawn = folds.pairs("rank", "random")
    rows = sum((~folds.members[number](drawn)).sum() for number in (0, 1))
    monkeypatch.setattr(cross_validation, "measured_rate", lambda fit, least, most: fit(least) / 8)
    assert folds.seconds(jobs) == pytest.approx(8 * rows / len(drawn))
    assert folds.seconds(jobs[:2]) == 0


def test_each_family_is_a_fold_and_none_has_to_be_named(world, monkeypatch):
    monkeypatch.setattr(splits, "family_of", lambda nn: "ga" if int(nn[4:]) < 8 else "rag")
    result = cross_validation.cross_validate(replace(world, split=replace(world.split, by="family")))
    assert [(row["fold"], row["n"]) for row in result["folds"][:2]] == [("ga", 24), ("rag", 36)]


def test_a_fold_of_a_dataset_trains_without_it_and_the_prior_has_no_opinion(world, monkeypatch):
    """The sample that is timed first is of all pairs, and its trees predict nothing."""
    trained, fit = [], cross_validation.fit_pair_model
    monkeypatch.setattr(cross_validation, "fit_pair_model",
                        lambda pairs, *more: trained.append(pairs) or fit(pairs, *more))
    result = cross_validation.cross_validate(replace(world, split=replace(world.split, by="dataset")))
    rows = {(row["fold"], row["predictor"]): row for row in result["folds"]}
    assert [row["n"] for row in result["table"]] == [120, 120], "each pair is in two folds"
    for pairs, dataset in zip(trained[-3:], ("cifar-10", "mnist", "svhn"), strict=True):
        assert dataset not in {*pairs["ds_a"], *pairs["ds_b"]}
        assert rows[dataset, "prior"]["accuracy"] == 0.5
        assert rows[dataset, "pairwise (both)"]["n"] == 40


def test_a_folder_of_another_split_is_not_continued(world):
    cross_validation.cross_validate(world)
    other = replace(world, resume=True, split=replace(world.split, by="network"))
    with pytest.raises(PerfclfError, match="begun with another config"):
        cross_validation.cross_validate(other)


def test_unknown_features_are_refused(world):
    with pytest.raises(PerfclfError, match=r"evaluate\.reads: unknown tea leaves; known: code, recipe, both"):
        cross_validation.cross_validate(replace(world, evaluate=replace(world.evaluate, reads=("both", "tea leaves"))))


def test_best_trials_are_predicted_from_the_code_alone(world, tmp_path, monkeypatch):
    monkeypatch.setattr(cross_validation, "TARGETS", (("rank", "best"),))
    result = cross_validation.cross_validate(replace(world, evaluate=replace(world.evaluate, reads=("code", "recipe"))))
    assert [row["predictor"] for row in result["table"]] == ["prior", "pairwise (code)"]


def test_trees_that_read_the_recipe_are_above_the_baseline_where_the_recipe_decides(tmp_path, monkeypatch):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    replace_corpus(monkeypatch, little_corpus())
    monkeypatch.setattr(trees, "TREES", 30)
    result = cross_validation.cross_validate(load_config(overrides=[
        *SETTINGS, f"out={tmp_path / 'run'}", "evaluate.part=folds", "evaluate.reads=[recipe]"]))
    prior, recipe = result["table"]
    assert (prior["n"], recipe["n"]) == (720, 720)
    assert recipe["accuracy"] > 0.8 > prior["accuracy"] + 0.1
    assert recipe["above_prior_low"] > 0.1
