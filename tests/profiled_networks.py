"""Sources of tiny networks with LEMUR's interface, for tests that profile them."""

import textwrap

SHAPES = {"channels": 3, "size": 32, "width": 32, "classes": 10, "complex": False, "transform": "norm_32"}

_SOURCE = '''
import torch
import torch.nn.functional as F
from torch import nn

{before}

def supported_hyperparameters():
    return {{"lr", "momentum", "dropout"}}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        channels, classes = in_shape[1], out_shape[0]
{build}

    def forward(self, x):
{forward}

    def train_setup(self, prm):
        self.to(self.device)
        self.criteria = (nn.CrossEntropyLoss().to(self.device),)
{setup}

    def learn(self, train_data):
        for images, labels in train_data:
            self.optimizer.zero_grad()
            self.criteria[0](self(images), labels).backward()
            self.optimizer.step()
'''
PLAIN_BUILD = """
self.layers = nn.Sequential(
    nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(prm["dropout"]))
self.head = nn.Linear(8, classes)
"""
PLAIN_FORWARD = "return self.head(self.layers(x).mean((2, 3)))"
PLAIN_SETUP = 'self.optimizer = torch.optim.SGD(self.parameters(), lr=prm["lr"], momentum=prm["momentum"])'


def network(build: str = PLAIN_BUILD, forward: str = PLAIN_FORWARD, setup: str = PLAIN_SETUP, before: str = "") -> str:
    """The source of a network whose methods have these bodies."""
    bodies = {"build": build, "forward": forward, "setup": setup}
    indented = {name: textwrap.indent(textwrap.dedent(body).strip(), " " * 8) for name, body in bodies.items()}
    return _SOURCE.format(before=textwrap.dedent(before).strip(), **indented)
