"""Runs in the sandbox: trains one network for one epoch by LEMUR's interface and predicts test images.

Reads ``net.py``, ``images.npz``, ``task.json`` and, after the first epoch, ``state.pt`` in the working directory. To
standard output it writes a line with the predicted classes, a JSON list, and the network's state where the training
may go on.
The test labels are not here: whatever the network does, its accuracy is computed outside.
"""

import importlib.util
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from nngpt_perfclf.local_training.state import restore, state_of

STATE = "state.pt"


def main() -> None:
    task = json.loads(Path("task.json").read_text())
    # What the network prints goes where errors go; the answer alone has the way out.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(task["seed"])
    torch.set_num_threads(task["threads"])
    with np.load("images.npz", allow_pickle=False) as images:
        train, labels, test = (torch.from_numpy(images[name]) for name in ("train", "labels", "test"))
    loader = DataLoader(TensorDataset(_scaled(train), labels), task["prm"]["batch"], shuffle=True)
    in_shape = (task["prm"]["batch"], *train.shape[1:])
    network = _module("net.py").Net(in_shape, (task["classes"],), task["prm"], torch.device("cpu"))
    network.train_setup(task["prm"])
    if Path(STATE).is_file():
        restore(network, torch.load(STATE, weights_only=True))
    network.train()
    network.learn(loader)
    network.eval()
    with torch.no_grad():
        predicted = torch.cat([network(batch).argmax(1) for batch in _scaled(test).split(64)])
    answer.write(json.dumps(predicted.tolist()).encode() + b"\n")
    if task["goes_on"]:
        torch.save(state_of(network), answer)
    answer.close()


def _scaled(images: torch.Tensor) -> torch.Tensor:
    """From 0..255 to -1..1, as LEMUR's ``norm_`` transforms do with their middle values."""
    return images.float() / 127.5 - 1


def _module(path: str):
    spec = importlib.util.spec_from_file_location("net", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["net"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
