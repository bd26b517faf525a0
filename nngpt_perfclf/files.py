"""Files: written whole or not at all, and read as what they should be or refused in one clear line."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf import checksums
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# What numpy raises for an .npz file with a flipped byte, depending on where it is.
_DAMAGED = (OSError, EOFError, LookupError, ValueError, TypeError, SyntaxError, MemoryError, RuntimeError, struct.error,
            zipfile.BadZipFile, zlib.error)

_MOST_BRACKETS = 5000


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """No other process that asks for this file or folder goes on meanwhile; a killed one holds nothing. A folder is
    made. Raises PerfclfError where another process is at work."""
    if not place.exists():
        place.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PerfclfError(f"another process is at work in {place}: wait for it, or name another out=") from error
        yield
    finally:
        os.close(handle)


def torn(file: Path) -> bool:
    """Whether an SQLite file was cut off inside a page, which SQLite itself reads as zeros."""
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(18)[16:], "big")
    return file.stat().st_size % (size if size > 1 else 65536) != 0


def found_above(folder: Path, name: str) -> Path:
    """The file called `name` in the folder, or in the nearest of the two above it that has one, where pretrained
    advisers keep what they share; the folder's own where none has it."""
    places = [folder / name, *(above / name for above in list(folder.parents)[:2])]
    return next((place for place in places if place.is_file()), places[0])


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A path next to `file` to write to. It becomes `file` when the block ends and is removed when it fails: a reader
    finds the old content or the new one. Its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        yield new
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def read_yaml(file: Path, what: str) -> dict:
    """The keys and values of a YAML file. `what` it is, in the PerfclfError for a file that is missing or none."""
    import yaml

    if not file.is_file():
        raise PerfclfError(f"no {what} {file}")
    fastest = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = file.read_text(encoding="utf-8")
        if text.count("[") + text.count("{") > _MOST_BRACKETS:  # libyaml's recursion would end the process
            raise PerfclfError(f"{what} {file} has more brackets than any configuration needs")
        content = yaml.load(text, fastest)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PerfclfError(f"{what} {file} is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise PerfclfError(f"{what} {file} must hold keys and values, not a {type(content).__name__}")
    return content


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all."""
    with whole(path) as new:
        new.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON object; raises PerfclfError where the file is missing or damaged."""
    checksums.check(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PerfclfError(f"no {path.name} in {path.parent}: is it a run folder?") from error
    except (ValueError, RecursionError) as error:
        raise PerfclfError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise PerfclfError(f"{path} must hold a JSON object")
    return content


def write_arrays(path: Path, **arrays: np.ndarray | int) -> None:
    """Write plain arrays to a compressed .npz file, whole or not at all."""
    import numpy as np

    with whole(path) as new, new.open("wb") as file:
        np.savez_compressed(file, **arrays)


@contextmanager
def read_arrays(path: Path, what: str) -> Iterator[np.lib.npyio.NpzFile]:
    """The plain arrays of an .npz file by name. `what` it is, in the PerfclfError for a file that is missing, damaged
    or refused by the block with a KeyError or ValueError."""
    import numpy as np

    if not path.is_file():
        raise PerfclfError(f"no {what} {path}")
    checksums.check(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            yield arrays
    except PerfclfError:
        raise
    except _DAMAGED as error:
        raise PerfclfError(f"{what} {path} is damaged: {error}") from error


def write_parquet(table: pd.DataFrame, file: Path, compression: str = "snappy") -> None:
    """Write a table whole or not at all, each page with its checksum."""
    with whole(file) as new:
        table.to_parquet(new, compression=compression, index=False, write_page_checksum=True)


def read_parquet(file: Path, what: str, needed: Iterable[str] = ()) -> pd.DataFrame:
    """A table that this package wrote. `what` it is, in the PerfclfError for a file that is missing, damaged or without
    the `needed` columns."""
    import pandas as pd

    checksums.check(file)
    try:
        table = pd.read_parquet(file, page_checksum_verification=True)
    except (OSError, ValueError, TypeError, LookupError, MemoryError, NotImplementedError) as error:
        raise PerfclfError(f"{what} {file} is damaged, delete it: {str(error).splitlines()[0]}") from error
    if missing := sorted(set(needed) - set(table.columns)):
        raise PerfclfError(f"{what} {file} is another table: no column {', '.join(missing)}")
    return table
