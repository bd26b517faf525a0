"""Short names for the layers of torch.nn: what they are, then the numbers that matter, defaults left out.

``Conv2d(64, 128, kernel_size=3, stride=2, padding=1)`` becomes ``conv3:64>128s2``: padding that keeps the size is the
rule, the input's channels are left out where they equal the previous layer's output, and every word is meant to be few
tokens.
"""

import re
from collections.abc import Mapping

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias",
         "padding_mode")
_TRANSPOSED = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "groups", "bias",
               "dilation", "padding_mode")
_POOL = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")
_AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
CONVOLUTIONS = {"Conv2d": "conv", "Conv1d": "conv1d", "Conv3d": "conv3d", "LazyConv2d": "conv",
                "ConvTranspose2d": "deconv", "ConvTranspose1d": "deconv1d"}
POOLS = {"MaxPool2d": ("max", _POOL), "AvgPool2d": ("avg", _AVERAGE), "MaxPool1d": ("max1d", _POOL),
         "AvgPool1d": ("avg1d", _AVERAGE), "MaxPool3d": ("max3d", _POOL)}
ADAPTIVE = {"AdaptiveAvgPool2d": "gap", "AdaptiveMaxPool2d": "gmp", "AdaptiveAvgPool1d": "gap1d",
            "AdaptiveMaxPool1d": "gmp1d", "AdaptiveAvgPool3d": "gap3d"}
NORMS = {"BatchNorm2d": "bn", "BatchNorm1d": "bn1d", "BatchNorm3d": "bn3d", "InstanceNorm2d": "inorm", "LayerNorm":
         "ln", "SyncBatchNorm": "bn"}
DROPOUTS = {"Dropout": "drop", "Dropout2d": "drop2d", "Dropout1d": "drop1d", "Dropout3d": "drop3d",
            "AlphaDropout": "adrop"}
PLAIN = {"ReLU": "relu", "ReLU6": "relu6", "GELU": "gelu", "SiLU": "silu", "Mish": "mish", "ELU": "elu", "SELU": "selu",
         "CELU": "celu", "LeakyReLU": "lrelu", "PReLU": "prelu", "Sigmoid": "sigmoid", "Tanh": "tanh",
         "Hardswish": "hswish", "Hardsigmoid": "hsigmoid", "Softplus": "softplus", "Softmax": "softmax",
         "LogSoftmax": "logsoftmax", "Identity": "id", "Flatten": "flat", "RReLU": "rrelu", "Softsign": "softsign",
         "Hardtanh": "htanh", "LogSigmoid": "logsigmoid"}
_PLAIN_FIRST = {"LeakyReLU": ("negative_slope", ".01"), "ELU": ("alpha", "1"), "Softmax": ("dim", None),
                "Flatten": ("start_dim", "1"), "PReLU": ("num_parameters", "1")}
FUNCTIONS = {
    "relu": "ReLU", "relu_": "ReLU", "relu6": "ReLU6", "gelu": "GELU", "silu": "SiLU", "mish": "Mish", "elu": "ELU",
    "selu": "SELU", "leaky_relu": "LeakyReLU", "sigmoid": "Sigmoid", "tanh": "Tanh", "hardswish": "Hardswish",
    "softmax": "Softmax", "max_pool2d": "MaxPool2d", "avg_pool2d": "AvgPool2d", "dropout": "Dropout",
    "dropout2d": "Dropout2d", "adaptive_avg_pool2d": "AdaptiveAvgPool2d", "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "flatten": "Flatten", "log_softmax": "LogSoftmax", "softplus": "Softplus",
}
_IGNORED = {"inplace", "device", "dtype", "bias", "training", "return_indices"}
Arguments = tuple[list[str], Mapping[str, str]]


