"""What a language model gets to see of a built network: totals, then the layers in their order with output shapes and
parameters, within a token budget.

Every network is shown for the same images (`SHAPES`), so that one text serves all questions about it. No name that the
code chose is shown, and types outside of PyTorch's are "other": nothing in the text can carry an instruction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nngpt_perfclf.code_view.view import View, estimate_tokens
from nngpt_perfclf.profiling.types import Layer, Shapes, Structure

SHAPES = Shapes(channels=3, size=64, classes=10)
LONGEST_PERIOD = 12  # layers with weights in a block that is repeated
_LONGEST_TAIL = 6  # layers without weights after one with
_LEFT_OUT = 16  # tokens of the line that says what was left out
_WORDS = {
    "Conv1d": "conv1d", "Conv2d": "conv", "Conv3d": "conv3d", "ConvTranspose2d": "deconv", "Linear": "fc",
    "LazyLinear": "fc", "LazyConv2d": "conv", "Bilinear": "bilinear", "Embedding": "embed", "RNN": "rnn",
    "LSTM": "lstm", "GRU": "gru", "MultiheadAttention": "attention", "TransformerEncoderLayer": "transformer",
    "BatchNorm1d": "bn", "BatchNorm2d": "bn", "BatchNorm3d": "bn", "LazyBatchNorm2d": "bn", "LayerNorm": "ln",
    "GroupNorm": "gn", "InstanceNorm2d": "in", "RMSNorm": "rms", "LocalResponseNorm": "lrn", "ReLU": "relu",
    "ReLU6": "relu6", "LeakyReLU": "leaky", "PReLU": "prelu", "ELU": "elu", "SELU": "selu", "CELU": "celu",
    "GELU": "gelu", "SiLU": "silu", "Mish": "mish", "Hardswish": "hswish", "Hardsigmoid": "hsigmoid",
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax", "LogSoftmax": "logsoftmax", "Softplus": "softplus",
    "Dropout": "drop", "Dropout1d": "drop", "Dropout2d": "drop2d", "AlphaDropout": "drop", "MaxPool2d": "max",
    "AvgPool2d": "avg", "AdaptiveAvgPool2d": "gap", "AdaptiveMaxPool2d": "gmp", "AdaptiveAvgPool1d": "gap",
    "Flatten": "flat", "Upsample": "up", "PixelShuffle": "shuffle", "ZeroPad2d": "pad",
}
_NORMS = ("bn", "ln", "gn", "in", "rms", "lrn")
_SILENT = ("Identity", "Module", "Sequential", "ModuleList")  # where they have no parameters of their own
_USES = {"op:skip_add": "skips", "op:concat": "concats", "op:gate": "gates", "op:product": "products",
         "op:conv_depthwise": "depthwise", "op:conv_grouped": "grouped", "op:conv_pointwise": "pointwise",
         "op:conv_strided": "strided", "op:conv_large": "large"}
_OPTIMISERS = ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "ASGD", "Rprop")


@dataclass(frozen=True)
class Unit:
    """A layer with weights, and the layers without that follow it. `shape`: of its output; `tail`: in words."""

    word: str
    shape: tuple[int, ...]
    parameters: int
    tail: tuple[str, ...] = ()


def layer_view(structure: Structure, tokens: int = 250) -> View:
    """The built network in at most about `tokens` tokens; layers that do not fit are left out of the middle."""
    header = _header(structure)
    lines = list(_lines(_folded(list(_units(structure.layers)))))
    left = tokens - estimate_tokens(header) - 1
    costs = [estimate_tokens(line) + 1 for line in lines]
    if sum(costs) <= left and not structure.layers_left_out:
        return View("\n".join([header, *lines]), True)
    first, last = _ends(costs, left - _LEFT_OUT)
    hidden = len(lines) - first - last
    note = f"… {hidden} lines left out"
    return View("\n".join([header, *lines[:first], note, *lines[len(lines) - last:]]), True, f"{hidden} lines")


def _ends(costs: Sequence[int], budget: int) -> tuple[int, int]:
    """How many lines from the beginning and from the end fit, taken in turn."""
    first, last = 0, 0
    while first + last < len(costs):
        place = first if first <= last else len(costs) - 1 - last
        if costs[place] > budget:
            break
        budget -= costs[place]
        first, last = (first + 1, last) if first <= last else (first, last + 1)
    return first, last


def _header(structure: Structure) -> str:
    setup, other = structure.setups
    optimiser = setup.optimizer if setup.optimizer in _OPTIMISERS else "other" if setup.optimizer else "none"
    words = [f"{short(structure.parameters)} params", f"{short(structure.macs)} macs", f"depth {structure.depth}",
             f"field {min(999, round(structure.receptive_field))}"]
    words += [f"{structure.kinds[kind]} {word}" for kind, word in _USES.items() if structure.kinds.get(kind)]
    words.append(optimiser)
    words += ["schedule"] if setup.scheduler else []
    words += ["decay"] if setup.weight_decay else []
    words += ["smooth"] if setup.label_smoothing else []
    fixed = setup.lr is not None and setup.lr == other.lr
    return " ".join([*words, *(["fixed lr"] if fixed else [])])


def _units(layers: Sequence[Layer]) -> Iterator[Unit]:
    unit = None
    for layer in layers:
        word = _WORDS.get(layer.type, "other")
        if not layer.parameters and layer.type in _SILENT:
            continue
        if unit is not None and (not layer.parameters or word in _NORMS):
            unit = replace(unit, tail=(*unit.tail, word))
            continue
        if unit is not None:
            yield unit
        unit = Unit(word, layer.shape, layer.parameters)
    if unit is not None:
        yield unit


def _folded(units: Sequence[Unit]) -> Iterator[tuple[Sequence[Unit], int]]:
    """Blocks of units and how often each is repeated, one after the other."""
    place = 0
    while place < len(units):
        period, times = 1, 1
        for length in range(1, min(LONGEST_PERIOD, (len(units) - place) // 2) + 1):
            found = _repeats(units, place, length)
            if found > 1 and found * length > period * times:
                period, times = length, found
        yield units[place:place + period], times
        place += period * times


def _repeats(units: Sequence[Unit], place: int, length: int) -> int:
    block, times = units[place:place + length], 1
    while units[place + times * length:place + (times + 1) * length] == block:
        times += 1
    return times


def _lines(blocks: Iterator[tuple[Sequence[Unit], int]]) -> Iterator[str]:
    shape: tuple[int, ...] = ()
    for units, times in blocks:
        texts = []
        for unit in units:
            texts.append(_text(unit, unit.shape != shape))
            shape = unit.shape
        if times == 1:
            yield from texts
        elif len(texts) == 1:
            yield f"{texts[0]} *{times}"
        else:
            yield f"({'; '.join(texts)})*{times}"


def _text(unit: Unit, with_shape: bool) -> str:
    words = [unit.word]
    words += ["x".join(str(min(side, 99_999)) for side in unit.shape[-3:])] if with_shape and unit.shape else []
    words += [short(unit.parameters)] if unit.parameters else []
    return " ".join([*words, *unit.tail[:_LONGEST_TAIL], *(["…"] if len(unit.tail) > _LONGEST_TAIL else [])])


def short(count: float) -> str:
    """A count with two digits: ``864``, ``9.2k``, ``37k``, ``1.2M``, ``15G``."""
    if count < 1000:
        return f"{count:.0f}"
    for unit in "kMGT":
        count /= 1000
        if count < 999.5:
            return f"{count:.1f}{unit}".replace(".0", "") if count < 9.95 else f"{float(f'{count:.2g}'):.0f}{unit}"
    return "999T"
