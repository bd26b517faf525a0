"""A little world of trials in which the recipe decides, so that what an adviser must learn is known."""

import re

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.corpus import Corpus


def made_code(number):
    """A network that keeps LEMUR's interface and is nobody's near-duplicate."""
    layer = f"{'abcdefghi'[number % 9]}{number}"
    return f"""
def supported_hyperparameters():
    return {{"lr"}}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        self.{layer} = nn.Conv2d(3, {8 * (number % 60) + 8}, 3)
        self.last{number} = nn.Linear({number}, 10)

    def forward(self, x):
        return self.last{number}(self.{layer}(x))

    def train_setup(self, prm):
        self.rate{number} = prm["lr"]

    def learn(self, train_data):
        return self.rate{number}
"""


CODES = {f"net-{number}": made_code(number) for number in range(240)}
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


def made_profiles(sides, datasets):
    """In place of the sandbox: networks with a convolution are built, and their width is all that tells them apart."""
    from nngpt_perfclf.profiling.types import Profile, Shapes

    shapes = Shapes(3, 64, 10)
    return [Profile("built", shapes, structure=made_structure(code)) if "nn.Conv2d" in code
            else Profile("timed out", shapes, reason="took too long") for code, _, _ in sides]


def made_structures(sides, datasets):
    return [found.structure and (found.structure, found.shapes) for found in made_profiles(sides, datasets)]


def made_structure(code):
    from nngpt_perfclf.profiling.types import Layer, Structure, TrainingSetup

    width = int(re.search(r"Conv2d\(\S+, (\d+)", code)[1])
    layer = Layer("conv", "Conv2d", (width, 64, 64), 27 * width, 27 * width * 64 * 64)
    setups = tuple(TrainingSetup("SGD", lr=lr, momentum=momentum, weight_decay=0.0)
                   for lr, momentum in ((0.01, 0.9), (0.02, 0.8)))
    return Structure(
        way="made", parameters=27 * width, trainable=27 * width, executed=27 * width, buffers=0, macs=layer.macs,
        activations=width * 64 * 64, depth=1, shortest=1, mean_depth=1.0, log_paths=0.0, receptive_field=3.0,
        layers=(layer,), layers_left_out=0, trace=((width, 64, 64),), operators={"convolution": 1},
        kinds={"Conv2d": 1, "op:conv": 1, "made:Conv2d": 1}, output=(10,), dropouts=((), ()), setups=setups)
