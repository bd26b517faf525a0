"""The baselines' table by folds, in a little world: three datasets, networks in near-duplicate pairs."""

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.evaluation import baselines
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
    monkeypatch.setattr(baselines, "load_corpus", lambda config: corpus)
    monkeypatch.setattr(baselines, "TABLE", (("rank", "one", "prior"), ("rank", "one", "both")))
    return load_config(overrides=[f"out={tmp_path / 'run'}", "threads=1", "evaluate.part=folds"])


def test_each_pair_is_predicted_once_by_what_was_learned_from_other_groups(world, tmp_path):
    table = baselines.cross_validate(world)["table"]
    assert [row["n"] for row in table] == [60, 60]
    assert all(row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] for row in table)
    folds = [set(pd.read_parquet(tmp_path / "run" / f"rank-one-both-{number}.parquet")["nn"]) for number in range(5)]
    assert sum(map(len, folds)) == 20
    assert all({nn, f"net-{int(nn[4:]) ^ 1}"} <= fold for fold in folds for nn in fold), "a near-duplicate crossed"


def test_a_stopped_table_goes_on_and_a_finished_one_is_not_overwritten(world, tmp_path, monkeypatch):
    first = baselines.cross_validate(world)
    with pytest.raises(PerfclfError, match="already holds a table"):
        baselines.cross_validate(world)
    (tmp_path / "run" / "folds.json").unlink()
    (tmp_path / "run" / "rank-one-both-3.parquet").unlink()
    assert baselines.cross_validate(world) == first
