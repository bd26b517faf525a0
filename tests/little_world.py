"""A little world of trials in which the recipe decides, so that what an adviser must learn is known."""

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.corpus import Corpus

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


def little_corpus() -> Corpus:
    return Corpus(made_trials(), CODES, "made", "f00d", (), 0)


def replace_corpus(patch: pytest.MonkeyPatch, corpus: Corpus) -> None:
    """Let every verb find these trials and codes instead of LEMUR."""
    patch.setattr("nngpt_perfclf.tasks.data.load_corpus", lambda config: corpus)
