"""Finding LEMUR: a given path, an installed nn-dataset, its wheel in the cache folder, a database in the working
directory.

nn-dataset is looked up by its files only: importing `ab.nn` would start to fill a database in the working directory.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nngpt_perfclf.config import home
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.corpus.reading import Reading

DATABASE = "ab.nn.db"
WHEELS = "nn_dataset-*.whl"


def how_to_get() -> str:
    """What to type to get LEMUR."""
    return (f"get LEMUR with `pip download --no-deps nn-dataset==2.1.2 --dest {home() / 'wheels'}`, or give "
            "corpus.path=WHEEL_OR_FOLDER_OR_DATABASE")


class Source(Protocol):
    """Somewhere to read LEMUR from. `place` names it for people; `state` is hex, quickly found without
    reading it, and another one whenever a file in it is written, so that a cache knows when it is stale."""

    place: str

    @property
    def state(self) -> str: ...

    def read(self) -> Reading: ...


class FolderSource:
    """LEMUR's files: the folder `ab/nn` with results in `stat/train` and codes in `nn`."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self.place = str(self.root)

    @cached_property
    def state(self) -> str:
        from nngpt_perfclf.corpus.files import state

        return state(self.root)

    def read(self) -> Reading:
        from nngpt_perfclf.corpus.files import read_files

        return read_files(self.root)


class WheelSource:
    """LEMUR's files in the wheel that nn-dataset is published as."""

    def __init__(self, file: Path):
        self.file = file.resolve()
        self.place = str(self.file)

    @cached_property
    def state(self) -> str:
        from nngpt_perfclf.corpus.wheel import state

        return state(self.file)

    def read(self) -> Reading:
        from nngpt_perfclf.corpus.wheel import read_wheel

        return read_wheel(self.file)


class DatabaseSource:
    """LEMUR's SQLite database, as nn-dataset fills it."""

    def __init__(self, file: Path):
        self.file = file.resolve()
        self.place = str(self.file)

    @cached_property
    def state(self) -> str:
        from nngpt_perfclf.corpus.database import state

        return state(self.file)

    def read(self) -> Reading:
        from nngpt_perfclf.corpus.database import read_database

        return read_database(self.file)


def find_source(path: str | None) -> Source:
    """The LEMUR at `path`, or without one the first that is found. Raises PerfclfError, saying how to get it."""
    if path is not None:
        return _given(Path(path).expanduser())
    for root in _installed():
        if _holds_results(root):
            return FolderSource(root)
    if wheel := _newest_wheel():
        return WheelSource(wheel)
    for file in (Path(DATABASE), Path("db") / DATABASE):
        if file.is_file():
            return DatabaseSource(file)
    raise PerfclfError(f"no LEMUR found{_bare_installation()}: {how_to_get()}")


def _given(path: Path) -> Source:
    if path.is_file():
        return WheelSource(path) if path.suffix == ".whl" else DatabaseSource(path)
    if not path.is_dir():
        raise PerfclfError(f"corpus.path: no folder or file {path}; {how_to_get()}")
    # What people call "the LEMUR folder": ab/nn itself, what it lies in, or one of the folders inside it.
    for root in (path, path / "nn", path / "ab" / "nn", path.parent, path.parent.parent):
        if _holds_results(root):
            return FolderSource(root)
    for file in (path / DATABASE, path / "db" / DATABASE):
        if file.is_file():
            return DatabaseSource(file)
    raise PerfclfError(f"corpus.path: {path} holds neither stat/train beside a folder nn of codes nor {DATABASE}; "
                       f"{how_to_get()}")


def _holds_results(root: Path) -> bool:
    return (root / "stat" / "train").is_dir() and (root / "nn").is_dir()


def _installed() -> list[Path]:
    """Folders where an installed nn-dataset may keep its files, found without importing any of it."""
    folders = []
    with suppress(importlib.metadata.PackageNotFoundError):  # an unpacked copy on the import path has no metadata
        folders.append(Path(importlib.metadata.distribution("nn-dataset").locate_file("ab")))
    package = importlib.util.find_spec("ab")  # a top-level name: nothing is imported
    if package is not None:
        folders += map(Path, package.submodule_search_locations or ())
    return [folder / "nn" for folder in folders]


def _newest_wheel() -> Path | None:
    """nn-dataset's wheel of the highest version that the cache folder holds."""
    wheels = list((home() / "wheels").glob(WHEELS))
    if len(wheels) < 2:
        return wheels[0] if wheels else None
    from packaging.utils import parse_wheel_filename

    return max(wheels, key=lambda wheel: parse_wheel_filename(wheel.name)[1])


def _bare_installation() -> str:
    try:
        version = importlib.metadata.version("nn-dataset")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return f" (the installed nn-dataset {version} carries no results)"
