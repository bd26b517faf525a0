"""What a network's `train_setup` sets up: optimiser, schedule and loss. Runs in the sandbox."""

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from nngpt_perfclf.profiling.recorder import torch_class

_LOSS_NAMES = ("criteria", "criterion", "loss_fn", "loss", "loss_function")
_DEEPEST, _MOST = 4, 10_000


def setup_of(network: torch.nn.Module) -> dict:
    """Class names and numbers of what is found in the network's attributes; None for what is not there."""
    things = list(_things(vars(network), 0))
    optimizer = next((thing for thing in things if isinstance(thing, Optimizer)), None)
    scheduler = next((thing for thing in things if isinstance(thing, LRScheduler | ReduceLROnPlateau)), None)
    loss = next((thing for thing in things if isinstance(thing, torch.nn.modules.loss._Loss)), None)
    named = [vars(network).get(name, network._modules.get(name)) for name in _LOSS_NAMES]
    named = next((thing for thing in _things(named, 0) if isinstance(thing, torch.nn.Module)), None)
    loss = loss if loss is not None else named
    found = dict.fromkeys(("lr", "momentum", "weight_decay", "beta1", "beta2", "nesterov", "groups", "optimized"))
    if optimizer is not None:
        found |= _numbers(optimizer)
    return {"optimizer": _class(optimizer), "scheduler": _class(scheduler), "loss": _class(loss), **found,
            "label_smoothing": _number(getattr(loss, "label_smoothing", None)),
            "class_weights": getattr(loss, "weight", None) is not None}


def _numbers(optimizer: Optimizer) -> dict:
    groups = optimizer.param_groups
    first = groups[0]
    betas = first.get("betas")
    beta1, beta2 = betas if isinstance(betas, tuple | list) and len(betas) == 2 else (None, None)
    rates = [number for number in (_number(group.get("lr")) for group in groups) if number is not None]
    return {"lr": max(rates, default=None), "momentum": _number(first.get("momentum")),
            "weight_decay": max((_number(group.get("weight_decay")) or 0.0 for group in groups), default=0.0),
            "beta1": _number(beta1), "beta2": _number(beta2), "nesterov": bool(first.get("nesterov", False)),
            "groups": len(groups),
            "optimized": sum(parameter.numel() for group in groups for parameter in group["params"])}


def _class(thing: object) -> str | None:
    """PyTorch's name for it; "custom" where only a base class is PyTorch's."""
    if thing is None:
        return None
    name = torch_class(thing)
    return "custom" if name in ("Module", "Optimizer", "LRScheduler", "_Loss", "_WeightedLoss", "object") else name


def _number(value: object) -> float | None:
    if isinstance(value, torch.Tensor):
        value = value.item() if value.numel() == 1 and value.device.type != "meta" else None
    return float(value) if isinstance(value, int | float) else None


def _things(value: object, depth: int):
    """What lies in an attribute, and in the lists, tuples and dicts there; modules are not looked into."""
    if isinstance(value, dict) and depth <= _DEEPEST:
        for element in list(value.values())[:_MOST]:
            yield from _things(element, depth + 1)
    elif isinstance(value, list | tuple) and depth <= _DEEPEST:
        for element in value[:_MOST]:
            yield from _things(element, depth + 1)
    else:
        yield value
