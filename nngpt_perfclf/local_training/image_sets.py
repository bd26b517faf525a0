"""Small image data sets that need no download: scikit-learn's digits, shapes that are drawn here, and images that
further packages bring.

The training images are the same everywhere. The test images are drawn by a seed that this installation keeps to itself:
a candidate that makes an image set anew does not find the test labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from nngpt_perfclf.local_training.packaged_sets import PACKAGED
from nngpt_perfclf.local_training.secret import secret_seed

SIZE = 32
TRAIN, TEST = 1024, 512
SHAPES = ("disc", "ring", "square", "frame", "diamond", "triangle", "cross", "stripes")


@dataclass(frozen=True)
class ImageSet:
    """Images are uint8 arrays (n, channels, 32, 32), labels int64 arrays (n,) with values below `classes`."""

    name: str
    classes: int
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def names() -> tuple[str, ...]:
    """The data sets that can be trained on without a further package."""
    return tuple(_DRAWN)


def every_name() -> tuple[str, ...]:
    """`names()`, and the data sets that need a package which brings their images."""
    return (*_DRAWN, *PACKAGED)


def load(name: str) -> ImageSet:
    """One of `every_name()`: 1,024 training and 512 test images. Raises PerfclfError where the seed of the test images
    is damaged, or the package that brings the images is not installed."""
    return drawn(name, secret_seed())


@cache
def drawn(name: str, seed: int) -> ImageSet:
    """The image set whose test images the `seed` chooses."""
    return _DRAWN[name](seed) if name in _DRAWN else _split(name, *PACKAGED[name](), seed)


def _digits(seed: int) -> ImageSet:
    """1,797 handwritten digits of 8 × 8 grey pixels in 0..16, each pixel enlarged to 4 × 4; the test images are some of
    those that are not trained on."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    grey = (images.reshape(-1, 1, 8, 8) * 255 / 16).astype(np.uint8)
    grey = grey.repeat(SIZE // 8, axis=2).repeat(SIZE // 8, axis=3)
    return _split("digits", grey, labels.astype(np.int64), seed)


def _split(name: str, images: np.ndarray, labels: np.ndarray, seed: int) -> ImageSet:
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:TRAIN], np.random.default_rng(seed).permutation(order[TRAIN:])[:TEST]
    return ImageSet(name, int(labels.max()) + 1, images[train], labels[train], images[test], labels[test])


def _shapes(seed: int) -> ImageSet:
    return ImageSet("shapes", len(SHAPES), *_drawn_shapes(TRAIN, 0), *_drawn_shapes(TEST, seed))


def _drawn_shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight shapes, one on an image, of random place, size and light colour on a dark background, under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(SHAPES), size=count)
    centre = rng.uniform(11, SIZE - 11, size=(2, count, 1, 1))
    radius = rng.uniform(5, 10, size=(count, 1, 1))
    y, x = np.mgrid[:SIZE, :SIZE]
    y, x = (y - centre[0]) / radius, (x - centre[1]) / radius
    inside = np.choose(labels[:, None, None], _masks(x, y))
    paper, ink = rng.uniform(0, 110, size=(2, count, 3, 1, 1))
    ink += 145
    clean = np.where(inside[:, None], ink, paper)
    noisy = clean + rng.normal(0, 24, size=clean.shape)
    return noisy.clip(0, 255).astype(np.uint8), labels.astype(np.int64)


def _masks(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Where each of `SHAPES` has ink, in coordinates in which it reaches from -1 to 1."""
    round_, box, tilted = np.hypot(x, y), np.maximum(abs(x), abs(y)), abs(x) + abs(y)
    cross = (box < 1) & (np.minimum(abs(x), abs(y)) < 0.3)
    stripes = (box < 1) & (np.floor((y + 1) * 2.5) % 2 == 0)
    return [round_ < 1, (round_ < 1) & (round_ > 0.6), box < 0.9, (box < 0.9) & (box > 0.55), tilted < 1.1,
            (y < 0.9) & (y > 2 * abs(x) - 0.9), cross, stripes]


_DRAWN: dict[str, Callable[[int], ImageSet]] = {"digits": _digits, "shapes": _shapes}
