"""Numbers about a network that was built: its profile, and how it meets the recipe and the dataset.

Which of a profile's numbers are used was chosen by cross-validation over near-duplicate groups. Nothing here follows
from names, comments, literals or code that is never run.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.profiling.features import features
from nngpt_perfclf.profiling.types import Shapes, Structure
from nngpt_perfclf.types import Recipe

# Counts and sizes, of which the logarithm is taken.
LOGARITHMS = tuple("""
    parameters macs activations depth receptive_field layers batch_norms skip_additions last_size last_channels
    largest_channels last_numbers dropouts trainable executed buffers linear_width first_channels mean_channels
    first_size smallest_size log_paths mean_depth operator_inputs shortest operators layer_norms group_norms relus
    leaky_relus gelus silus elus sigmoids tanhs softmaxes max_pools average_pools global_pools resizings
    fourier_transforms attention_operators convolutions depthwise grouped pointwise large_kernels strided transposed
    linears products concatenations gates attention_layers recurrent_layers weighted_layers parameter_groups
""".split())  # noqa: SIM905 - lists of fifty quoted words would be harder to read
PLAIN = ("downsamplings", "linear_parameter_share", "weight_decay", "convolution_parameter_share",
         "largest_layer_share", "first_layer_macs_share", "beta2", "nesterov", "optimized_share", "label_smoothing",
         "class_weights")
# In how many places of the code such layers are made, or such functions called.
MADE = ("MaxPool2d", "BatchNorm2d", "Linear", "Conv2d", "ReLU", "Dropout", "LayerNorm", "GroupNorm",
        "AdaptiveAvgPool2d", "Module", "Identity", "GELU", "AvgPool2d", "Flatten", "Sigmoid", "SiLU", "Dropout2d")
CALLED = tuple("""
    relu cat softmax permute matmul sigmoid interpolate conv2d linear dim batch_norm adaptive_avg_pool2d flatten
    max_pool2d add add_ mul div sub pow sqrt exp dropout view size mean sum transpose unsqueeze squeeze reshape
    contiguous expand gelu silu layer_norm avg_pool2d pad chunk split stack unbind clamp to zeros zeros_like topk
""".split())  # noqa: SIM905
OPTIMISERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")
SHARES = ("norms_per_layer", "activations_per_layer", "skips_per_layer", "depthwise_share", "pointwise_share",
          "skip_depth", "unused", "rf_share", "last_size_share", "first_size_share", "macs_per_parameter",
          "macs_per_layer", "parameters_per_layer")
# How the network meets the dataset and the recipe.
MEETING = ("parameters_per_image", "work", "width_per_class", "set_lr", "set_momentum", "set_beta1", "lr_to_default",
           "effective_lr", "lr_by_parameters", "lr_by_width", "lr_by_depth", "lr_without_norm", "dropout",
           "total_dropout", "largest_dropout", "activation_memory")
NAMES = (*LOGARITHMS, *PLAIN, *(f"made_{name}" for name in MADE), *(f"called_{name}" for name in CALLED),
         "optimiser", "schedule", "own_loss", *SHARES, *MEETING)
_ACTIVATIONS = ("relus", "leaky_relus", "gelus", "silus", "elus", "sigmoids", "tanhs")
_LOG10_OF_2 = math.log10(2)


def profile_row(structure: Structure, shapes: Shapes, recipe: Recipe | None,
                dataset: DatasetProperties) -> list[float]:
    """The numbers named in `NAMES`; NaN where the network has no such thing or the recipe does not state it."""
    found, logs, own = _of_network(structure, shapes)
    return [*own, *_meeting(found, logs, recipe, dataset, "Adam" in (structure.setups[0].optimizer or ""))]


@lru_cache(maxsize=6000)
def _of_network(structure: Structure, shapes: Shapes) -> tuple[dict[str, float], dict[str, float], list[float]]:
    """What a network says under any recipe: all its features, the logarithms of some, and the numbers up to those named
    in `MEETING`."""
    found = {name: math.nan if value is None else float(value)
             for name, value in features(structure, shapes).items()}
    logs = {name: _log2(found[name]) for name in LOGARITHMS}
    places = [_log2(structure.kinds.get(kind, 0))
              for kind in (*(f"made:{name}" for name in MADE), *(f"called:{name}" for name in CALLED))]
    setup = structure.setups[0]
    optimiser = OPTIMISERS.index(setup.optimizer) if setup.optimizer in OPTIMISERS else len(OPTIMISERS)
    words = [float(optimiser), float(setup.scheduler is not None), float(setup.loss != "CrossEntropyLoss")]
    return found, logs, [*logs.values(), *(found[name] for name in PLAIN), *places, *words,
                         *_shares(found, logs, math.log2(min(shapes.size, shapes.width)))]


def network_rows(structures: Sequence[tuple[Structure, Shapes] | None], recipes: Sequence[Recipe | None],
                 datasets: Sequence[DatasetProperties]) -> np.ndarray:
    """One row a network, shape (n, len(NAMES)), NaN for those without a structure."""
    empty = [math.nan] * len(NAMES)
    rows = [empty if built is None else profile_row(*built, recipe, dataset)
            for built, recipe, dataset in zip(structures, recipes, datasets, strict=True)]
    return np.array(rows, np.float32).reshape(-1, len(NAMES))


def _shares(found: Mapping[str, float], logs: Mapping[str, float], size: float) -> list[float]:
    """The numbers named in `SHARES`. size: logarithm of the images' shorter side."""
    layers, convolutions = max(found["weighted_layers"], 1), max(found["convolutions"], 1)
    norms = found["batch_norms"] + found["layer_norms"] + found["group_norms"]
    return [norms / layers, sum(found[name] for name in _ACTIVATIONS) / layers,
            (found["skip_additions"] + found["concatenations"]) / layers, found["depthwise"] / convolutions,
            found["pointwise"] / convolutions, found["depth"] - found["shortest"],
            1 - found["executed"] / max(found["parameters"], 1), logs["receptive_field"] - size,
            logs["last_size"] - size, logs["first_size"] - size, logs["macs"] - logs["parameters"],
            logs["macs"] - logs["depth"], logs["parameters"] - math.log2(layers)]


