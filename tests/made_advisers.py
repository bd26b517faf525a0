"""Advisers and candidates made up for the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Candidate, Recipe, Score

KNOWN = dataset_properties()
PRIOR = PairPrior({("mnist", "svhn"): 8, ("svhn", "mnist"): 1})
BROKEN = "print('hi')"


@dataclass
class TableAdviser(Adviser):
    """Log-odds by (ds_a, ds_b), all else `otherwise`; remembers what it was asked, one list for each call."""

    name: str = "table"
    prior: PairPrior = PRIOR
    datasets: dict = field(default_factory=lambda: KNOWN)
    table: dict = field(default_factory=dict)
    otherwise: float = 0.0
    asked: list = field(default_factory=list)

    def evidence(self, questions):
        self.asked.append(list(questions))
        return np.array([[self.table.get((asked.ds_a, asked.ds_b), self.otherwise)] for asked in questions], float)


@dataclass
class FixedScorer:
    """Scores by learning rate, undecided for the networks named; no score without a rate. Not an Adviser."""

    undecided: tuple[str, ...] = ()
    asked: list = field(default_factory=list)

    def score(self, candidates, target):
        self.asked += [(candidate.name, target) for candidate in candidates]
        return [score_of(candidate.recipe.lr, candidate.name not in self.undecided) for candidate in candidates]


def score_of(value, decided=True):
    return None if value is None else Score(float(value), 0.5, 0.2, 0.8, decided, "made up")


def network(width=64):
    """The code of a network that keeps LEMUR's interface."""
    return f"""
import torch
from torch import nn

def supported_hyperparameters():
    return {{"lr", "momentum"}}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(in_shape[1], {width}, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.last = nn.Linear({width}, out_shape[0])

    def forward(self, x):
        return self.last(self.features(x).flatten(1))

    def train_setup(self, prm):
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm["lr"], momentum=prm["momentum"])

    def learn(self, train_data):
        for images, labels in train_data:
            self.optimizer.step()
"""


def candidate(name, lr=None, code=None):
    return Candidate(name, network() if code is None else code, Recipe(lr=lr))
