from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lemur_wheel import CACHE

from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.tasks import Task


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No test writes to the user's cache."""
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))


@pytest.fixture
def lemur(monkeypatch):
    """The real LEMUR, from the user's cache."""
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(CACHE))
    return load_corpus(load_config())


@pytest.fixture(scope="session")
def task():
    return Task("tiny", 1, "img-classification", "acc", ("cifar-10", "mnist", "svhn"))


@pytest.fixture(scope="session")
def tiny():
    """A corpus made by chance: 12 networks in 4 near-duplicate groups, three datasets, epochs 1 and 2."""
    chance = np.random.default_rng(0)
    names = [f"{family}-{number}" for family in ("ga", "rag", "AlexNet", "FractalNet") for number in range(3)]
    rows = [_trial(chance, nn, dataset, epoch, number) for nn in names for dataset in ("cifar-10", "mnist", "svhn")
            for epoch in (1, 2) for number in range(4) if chance.random() < 0.8]
    trials = pd.DataFrame(rows).astype(dict.fromkeys(("task", "dataset", "metric", "nn", "transform"), "category"))
    codes = {nn: _code(nn) for nn in names}
    return Corpus(trials, codes, "tiny", "00", (), 0)


@pytest.fixture(scope="session")
def split_by():
    """The configured split with some settings changed."""
    split = load_config().split
    return lambda by, **settings: replace(split, by=by, **settings)


def _trial(chance, nn, dataset, epoch, number):
    stated = chance.random() < 0.7
    return {"task": "img-classification", "dataset": dataset, "metric": "acc", "nn": nn, "epoch": epoch,
            "accuracy": chance.random(), "duration": 10.0, "lr": 10 ** chance.uniform(-4, 0), "batch": 16.0,
            "momentum": 0.9 if stated else np.nan, "dropout": np.nan, "transform": "norm_64",
            "trial": f"{nn}-{dataset}-{number}"}


def _code(nn):
    """Networks whose names start alike have nearly the same code."""
    family, number = nn.rsplit("-", 1)
    lines = [f"    {family.lower()}_{step} = layer_{step}({step})" for step in range(40)]
    return "\n".join(["class Net:", *lines, f"    number = {number}  # the only difference"])
