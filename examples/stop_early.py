"""Stop training early in a plain PyTorch loop: the three lines marked below.

    python examples/stop_early.py

Trains small networks on scikit-learn's digits, a dataset that is described in `digits.yaml`.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nngpt_perfclf import Candidate, EarlyStopping, Recipe
from nngpt_perfclf.config import Config, load_config

HERE = Path(__file__).parent
TARGET, EPOCHS = "digits-8", 5


def config() -> Config:
    """The dataset's description is read, and code is not built, which would take longer here than its training."""
    return load_config(overrides=[f"datasets={HERE / 'digits.yaml'}", "advice.profile=never"])


def candidate_of(params: dict) -> Candidate:
    """The network in `network.py` with another number of channels, and its recipe."""
    code = (HERE / "network.py").read_text(encoding="utf-8").replace("64", str(params["channels"]))
    recipe = Recipe(lr=params["lr"], momentum=params["momentum"], batch=32, dropout=0.1)
    return Candidate(f"{params['channels']} channels, lr {params['lr']:.4f}", code, recipe)


def train(candidate: Candidate) -> Iterator[float]:
    """Your own training; gives the accuracy in 0..1 after each epoch."""
    import torch
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float().reshape(-1, 1, 8, 8) / 16
    names: dict = {}
    exec(candidate.arch_code, names)
    settings = {"lr": candidate.recipe.lr, "momentum": candidate.recipe.momentum, "dropout": candidate.recipe.dropout}
    network = names["Net"]((1, 1, 8, 8), (10,), settings, torch.device("cpu"))
    network.train_setup(settings)
    for _ in range(EPOCHS):
        order = torch.randperm(1400)
        network.learn([(images[part], labels[part]) for part in order.split(candidate.recipe.batch)])
        network.eval()
        with torch.no_grad():
            yield float((network(images[1400:]).argmax(1) == labels[1400:]).float().mean())


def main() -> None:
    draw, finished = random.Random(0), []
    stopping = EarlyStopping(TARGET, EPOCHS, config=config())
    for _ in range(8):
        candidate = candidate_of({"channels": draw.choice((8, 16, 32)), "lr": 10 ** draw.uniform(-4, 0),
                                  "momentum": draw.uniform(0, 0.95)})
        for epoch, accuracy in enumerate(train(candidate), 1):
            candidate = replace(candidate, seen={**candidate.seen, epoch: accuracy})  # 1. what was reached
            decision = stopping.decide(candidate, finished)  # 2. can it still become the best one?
            if not decision.train:
                break  # 3. hardly
        else:
            finished.append(candidate)
        print(f"{candidate.name}: {accuracy:.1%} after epoch {epoch}; {decision.reason}")
    seen = sum(len(one.seen) for one in finished)
    print(f"{len(finished)} of 8 were trained to the end ({seen} epochs)")


if __name__ == "__main__":
    main()