def layer(name: str, arguments: Arguments, before: str) -> tuple[str, str] | None:
    """The short form of a layer and the channels after it, or None for a name that is no known layer.

    `before`: the channels that the previous layer gave, as text; "" when unknown.
    """
    if name in CONVOLUTIONS:
        return _convolution(name, _named(arguments, _TRANSPOSED if "Transpose" in name else _CONV), before)
    if name in POOLS:
        short, order = POOLS[name]
        return _pool(short, _named(arguments, order)), before
    if name in ADAPTIVE:
        return ADAPTIVE[name] + _size(_named(arguments, ("output_size",)).get("output_size", "")), before
    if name in NORMS:
        return _norm(name, _named(arguments, _NORM if "Norm" in name and name != "LayerNorm" else _LAYER_NORM), before)
    if name in DROPOUTS:
        share = _named(arguments, ("p", "inplace")).get("p", ".5")
        return DROPOUTS[name] + ("" if share == "p" else _size(share)), before
    if name == "Linear":
        return _linear(_named(arguments, ("in_features", "out_features", "bias")), before)
    if name == "GroupNorm":
        given = _named(arguments, ("num_groups", "num_channels", "eps", "affine"))
        return f"gn{_size(given.pop('num_groups', ''))}{_rest(given, before)}", before
    if name in PLAIN:
        return _plain(name, arguments), before
    return None


_LAYER_NORM = ("normalized_shape", "eps", "elementwise_affine")


def _named(arguments: Arguments, order: tuple[str, ...]) -> dict[str, str]:
    positional, named = arguments
    found = dict(zip(order, positional, strict=False)) | dict(named)
    return {name: value for name, value in found.items() if name not in _IGNORED}


def _convolution(name: str, given: dict[str, str], before: str) -> tuple[str, str]:
    source, target = given.pop("in_channels", ""), given.pop("out_channels", "?")
    kernel = given.pop("kernel_size", "?")
    text = CONVOLUTIONS[name] + _size(kernel)
    text += f">{_part(target)}" if source == before or not source else f":{_part(source)}>{_part(target)}"
    if given.get("groups") == source and source:
        given["groups"] = "*"
    padding = given.pop("padding", "0")
    usual = str(int(kernel) // 2) if kernel.isdigit() else "0"
    details = _letters(given, {"stride": "1", "dilation": "1", "groups": "1", "output_padding": "0"})
    if padding not in (usual, "same"):
        details += f"p{_size(padding)}"
    if given.get("padding_mode", "zeros") != "zeros":
        details += given["padding_mode"]
    return f"{text},{details}" if details and not target.isdigit() else text + details, target


def _pool(short: str, given: dict[str, str]) -> str:
    kernel = given.pop("kernel_size", "?")
    return f"{short}{_size(kernel)}{_letters(given, {'stride': kernel, 'padding': '0', 'dilation': '1'})}"


def _letters(given: Mapping[str, str], usual: Mapping[str, str]) -> str:
    return "".join(f"{name[0]}{_size(given[name])}" for name, default in usual.items()
                   if given.get(name, default) not in (default, "None"))


def _norm(name: str, given: dict[str, str], before: str) -> tuple[str, str]:
    return NORMS[name] + _rest({key: given[key] for key in list(given)[:1]}, before), before


def _rest(given: Mapping[str, str], before: str) -> str:
    channels = next(iter(given.values()), "")
    return "" if not channels or channels in (before, f"[{before}]") else f":{_part(channels)}"


def _linear(given: dict[str, str], before: str) -> tuple[str, str]:
    source, target = given.get("in_features", ""), given.get("out_features", "?")
    return ("fc" if source == before or not source else f"fc:{_part(source)}") + f">{_part(target)}", target


def _plain(name: str, arguments: Arguments) -> str:
    parameter, usual = _PLAIN_FIRST.get(name, ("", None))
    value = _named(arguments, (parameter,)).get(parameter, usual) if parameter else usual
    return PLAIN[name] + ("" if value == usual or value is None else _size(value))


def _part(text: str) -> str:
    return text if re.fullmatch(r"[\w.*/\[\]]+", text) else f"({text})"


def _size(text: str) -> str:
    """``(3,3)`` as ``3``, ``(1,7)`` as ``1x7``; anything that is not plain stands in brackets."""
    inner = text[1:-1] if text[:1] in ("(", "[") and text[-1:] in (")", "]") else text
    parts = inner.split(",")
    if all(re.fullmatch(r"\d+|None", part) for part in parts):
        return parts[0] if len(set(parts)) == 1 else "x".join(parts)
    return text if re.fullmatch(r"\.?\d+", text) else f"({text})"
