"""Runs in the sandbox: trains one network for one epoch by LEMUR's interface and predicts test images.

Reads ``net.py``, ``images.npz`` and ``task.json`` in the working directory and writes the predicted classes, a JSON
list, to standard output. The test labels are not here: whatever the network does, its accuracy is computed outside.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    task = json.loads(Path("task.json").read_text())
    # What the network prints goes where errors go; the answer alone has the way out.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.manual_seed(task["seed"])
    torch.set_num_threads(task["threads"])
    with np.load("images.npz", allow_pickle=False) as images:
        train, labels, test = (torch.from_numpy(images[name]) for name in ("train", "labels", "test"))
    loader = DataLoader(TensorDataset(_scaled(train), labels), task["prm"]["batch"], shuffle=True)
    in_shape = (task["prm"]["batch"], *train.shape[1:])
    network = _module("net.py").Net(in_shape, (task["classes"],), task["prm"], torch.device("cpu"))
    network.train_setup(task["prm"])
    network.train()
    network.learn(loader)
    network.eval()
    with torch.no_grad():
        predicted = torch.cat([network(batch).argmax(1) for batch in _scaled(test).split(64)])
    json.dump(predicted.tolist(), answer)
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
