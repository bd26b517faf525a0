"""Names of a network's code: what its module defines, canonical names of variables, and how repetition is folded."""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from nngpt_perfclf.types import PerfclfError

# String literals that are options of layers or keys of a recipe; every other one becomes a neutral mark.
OPTIONS = frozenset((
    "lr", "momentum", "dropout", "batch", "epoch", "weight_decay", "zeros", "reflect", "replicate", "circular", "same",
    "valid", "bilinear", "nearest", "bicubic", "area", "trilinear", "linear", "relu", "leaky_relu", "gelu", "silu",
    "tanh", "sigmoid", "elu", "selu", "mish", "mean", "sum", "max", "avg", "none", "layer", "instance", "group", "conv",
    "bn", "pool"))
_MODULES = frozenset(("nn", "torch", "F", "functional", "np", "numpy", "math", "torchvision", "models", "init"))
_TRAINING = {"train_setup", "learn", "supported_hyperparameters"}
_WEIGHTS = re.compile(r"_*(init\w*_?(weights?|param)|(weights?|param)\w*_?init|reset_param)")
_LONGEST = 20
# Ten times what the largest network in LEMUR needs; a view then takes well under a second.
_MOST_WORK = 100_000


def fold(items: Iterable[str]) -> list[str]:
    """Repeated neighbours once: ``a b a b c`` becomes ``(a b)*2 c``; the longest saving first, left to right."""
    items, folded, start = list(items), [], 0
    while start < len(items):
        best = (0, 1, 1)
        for period in range(1, min(12, (len(items) - start) // 2) + 1):
            unit, times = items[start:start + period], 1
            while items[start + times * period:start + (times + 1) * period] == unit:
                times += 1
            best = max(best, ((times - 1) * period, -period, times))
        saved, period, times = best
        if saved > 1 or (saved and len(items[start]) > 6):
            period = -period
            unit = " ".join(items[start:start + period])
            folded.append(f"({unit})*{times}" if period > 1 else f"{unit}*{times}")
            start += period * times
        else:
            folded.append(items[start])
            start += 1
    return folded


@dataclass
class Definitions:
    """What a module defines. `constants`: short texts by name; `modules`: names that stand for libraries; `renamed`:
    what imports called by another name; `methods`: parameters of the present class's methods; `members`: texts of each
    class's own constants; `tables`: dictionaries by name; `work`: spent on writing so far."""

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=lambda: set(_MODULES))
    renamed: dict[str, str] = field(default_factory=dict)
    methods: dict[str, list[str]] = field(default_factory=dict)
    members: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[str, ast.Dict] = field(default_factory=dict)
    work: int = 0

    def spend(self, work: int) -> None:
        """Count what writing the view costs: lists and texts can be named in each other until they grow exponentially.

        Raises PerfclfError where it is more than any network needs.
        """
        self.work += work
        if self.work > _MOST_WORK:
            raise PerfclfError("the network's code is too tangled to be read")

    def parameters(self, name: str) -> list[str]:
        """The parameters of a class's constructor or a function, without self."""
        if name in self.functions:
            return parameters(self.functions[name])
        for method in self.classes[name].body if name in self.classes else ():
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                return parameters(method)[1:]
        return []


def parameters(function: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters, in order."""
    given = function.args
    starred = [argument for argument in (given.vararg, given.kwarg) if argument]
    return [argument.arg for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]]


def letter(number: int, alphabet: str = "abcdefghijklmnopqr") -> str:
    """a, b, …, a1, b1, …: the canonical name of a function's local variable."""
    return alphabet[number % len(alphabet)] + (str(number // len(alphabet)) if number >= len(alphabet) else "")


def short(name: str) -> str:
    """An identifier, cut where no honest name is that long."""
    return name if len(name) <= _LONGEST else name[:_LONGEST]


def boilerplate(name: str) -> bool:
    """Whether a function only serves training or sets first weights."""
    return name in _TRAINING or _WEIGHTS.match(name) is not None
