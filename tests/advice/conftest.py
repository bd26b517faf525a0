"""A little world of trials in which the recipe decides, so that what an adviser must learn is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.advice import pairwise, pointwise, trees
from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.tasks.task import load_task

CODES = {f"net-{number}": f"""class Net{number}:
    def __init__(self):
        self.{'abcdefghi'[number % 9]} = nn.Conv2d(3, {8 * (number % 60) + 8}, 3)
        self.last = nn.Linear({number}, 10)
""" for number in range(240)}
DATASETS = ("cifar-10", "mnist", "svhn")
SETTINGS = ["split.by=network", "split.test=0.2", "split.validation=0.3", "threads=1", "train.labels=[rank]",
            "label=rank"]


def made_trials(seed=0, draws=3):
    """Trials whose accuracy falls with the distance of the learning rate from 0.01; mnist is the easy one."""
    random = np.random.default_rng(seed)
    rows = []
    for nn in CODES:
        for dataset in DATASETS:
            for draw in range(draws):
                lr = 10 ** random.uniform(-4, 0)
                accuracy = 0.8 - 0.2 * abs(np.log10(lr) + 2) + 0.15 * (dataset == "mnist") + random.normal(0, 0.01)
                rows.append({"nn": nn, "dataset": dataset, "epoch": 1, "accuracy": float(np.clip(accuracy, 0.01, 1)),
                             "trial": f"{nn}-{dataset}-{draw}", "lr": lr, "momentum": 0.9, "batch": 64.0,
                             "dropout": np.nan, "transform": "norm_64_flip"})
    return pd.DataFrame(rows).assign(task="img-classification", metric="acc", duration=1.0)


@pytest.fixture(scope="session")
def world():
    """The little world's data."""
    config = load_config(overrides=SETTINGS)
    return TaskData(config, Corpus(made_trials(), CODES, "made", "f00d", (), 0), load_task(config.task))


@pytest.fixture(scope="session", autouse=True)
def few_trees():
    """Thirty trees are enough for one rule."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "TREES", 30)
        yield


@pytest.fixture
def little(world, tmp_path, monkeypatch):
    """Every verb finds the little world instead of LEMUR, and nobody's cache."""
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(TaskData, "load", staticmethod(lambda config: replace(world, config=config)))
    return world


@pytest.fixture(scope="session")
def runs(world, tmp_path_factory):
    """The run folders of both tree advisers, trained once: kind -> folder."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskData, "load", staticmethod(lambda config: world))
        for module in (pairwise, pointwise):
            module.train(world.config, folder / module.KIND)
    return {kind: folder / kind for kind in (pairwise.KIND, pointwise.KIND)}
