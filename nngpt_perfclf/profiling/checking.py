"""Validation of the sandbox's answer: only the right form is accepted, since the candidate may have written it."""

import json
import math
import re
from collections.abc import Callable

from nngpt_perfclf.profiling.types import Layer, Structure, TrainingSetup
from nngpt_perfclf.sandbox.words import printable

LARGEST_NUMBER = 10**18
_LAYERS, _TRACED, _NAMES, _DIMENSIONS = 2000, 400, 1000, 8
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_NO_PROFILE = "handed back no valid profile"


class ForgedError(ValueError):
    """An answer that the profiler's own code cannot have given."""


def read_answer(answer: bytes) -> Structure | tuple[str, str]:
    """The structure, or (stage, reason) of a network that failed; never raises, whatever `answer` holds."""
    try:
        found = json.loads(answer, parse_constant=_refuse)
        if not isinstance(found, dict):
            return "forward", _NO_PROFILE
        if found.get("status") == "failed":
            stage = _choice(found.get("stage"), ("import", "build", "forward", "setup"))
            return stage, without_addresses(_text(found.get("reason"), 10_000)) or "no reason"
        return structure_from(found)
    except (ValueError, RecursionError):
        return "forward", _NO_PROFILE


def structure_from(found: dict) -> Structure:
    """A structure from plain values. Raises ForgedError where any is missing or out of its range."""
    counts = ("parameters", "trainable", "executed", "buffers", "macs", "activations", "depth", "shortest",
              "layers_left_out")
    return Structure(
        way=_choice(found.get("way"), ("meta", "mixed", "real")),
        **{name: _count(found.get(name)) for name in counts},
        **{name: _number(found.get(name)) for name in ("mean_depth", "log_paths", "receptive_field")},
        layers=_tuple(found.get("layers"), _layer, _LAYERS),
        trace=_tuple(found.get("trace"), lambda step: _tuple(step, _count, 3, least=3), _TRACED),
        operators=_counts(found.get("operators")), kinds=_counts(found.get("kinds")),
        output=_tuple(found.get("output"), _count, _DIMENSIONS),
        dropouts=_tuple(found.get("dropouts"), lambda rates: _tuple(rates, _number, _LAYERS), 2, least=2),
        setups=_tuple(found.get("setups"), _setup, 2, least=2))


def without_addresses(reason: str) -> str:
    """One printable line; addresses of objects differ from run to run."""
    return _ADDRESS.sub("0x…", printable(reason)).strip()


def _layer(found: object) -> Layer:
    if not isinstance(found, list) or len(found) != 5:
        raise ForgedError
    name, kind, shape, parameters, macs = found
    return Layer(printable(_text(name, 2000), 200), _name(kind), _tuple(shape, _count, _DIMENSIONS),
                 _count(parameters), _count(macs))


def _setup(found: object) -> TrainingSetup:
    if not isinstance(found, dict):
        raise ForgedError
    names = ("optimizer", "scheduler", "loss")
    numbers = ("lr", "momentum", "weight_decay", "beta1", "beta2", "label_smoothing")
    values = {name: _optional(found.get(name), _name) for name in names}
    values |= {name: _optional(found.get(name), _number) for name in numbers}
    values |= {name: _optional(found.get(name), _count) for name in ("groups", "optimized")}
    values["nesterov"] = _optional(found.get("nesterov"), _bool)
    return TrainingSetup(**values, class_weights=_bool(found.get("class_weights")))


def _optional(value: object, check: Callable):
    return None if value is None else check(value)


def _tuple(value: object, check: Callable, most: int, least: int = 0) -> tuple:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise ForgedError
    return tuple(map(check, value))


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > _NAMES:
        raise ForgedError
    return {_name(name): _count(number) for name, number in sorted(value.items())}


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise ForgedError
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
        raise ForgedError
    return float(value)


def _bool(value: object) -> bool:
    if type(value) is not bool:
        raise ForgedError
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][\w:.]{0,79}", value, re.ASCII):
        raise ForgedError
    return value


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ForgedError
    return value


def _choice(value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ForgedError
    return value


def _refuse(word: str) -> None:
    raise ForgedError(word)
