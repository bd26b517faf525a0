"""Finding LEMUR: a given path, an installed nn-dataset, its wheel in the cache folder, a database in the working
directory.

nn-dataset is looked up by its files only: importing `ab.nn` would start to fill a database in the working directory.
"""

import importlib.metadata
import importlib.util
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from nngpt_perfclf.config import home
from nngpt_perfclf.corpus import database, files
from nngpt_perfclf.corpus import wheel as wheels
from nngpt_perfclf.corpus.records import Reading
from nngpt_perfclf.types import PerfclfError

DATABASE = "ab.nn.db"
WHEELS = "nn_dataset-*.whl"


def how_to_get() -> str:
    """What to type to get LEMUR."""
    return (f"get LEMUR with `pip download --no-deps nn-dataset==2.1.2 --dest {home() / 'wheels'}`, or give "
            "corpus.path=WHEEL_OR_FOLDER_OR_DATABASE")


@dataclass(frozen=True)
class Source:
    """LEMUR in a folder `ab/nn`, a wheel or a database; `reader`: the module that reads it."""

    path: Path
    reader: ModuleType

    @property
    def place(self) -> str:
        """The absolute path."""
        return str(self.path.resolve())

    @cached_property
    def state(self) -> str:
        """A hex digest that changes whenever a file of the source is written, computed without reading the files."""
        return self.reader.state(self.path.resolve())

    def read(self) -> Reading:
        """All trials and codes."""
        return self.reader.read(self.path.resolve())


def find_source(path: str | None) -> Source:
    """The LEMUR at `path`, or without one the first that is found. Raises PerfclfError, saying how to get it."""
    if path is not None:
        return _given(Path(path).expanduser())
    for root in _installed():
        if _holds_results(root):
            return Source(root, files)
    if wheel := _newest_wheel():
        return Source(wheel, wheels)
    for file in (Path(DATABASE), Path("db") / DATABASE):
        if file.is_file():
            return Source(file, database)
    raise PerfclfError(f"no LEMUR found{_bare_installation()}: {how_to_get()}")


def _given(path: Path) -> Source:
    if path.is_file():
        return Source(path, wheels if path.suffix == ".whl" else database)
    if not path.is_dir():
        raise PerfclfError(f"corpus.path: no folder or file {path}; {how_to_get()}")
    # What people call "the LEMUR folder": ab/nn itself, what it lies in, or one of the folders inside it.
    for root in (path, path / "nn", path / "ab" / "nn", path.parent, path.parent.parent):
        if _holds_results(root):
            return Source(root, files)
    for file in (path / DATABASE, path / "db" / DATABASE):
        if file.is_file():
            return Source(file, database)
    raise PerfclfError(f"corpus.path: {path} holds neither stat/train next to a folder nn of codes nor {DATABASE}; "
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
