"""What changes in a network from epoch to epoch: its weights, its optimisers, schedulers and scalers, and the numbers
and tensors that its modules keep as attributes. Used in the sandbox alone."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

_OWN = frozenset(vars(nn.Module()))  # PyTorch's attributes of every module
_STATEFUL = (Optimizer, LRScheduler, GradScaler)
_PLAIN = (bool, int, float, str, torch.Tensor, type(None))


def state_of(network: nn.Module) -> dict:
    """Plain values that ``torch.load(…, weights_only=True)`` reads and `restore` takes back."""
    objects, plain = {}, {}
    for name, module, attribute in _attributes(network):
        value = getattr(module, attribute)
        if isinstance(value, _STATEFUL):
            objects[name] = value.state_dict()
        elif _is_plain(value):
            plain[name] = value
    return {"weights": network.state_dict(), "objects": objects, "plain": plain}


def restore(network: nn.Module, state: dict) -> None:
    """Give a network that was built and set up again its `state`. Raises KeyError for an optimiser that is only made
    while the network learns: what it kept would be lost."""
    network.load_state_dict(state["weights"])
    places = {name: (module, attribute) for name, module, attribute in _attributes(network)}
    for name, kept in state["objects"].items():
        if name not in places:
            raise KeyError(f"{name} is not made by train_setup: the training cannot go on")
        module, attribute = places[name]
        getattr(module, attribute).load_state_dict(kept)
    modules = dict(network.named_modules())
    for name, value in state["plain"].items():
        path, _, attribute = name.rpartition(".")
        setattr(modules[path], attribute, value)


def _attributes(network: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Full name, module and name of every attribute that is not PyTorch's own."""
    for path, module in network.named_modules():
        for attribute in vars(module).keys() - _OWN:
            yield f"{path}.{attribute}", module, attribute


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, (*value, *value.values())))
    return isinstance(value, _PLAIN)
