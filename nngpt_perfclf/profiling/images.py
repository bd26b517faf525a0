"""What a recipe makes of a dataset's images before a network sees them."""

from __future__ import annotations

from collections.abc import Mapping

from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.profiling.types import Shapes
from nngpt_perfclf.recipes import transform_parts
from nngpt_perfclf.types import PerfclfError, Recipe

# nn-dataset, ab/nn/transform/soft_pad.py: images are padded to 800 × 800 pixels.
_PADDED = {"soft_pad": 800}
# Height and width as torchvision loads them, where the known size is that of NNGPT's table of datasets.
_ORIGINAL = {"celeba-gender": (218, 178)}


def shapes_of(recipe: Recipe, target: str, datasets: Mapping[str, DatasetProperties]) -> Shapes:
    """The images that a network is trained with, and its classes; where the recipe does not resize, the dataset's own.

    Raises PerfclfError for a dataset that is not one of `datasets`.
    """
    if target not in datasets:
        raise PerfclfError(f"unknown dataset {target!r}; known: {', '.join(sorted(datasets))}")
    dataset = datasets[target]
    parts = transform_parts(recipe.transform or "")
    stated = parts.size or _PADDED.get(recipe.transform or "")
    height, width = (stated, stated) if stated else _ORIGINAL.get(target, (dataset.size, dataset.size))
    return Shapes(dataset.channels, height, dataset.classes, parts.kind == "complex", width)
