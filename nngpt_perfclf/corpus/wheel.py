"""LEMUR's files inside nn-dataset's wheel, read without unpacking (118,000 small files, 628 MB)."""

import hashlib
import zlib
from collections import defaultdict
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from nngpt_perfclf.console import progress
from nngpt_perfclf.corpus.records import Reading, Records, decoded, is_code, joined
from nngpt_perfclf.types import PerfclfError

_RESULTS = "ab/nn/stat/train/"
_CODES = "ab/nn/nn/"


def state(file: Path) -> str:
    """Hex digest of the wheel's path, size and modification time."""
    status = file.stat()
    return hashlib.blake2b(f"{file} {status.st_size} {status.st_mtime_ns}".encode(), digest_size=16).hexdigest()


def read(file: Path) -> Reading:
    """All trials and codes of the wheel, the same as of its unpacked files.

    Raises PerfclfError for a file that is not a complete wheel or has no results.
    """
    try:
        with ZipFile(file) as archive, progress() as bar:
            runs, codes = _listed(archive)
            if not runs:
                raise PerfclfError(f"{file} carries no results")
            records = Records()
            for name in bar.track(sorted(runs), description="reading LEMUR's results"):
                records.add_run(name, runs[name],
                                lambda entry, name=name: _content(archive, f"{_RESULTS}{name}/{entry}"))
            return joined([records], *decoded(codes, lambda entry: _content(archive, f"{_CODES}{entry}")))
    except BadZipFile as error:
        raise PerfclfError(f"{file} is not a whole wheel ({error}): fetch it again") from error


def _listed(archive: ZipFile) -> tuple[dict[str, list[str]], list[str]]:
    """The files of each run, and the files of codes."""
    runs, codes = defaultdict(list), []
    for entry in archive.namelist():
        if entry.startswith(_RESULTS):
            run, _, name = entry.removeprefix(_RESULTS).partition("/")
            if name:
                runs[run].append(name)
        elif entry.startswith(_CODES) and "/" not in (name := entry.removeprefix(_CODES)) and is_code(name):
            codes.append(name)
    return runs, sorted(codes)


def _content(archive: ZipFile, entry: str) -> bytes:
    try:
        return archive.read(entry)
    except (BadZipFile, zlib.error) as error:
        raise ValueError(f"damaged in the wheel ({error})") from error
