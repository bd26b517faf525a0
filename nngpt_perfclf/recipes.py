"""A training recipe in words: the field's terms, and numbers that a small model can read.

Digits are tokens of their own in Gemma's vocabulary, so every digit is paid for: learning rates as a power of ten with
one decimal, shares with two.
"""

import math
import re
from dataclasses import dataclass

from nngpt_perfclf.types import PerfclfError, Recipe

_ENDLESS = 1e12  # no rate and no batch is that large, and a whole number may be too large for a float
KINDS = {"norm": "norm", "echo": "raw", "complex": "complex"}
_SIMPLE = re.compile(r"(norm|echo|complex)(?:_(\d{1,4}))?(_flip)?")
# LEMUR's steps, by torchvision's names or shortened, and torchvision's others for images. A name with any other word in
# it tells nothing: a recipe comes from outside, and its words would speak in the prompt.
_STEP = ("(?:Random)?(?:AdjustSharpness?|Affine|Autocontrast|Blur|CenterCrop|ColorJit(?:ter)?|Crop|Equalize|Erasing"
         "|FiveCrop|Flip|GaussianBlur|Grayscale|HorizontalFlip|Invert|Pad|Perspective|Posterize|Resize|ResizedCrop"
         "|Rotation|Solarize|VerticalFlip)")
_AUGMENTED = re.compile(rf"bf-v1(?:[-_]{_STEP}){{1,12}}(?:_\d+)?")
_LONE = {"center_crop": ("CenterCrop",), "five_crop": ("FiveCrop",),
         "random_horizontal_flip": ("RandomHorizontalFlip",), "random_vertical_flip": ("RandomVerticalFlip",)}


@dataclass(frozen=True)
class TransformParts:
    """What LEMUR's name of an image pipeline says. `kind`: norm (scaled by the dataset's mean and deviation), echo
    (left in 0..1), complex (complex numbers) or other; `size`: side in pixels after resizing, None: the dataset's own;
    `flip`: mirrored at random; `steps`: further augmentations by torchvision's names."""

    kind: str
    size: int | None
    flip: bool
    steps: tuple[str, ...] = ()


def transform_parts(name: str) -> TransformParts:
    """Read a transform's name, such as ``norm_64_flip``; an unknown one has kind "other" and states nothing.

    The names ``bf-v1-…`` list their steps; those pipelines resize to 64 pixels and normalise.
    """
    if simple := _SIMPLE.fullmatch(name):
        kind, size, flip = simple.groups()
        return TransformParts(kind, int(size) if size else None, flip is not None)
    if _AUGMENTED.fullmatch(name):
        steps = tuple(step for step in re.split("[-_]", name)[2:] if not step.isdigit())
        flip = "RandomHorizontalFlip" in steps
        return TransformParts("norm", 64, flip, tuple(step for step in steps if step != "RandomHorizontalFlip"))
    if name in _LONE:
        flip = name == "random_horizontal_flip"
        return TransformParts("norm", 64, flip, () if flip else _LONE[name])
    return TransformParts("other", None, False)


def recipe_words(recipe: Recipe | None) -> str:
    """One side's recipe, such as ``lr-2.6 mom.92 batch64 drop.3 img64 flip norm``; what is not stated is left out.

    ``lr-2.6``: a learning rate of 10 to the power of -2.6. Raises PerfclfError for numbers that are no recipe.
    """
    if recipe is None:
        return "no recipe"
    words = [
        None if recipe.lr is None else f"lr{_log10('learning rate', recipe.lr)}",
        None if recipe.momentum is None else f"mom{_share('momentum', recipe.momentum)}",
        None if recipe.batch is None else f"batch{_whole('batch', recipe.batch)}",
        None if recipe.dropout is None else f"drop{_share('dropout', recipe.dropout)}",
        None if recipe.transform is None else transform_words(recipe.transform),
    ]
    return " ".join(word for word in words if word) or "no recipe"


def transform_words(name: str) -> str:
    """``norm_64_flip`` as ``img64 flip norm``: size, flip, further steps, then how the pixels are scaled."""
    parts = transform_parts(name)
    if parts.kind == "other":
        return "other images"
    size = [f"img{parts.size}"] if parts.size else []
    steps = [step.removeprefix("Random").lower() for step in parts.steps]
    return " ".join([*size, *(["flip"] if parts.flip else []), *steps, KINDS[parts.kind]])


def _log10(what: str, value: float) -> str:
    if not 0 < value < _ENDLESS:
        raise PerfclfError(f"recipe: {what} must be a positive number, not {value}")
    return f"{math.log10(value):.1f}".replace("-0.0", "0.0")


def _share(what: str, value: float) -> str:
    if not 0 <= value <= 1:
        raise PerfclfError(f"recipe: {what} must lie in 0..1, not {value}")
    return f"{value:.2f}".rstrip("0").rstrip(".").removeprefix("0") or "0"


def _whole(what: str, value: float) -> int:
    if not (1 <= value < _ENDLESS and value == int(value)):
        raise PerfclfError(f"recipe: {what} must be a whole number of at least 1, not {value}")
    return int(value)
