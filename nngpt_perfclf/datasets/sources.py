"""The verb `dataset`: the properties of a user's own dataset, from a folder with a sub-folder a class, an .npz file, or
a dataset of torchvision."""

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nngpt_perfclf.config import Config
from nngpt_perfclf.config.loading import home
from nngpt_perfclf.datasets.properties import DatasetProperties, check_name, dataset_properties
from nngpt_perfclf.files import read_arrays, whole
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.types import PerfclfError

TORCHVISION = "torchvision:"
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SAMPLE = 500  # images whose size and channels are read
# Names of the arrays of an .npz file, the preferred ones first.
IMAGES = ("train_images", "x_train", "images", "x", "data", "arr_0")
LABELS = ("train_labels", "y_train", "labels", "y", "target", "arr_1")
_CHANNELS = (1, 3, 4)
_GREY = ("1", "L", "I", "I;16", "F")


def properties_of(source: str, cache: Path) -> DatasetProperties:
    """The properties of the training part of `source`: FOLDER, FILE.npz or torchvision:NAME, which is downloaded into
    the folder `cache`.

    `size` is the median of the images' shorter sides. Raises PerfclfError for whatever holds no labelled images.
    """
    if source.startswith(TORCHVISION):
        return _of_torchvision(source.removeprefix(TORCHVISION), cache)
    path = Path(source)
    if path.is_dir():
        return _of_folder(path / "train" if (path / "train").is_dir() else path)
    if path.suffix == ".npz":
        return _of_arrays(path)
    raise PerfclfError(f"{source} is no folder of images, .npz file or torchvision:NAME")


def _of_folder(folder: Path) -> DatasetProperties:
    counts, files = Counter(), []
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file() and file.parent != folder:
            counts[file.relative_to(folder).parts[0]] += 1
            files.append(file)
    if not files:
        raise PerfclfError(f"{folder} holds no images in a sub-folder for each class ({', '.join(SUFFIXES)})")
    return _checked(folder, len(files), [_shape_of(file) for file in _spread(files)], len(counts))


def _of_arrays(file: Path) -> DatasetProperties:
    with read_arrays(file, "file of images") as arrays:
        names = [next((name for name in wanted if name in arrays), None) for wanted in (IMAGES, LABELS)]
        if None in names:
            raise PerfclfError(f"{file} holds {', '.join(arrays) or 'nothing'}: name the images one of "
                               f"{', '.join(IMAGES)} and the labels one of {', '.join(LABELS)}")
        images, labels = (arrays[name] for name in names)
    if labels.shape != images.shape[:1]:
        raise PerfclfError(f"{file}: {names[1]} must hold one label for each of the {len(images):,} images, not an "
                           f"array of shape {labels.shape}")
    return _checked(file, len(images), [_shape_of_array(file, images)], len(set(labels.tolist())))


def _of_torchvision(name: str, cache: Path) -> DatasetProperties:
    try:
        from torchvision import datasets
    except ModuleNotFoundError as error:
        raise PerfclfError("torchvision:NAME needs torchvision, which is not installed: pip install torchvision, the "
                           "build that fits the installed torch") from error
    names = {listed.lower(): listed for listed in getattr(datasets, "__all__", dir(datasets))}
    if name.lower() not in names:
        raise PerfclfError(f"torchvision has no dataset {name!r}{did_you_mean(name, names.values()) or ''}")
    kind = getattr(datasets, names[name.lower()])
    takes = inspect.signature(kind).parameters
    wanted = {"train": True, "split": "train", "image_set": "train", "download": True}
    found = kind(str(cache), **{key: value for key, value in wanted.items() if key in takes})
    shapes, labels = [], set()
    for place in _spread(range(len(found))):
        image, label = found[place][:2]
        shapes.append(_shape_of_image(image))
        labels.add(int(label))
    return _checked(f"{TORCHVISION}{name}", len(found), shapes, len(getattr(found, "classes", labels)))


def _spread(entries: Sequence) -> Sequence:
    """At most `SAMPLE` of the entries, evenly over all."""
    step = -(-len(entries) // SAMPLE)
    return entries[::step]


def _shape_of(file: Path) -> tuple[int, int]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise PerfclfError("reading image files needs Pillow, which is not installed: pip install pillow") from error
    try:
        with Image.open(file) as image:
            return _shape_of_image(image)
    except (UnidentifiedImageError, OSError) as error:
        raise PerfclfError(f"{file} is no image: {error}") from error


def _shape_of_image(image) -> tuple[int, int]:
    """Shorter side and channels of an image of Pillow."""
    return min(image.size), 1 if image.mode in _GREY else 3


def _shape_of_array(file: Path, images: np.ndarray) -> tuple[int, int]:
    """Shorter side and channels of images (n, h, w), (n, h, w, c) or (n, c, h, w)."""
    if images.ndim == 3:
        return min(images.shape[1:]), 1
    if images.ndim == 4 and images.shape[3] in _CHANNELS:
        return min(images.shape[1:3]), min(images.shape[3], 3)
    if images.ndim == 4 and images.shape[1] in _CHANNELS:
        return min(images.shape[2:]), min(images.shape[1], 3)
    raise PerfclfError(f"{file}: images must have the shape (n, h, w), (n, h, w, c) or (n, c, h, w) with 1, 3 or 4 "
                       f"channels, not {images.shape}")


def _checked(source: object, images: int, shapes: Sequence[tuple[int, int]], classes: int) -> DatasetProperties:
    if images == 0 or classes < 2:
        raise PerfclfError(f"{source} has {images:,} images of {classes} classes: a dataset has two or more")
    sides = sorted(side for side, _ in shapes)
    return DatasetProperties(images, sides[len(sides) // 2], max(channels for _, channels in shapes), classes)


def command(config: Config, action: str, source: str, name: str | None = None) -> dict:
    """``dataset describe SOURCE --name NAME``: write the properties of SOURCE (FOLDER, FILE.npz or torchvision:NAME)
    as an entry of the YAML file `config.out` (default: NAME.yaml), which ``datasets=FILE`` gives to every verb.

    Raises PerfclfError for a missing, invalid or known name, and for a source without labelled images.
    """
    if action != "describe":
        raise PerfclfError(f"dataset {action}: say describe, as in: dataset describe images/ --name mine")
    if name is None:
        raise PerfclfError("name the dataset, as in: dataset describe images/ --name mine")
    check_name(name)
    out = Path(config.out or f"{name}.yaml")
    described = dataset_properties(out if out.is_file() else None)
    if name in described:
        raise PerfclfError(f"{name} is known already: give the dataset another name")
    found = properties_of(source, home() / "torchvision")
    before = out.read_text(encoding="utf-8") if out.is_file() else ""
    with whole(out) as new:
        new.write_text(f"{before}{'' if before.endswith(chr(10)) or not before else chr(10)}{entry(name, found)}\n",
                       encoding="utf-8")
    return {"name": name, **asdict(found), "out": str(out), "use": f"datasets={out}"}


def entry(name: str, properties: DatasetProperties) -> str:
    """The line of a YAML file of datasets."""
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in asdict(properties).items())}}}"