def _meeting(found: Mapping[str, float], logs: Mapping[str, float], recipe: Recipe | None,
             dataset: DatasetProperties, adam: bool) -> list[float]:
    """The numbers named in `MEETING`: how large the network is for the dataset, and what `train_setup` and the layers
    make of the recipe. A higher learning rate suits a smaller, narrower and shallower network."""
    images = math.log2(dataset.images)
    size = [logs["parameters"] - images, logs["macs"] + images, logs["last_channels"] - math.log2(dataset.classes)]
    if recipe is None:
        return size + [math.nan] * (len(MEETING) - len(size))
    lr = _set(found, "lr", recipe.lr)
    lr = math.nan if math.isnan(lr) else math.log10(max(lr, 1e-9))
    momentum, beta1 = (_set(found, name, recipe.momentum) for name in ("momentum", "beta1"))
    speed = 1.0 if adam else -math.log10(max(1 - (0 if math.isnan(momentum) else momentum), 1e-3))
    effective = lr + speed
    normalised = found["batch_norms"] + found["layer_norms"] + found["group_norms"] > 0
    batch = math.log2(recipe.batch) if recipe.batch else math.nan
    return [*size, lr, momentum, beta1, lr - (-3 if adam else -2), effective,
            effective + logs["parameters"] * _LOG10_OF_2 / 2, effective + logs["mean_channels"] * _LOG10_OF_2,
            effective + logs["depth"] * _LOG10_OF_2, -9.0 if normalised else effective,
            *_dropout(found, recipe.dropout), logs["activations"] + batch]


def _dropout(found: Mapping[str, float], stated: float | None) -> list[float]:
    """Mean probability of dropping, that times the number of places, and the largest."""
    if not found["dropouts"]:
        return [0.0, 0.0, 0.0]
    mean, largest = (_set(found, name, stated) for name in ("dropout_mean", "dropout_largest"))
    return [mean, mean * min(found["dropouts"], 50), largest]


def _set(found: Mapping[str, float], name: str, stated: float | None) -> float:
    """A setting under a recipe that states this value; NaN where it follows from a value that is not stated."""
    offset, factor = found[f"{name}_offset"], found[f"{name}_factor"]
    if factor == 0:
        return offset
    return math.nan if stated is None else offset + factor * stated


def _log2(value: float) -> float:
    return math.log2(1 + abs(value))
