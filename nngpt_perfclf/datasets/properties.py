"""Properties of each image dataset that are known before training; a user's file adds datasets."""

import re
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from nngpt_perfclf.files import read_yaml
from nngpt_perfclf.types import PerfclfError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class DatasetProperties:
    """`images`: of the training part; `size`: side of an image in pixels; `channels`; `classes`."""

    images: int
    size: int
    channels: int
    classes: int


def dataset_properties(extra_file: str | Path | None = None) -> dict[str, DatasetProperties]:
    """The properties by dataset name: those of LEMUR's seven, then those of `extra_file` (YAML of the same form).

    Raises PerfclfError for a missing or malformed file, an invalid name, and a dataset that is defined already.
    """
    built_in = dict(_read(Path(__file__).parent / "properties.yaml"))
    if extra_file is None:
        return built_in
    extra = _read(Path(extra_file))
    if twice := sorted(built_in.keys() & extra.keys()):
        raise PerfclfError(f"{extra_file}: {', '.join(twice)} already known; give the dataset another name")
    return built_in | extra


def check_name(name: str) -> None:
    """Raise PerfclfError for what is no dataset's name."""
    if not _NAME.fullmatch(name):
        raise PerfclfError(f"{name!r} is no dataset name; use letters, digits, '.', '-' and '_', at most 64")


@lru_cache(maxsize=16)
def _read_once(path: Path, changed: int) -> dict[str, DatasetProperties]:
    return {str(name): _properties(path, str(name), entry)
            for name, entry in read_yaml(path, "file of datasets").items()}


def _read(path: Path) -> dict[str, DatasetProperties]:
    if not path.is_file():
        raise PerfclfError(f"no file of datasets {path}")
    return _read_once(path, path.stat().st_mtime_ns)


def _properties(path: Path, name: str, entry: object) -> DatasetProperties:
    names = [field.name for field in fields(DatasetProperties)]
    try:
        check_name(name)
    except PerfclfError as error:
        raise PerfclfError(f"{path}: {error}") from error
    if not isinstance(entry, dict) or sorted(entry) != sorted(names):
        raise PerfclfError(f"{path}: {name} needs exactly {', '.join(names)}")
    if not all(type(value) is int and value > 0 for value in entry.values()):
        raise PerfclfError(f"{path}: the properties of {name} must be positive whole numbers")
    return DatasetProperties(**entry)
