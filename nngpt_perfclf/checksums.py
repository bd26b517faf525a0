"""SHA-256 sums of a folder's files, beside them in the format of `sha256sum`: a changed file is refused by name."""

import hashlib
import re
from pathlib import Path

from nngpt_perfclf.types import PerfclfError

FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\0]+)")


def seal(folder: Path, suffixes: tuple[str, ...] = (".json", ".npz", ".safetensors", ".parquet")) -> None:
    """Write the sums of the files of these kinds in the folder and in each folder below it."""
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        files = sorted(path for path in place.iterdir() if path.is_file() and path.suffix in suffixes)
        if files:
            new = place / f".{FILE}.new"
            new.write_text("".join(f"{_sum(file)}  {file.name}\n" for file in files), encoding="utf-8")
            new.replace(place / FILE)


def unseal(folder: Path) -> None:
    """Forget the sums in the folder and below it: its files are about to change."""
    for file in (folder.rglob(FILE) if folder.is_dir() else ()):
        file.unlink()


def check(file: Path) -> None:
    """Raise PerfclfError where the sums beside `file` say that it was something else. A file without a sum passes."""
    sums = file.parent / FILE
    if not sums.is_file() or not file.is_file():
        return
    try:
        lines = [_LINE.fullmatch(line) for line in sums.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        lines = [None]
    if None in lines:
        raise PerfclfError(f"{sums} is damaged: it holds no SHA-256 sums")
    recorded = {found[2]: found[1] for found in lines}
    if file.name in recorded and recorded[file.name] != _sum(file):
        raise PerfclfError(f"{file} is damaged: its SHA-256 sum is not the one in {FILE}")


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
