"""A structure as a row of numbers, for models that learn from tables. Nothing here follows from names, comments or code
that is never run."""

from collections.abc import Callable

from nngpt_perfclf.profiling.settings import FOLLOWS, line
from nngpt_perfclf.profiling.types import Shapes, Structure

# Feature -> the ATen operators that it counts.
OPERATORS = {
    "batch_norms": ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
                    "cudnn_batch_norm"),
    "layer_norms": ("native_layer_norm",), "group_norms": ("native_group_norm",),
    "relus": ("relu", "threshold", "hardtanh"),
    "leaky_relus": ("leaky_relu", "prelu", "_prelu_kernel", "rrelu"),
    "gelus": ("gelu",), "silus": ("silu", "hardswish", "mish"), "elus": ("elu", "celu"),
    "sigmoids": ("sigmoid", "hardsigmoid", "log_sigmoid_forward"), "tanhs": ("tanh",),
    "softmaxes": ("_softmax", "_safe_softmax", "_log_softmax"),
    "max_pools": ("max_pool2d_with_indices", "max_pool1d", "max_pool3d_with_indices"),
    "average_pools": ("avg_pool2d", "avg_pool1d", "avg_pool3d"),
    "global_pools": ("_adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "_adaptive_avg_pool3d", "amax"),
    "resizings": ("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_nearest_exact2d"),
    "fourier_transforms": ("_fft_r2c", "_fft_c2c", "_fft_c2r"),
    "attention_operators": ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_efficient_attention",
                            "_scaled_dot_product_fused_attention_overrideable",
                            "_scaled_dot_product_flash_attention"),
}
KINDS = {
    "convolutions": "op:conv", "depthwise": "op:conv_depthwise", "grouped": "op:conv_grouped",
    "pointwise": "op:conv_pointwise", "large_kernels": "op:conv_large", "strided": "op:conv_strided",
    "transposed": "op:conv_transposed", "linears": "op:linear", "products": "op:product",
    "skip_additions": "op:skip_add", "concatenations": "op:concat", "gates": "op:gate",
}
WORDS = ("optimizer", "scheduler", "loss")


def features(structure: Structure, shapes: Shapes) -> dict[str, float | None]:
    """Every number about the structure; None where the network has no such thing (no feature map, no optimiser).

    Settings that follow from the recipe are given as what is added to the recipe's value times a factor
    (``lr_offset``, ``lr_factor``, …).
    """
    size = {name: getattr(structure, name) for name in
            ("parameters", "trainable", "executed", "buffers", "macs", "activations", "depth", "shortest",
             "mean_depth", "log_paths", "receptive_field")}
    counts = {name: sum(structure.operators.get(operator, 0) for operator in operators)
              for name, operators in OPERATORS.items()}
    kinds = {name: structure.kinds.get(kind, 0) for name, kind in KINDS.items()}
    kinds["attention_layers"] = structure.kinds.get("MultiheadAttention", 0)
    kinds["recurrent_layers"] = sum(structure.kinds.get(kind, 0) for kind in ("RNN", "LSTM", "GRU"))
    return {**size, "layers": len(structure.layers) + structure.layers_left_out,
            "operators": sum(structure.operators.values()),
            "operator_inputs": structure.kinds.get("op:inputs", 0), **counts, **kinds, **_layers(structure),
            **_trace(structure, shapes), **_dropouts(structure), **_setup(structure)}


def words(structure: Structure) -> dict[str, str | None]:
    """Optimiser, schedule and loss by PyTorch's names."""
    return {name: getattr(structure.setups[0], name) for name in WORDS}


def _layers(structure: Structure) -> dict[str, float | None]:
    def of(kinds: tuple[str, ...], value: Callable) -> int:
        return sum(value(layer) for layer in structure.layers if layer.type.startswith(kinds))

    weighted = [layer for layer in structure.layers if layer.parameters]
    total = max(1, sum(layer.parameters for layer in weighted))
    macs = max(1, sum(layer.macs for layer in structure.layers))
    return {"weighted_layers": len(weighted),
            "linear_parameter_share": of(("Linear", "LazyLinear"), lambda layer: layer.parameters) / total,
            "convolution_parameter_share": of(("Conv",), lambda layer: layer.parameters) / total,
            "largest_layer_share": max((layer.parameters for layer in weighted), default=0) / total,
            "first_layer_macs_share": next((layer.macs for layer in structure.layers if layer.macs), 0) / macs,
            "linear_width": max((layer.shape[-1] for layer in structure.layers
                                 if layer.type == "Linear" and layer.shape), default=None)}


def _trace(structure: Structure, shapes: Shapes) -> dict[str, float | None]:
    names = ("first_channels", "largest_channels", "last_channels", "mean_channels", "first_size", "last_size",
             "smallest_size", "downsamplings", "last_numbers")
    if not structure.trace:
        return dict.fromkeys(names)
    channels = [step[0] for step in structure.trace]
    sides = [min(step[1:]) for step in structure.trace]
    before = [min(shapes.size, shapes.width), *sides]
    falls = sum(later < earlier for earlier, later in zip(before, sides, strict=False))
    last = structure.trace[-1]
    return dict(zip(names, (channels[0], max(channels), channels[-1], sum(channels) / len(channels), sides[0],
                            sides[-1], min(sides), falls, last[0] * last[1] * last[2]), strict=True))


def _dropouts(structure: Structure) -> dict[str, float | None]:
    first, second = structure.dropouts
    found: dict[str, float | None] = {"dropouts": len(first)}
    for name, summary in (("mean", lambda values: sum(values) / len(values)), ("largest", max)):
        usable = bool(first) and len(first) == len(second)
        offset, factor = line(summary(first), summary(second), "dropout") if usable else (None, None)
        found |= {f"dropout_{name}_offset": offset, f"dropout_{name}_factor": factor}
    return found


def _setup(structure: Structure) -> dict[str, float | None]:
    first, second = structure.setups
    found: dict[str, float | None] = {}
    for name, of in FOLLOWS.items():
        values = getattr(first, name), getattr(second, name)
        offset, factor = (None, None) if None in values else line(*values, of)
        found |= {f"{name}_offset": offset, f"{name}_factor": factor}
    share = None if first.optimized is None else first.optimized / max(1, structure.parameters)
    return {**found, "weight_decay": first.weight_decay, "beta2": first.beta2,
            "nesterov": None if first.nesterov is None else int(first.nesterov), "parameter_groups": first.groups,
            "optimized_share": share, "label_smoothing": first.label_smoothing,
            "class_weights": int(first.class_weights)}
