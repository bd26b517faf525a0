"""LEMUR's files: results in `stat/train/<task>_<dataset>_<metric>_<nn>/<epoch>.json`, codes in `nn/<nn>.py`."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nngpt_perfclf.console import progress
from nngpt_perfclf.corpus.records import Reading, Records, decoded, is_code, joined
from nngpt_perfclf.types import PerfclfError

_READERS = 4  # threads that read; more of them are not faster
_FOLDERS_AT_ONCE = 200


def state(root: Path) -> str:
    """Hex digest of the names of all run folders and the number, sizes and modification times of their files.

    The files are checked, not only the folders, since writing into a file does not change its folder's time: 115,000
    files in about half a second.
    """
    folders = [*_run_folders(root), str(root / "nn")]
    digest = hashlib.blake2b(str(root).encode(), digest_size=16)
    for folder, stamp in zip(folders, _stamps(folders), strict=True):
        digest.update(f"{folder} {stamp}".encode())
    return digest.hexdigest()


def read(root: Path) -> Reading:
    """All trials and codes below `root`. Damaged files are skipped and named; an empty tree raises PerfclfError."""
    folders = _run_folders(root)
    if not folders:
        raise PerfclfError(f"{root / 'stat' / 'train'} holds no results")
    parts = [folders[start:start + _FOLDERS_AT_ONCE] for start in range(0, len(folders), _FOLDERS_AT_ONCE)]
    chunks = []
    with progress() as bar, ThreadPoolExecutor(_READERS) as pool:
        reading = bar.add_task("reading LEMUR's results", total=len(folders))
        for part, chunk in zip(parts, pool.map(_read_runs, parts), strict=True):
            chunks.append(chunk)
            bar.advance(reading, len(part))
        codes, damaged = _read_codes(root / "nn", pool)
    return joined(chunks, codes, damaged)


def _read_runs(folders: list[str]) -> Records:
    chunk = Records()
    for folder in folders:
        chunk.add_run(os.path.basename(folder), os.listdir(folder),
                      lambda file, folder=folder: _content(f"{folder}/{file}"))
    return chunk


def _read_codes(folder: Path, pool: ThreadPoolExecutor) -> tuple[dict[str, str], list[str]]:
    files = sorted(file for file in os.listdir(folder) if is_code(file))
    contents = dict(zip(files, pool.map(_content, (f"{folder}/{file}" for file in files)), strict=True))
    return decoded(files, contents.__getitem__)


def _run_folders(root: Path) -> list[str]:
    with os.scandir(root / "stat" / "train") as entries:
        return sorted(entry.path for entry in entries if entry.is_dir())


def _stamps(folders: Iterable[str]) -> list[tuple[int, int, int, int]]:
    """For each folder: its modification time (which changes when files are renamed), the number of its files, and the
    sums of their sizes and modification times."""
    stamps = []
    for folder in folders:
        count = size = changed = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == "__pycache__":
                    continue  # changes when a network is imported
                status = entry.stat()
                count += 1
                size += status.st_size
                changed += status.st_mtime_ns
        stamps.append((os.stat(folder).st_mtime_ns, count, size, changed))
    return stamps


def _content(path: str) -> bytes:
    # Faster than open(), which makes three objects for each of 105,447 files.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
