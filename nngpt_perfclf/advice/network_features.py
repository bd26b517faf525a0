"""Numbers about a network that was built: its profile, and how it meets the recipe and the dataset.

Which of a profile's numbers are used was chosen by cross-validation over near-duplicate groups. Nothing here follows
from names, comments, literals or code that is never run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.profiling.features import features
from nngpt_perfclf.profiling.settings import setup_at
from nngpt_perfclf.types import Recipe

if TYPE_CHECKING:
    from nngpt_perfclf.datasets import DatasetProperties
    from nngpt_perfclf.profiling.types import Shapes, Structure

# Counts and sizes, of which the logarithm is taken.
LOGARITHMS = ("parameters", "macs", "activations", "depth", "receptive_field", "layers", "batch_norms",
              "skip_additions", "last_size", "last_channels", "largest_channels", "last_numbers", "dropouts")
PLAIN = ("downsamplings", "linear_parameter_share", "weight_decay")
# In how many places of the code such layers are made, or such functions called.
MADE = ("MaxPool2d", "BatchNorm2d", "Linear", "Conv2d", "ReLU", "Dropout", "LayerNorm", "GroupNorm",
        "AdaptiveAvgPool2d")
CALLED = ("relu", "cat", "softmax", "permute", "matmul", "sigmoid", "interpolate")
OPTIMISERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")
MEETING = ("set_lr", "set_momentum", "set_beta1", "parameters_per_image", "work")
NAMES = (*LOGARITHMS, *PLAIN, *(f"made_{name}" for name in MADE), *(f"called_{name}" for name in CALLED),
         "optimiser", "schedule", *MEETING)


def profile_row(structure: Structure, shapes: Shapes, recipe: Recipe | None,
                dataset: DatasetProperties) -> list[float]:
    """The numbers named in `NAMES`; NaN where the network has no such thing or the recipe does not state it."""
    found = features(structure, shapes)
    sizes = [_log2(found[name]) for name in LOGARITHMS]
    plain = [math.nan if found[name] is None else float(found[name]) for name in PLAIN]
    places = [_log2(structure.kinds.get(kind, 0))
              for kind in (*(f"made:{name}" for name in MADE), *(f"called:{name}" for name in CALLED))]
    setup = structure.setups[0]
    optimiser = OPTIMISERS.index(setup.optimizer) if setup.optimizer in OPTIMISERS else len(OPTIMISERS)
    return [*sizes, *plain, *places, float(optimiser), float(setup.scheduler is not None),
            *_meeting(structure, recipe, dataset)]


def network_rows(structures: Sequence[tuple[Structure, Shapes] | None], recipes: Sequence[Recipe | None],
                 datasets: Sequence[DatasetProperties]) -> np.ndarray:
    """One row a network, shape (n, len(NAMES)), NaN for those without a structure."""
    empty = [math.nan] * len(NAMES)
    rows = [empty if built is None else profile_row(*built, recipe, dataset)
            for built, recipe, dataset in zip(structures, recipes, datasets, strict=True)]
    return np.array(rows, np.float32).reshape(-1, len(NAMES))


def _meeting(structure: Structure, recipe: Recipe | None, dataset: DatasetProperties) -> list[float]:
    """What `train_setup` makes of the recipe, and how large the network is for the dataset."""
    images = math.log2(dataset.images)
    size = [_log2(structure.parameters) - images, _log2(structure.macs) + images]
    if recipe is None:
        return [math.nan] * 3 + size
    setup = setup_at(structure, recipe)
    lr = math.nan if setup.lr is None or recipe.lr is None else math.log10(max(setup.lr, 1e-9))
    momentum, beta1 = (math.nan if value is None or recipe.momentum is None else float(value)
                       for value in (setup.momentum, setup.beta1))
    return [lr, momentum, beta1, *size]


def _log2(value: float | None) -> float:
    return math.nan if value is None else math.log2(1 + abs(value))
