"""Where an adviser's files lie: its run folder, or the place of a pretrained one inside the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nngpt_perfclf import __version__
from nngpt_perfclf.advice.answer_cache import AnswerCache
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.types import PerfclfError

PRETRAINED = Path(__file__).parent / "pretrained"
LANGUAGE_NAME, LANGUAGE = "pretrained", "language"  # the language model's name and kind
_FILES_OF_ANSWERS = (".safetensors", ".npz", ".json")


def folder_of(config: Config, name: str) -> Path:
    """The run folder that `config.adviser` names; for the spec's own `name`, the pretrained one in the package.

    Raises PerfclfError where the package has none.
    """
    if config.adviser != name:
        return Path(config.adviser)
    folder = pretrained_folder(name)
    if folder is None:
        raise PerfclfError(f"no pretrained adviser {name} in this package: train one, or install the package again")
    return folder


def pretrained_folder(name: str) -> Path | None:
    """Where the package keeps the files of the adviser called `name`; None if it needs none."""
    folder = PRETRAINED / (LANGUAGE if name == LANGUAGE_NAME else name)
    return folder if folder.is_dir() else None


def check_held_out(name: str, part: str) -> None:
    """Raise PerfclfError where the adviser `name`, a registered one or a run folder, learned from the part of the split
    that is to measure or calibrate it."""
    folder = Path(name) if Path(name).is_dir() else pretrained_folder(name)
    learned = folder is not None and RunFolder(folder).manifest.get("config", {}).get("train", {}).get("folds")
    if learned and part == "validation":
        raise PerfclfError(f"{name} learned from the validation part (train.folds={learned}): use the test part, or an "
                           "adviser that was trained with train.folds=null")


def common(config: Config) -> dict:
    """What every adviser is made with besides its files, by the names of `Adviser`'s fields."""
    return {"datasets": dataset_properties(config.datasets), "confidence": config.advice.confidence}


def cache_of(folder: Path, config: Config, computed_with: str = "") -> AnswerCache | None:
    """Where the answers of a run folder's adviser are kept: one file for every adapter and label, and for what it is
    `computed_with` (precision and machine), since the last bits of an answer depend on it."""
    if not config.advice.answer_cache:
        return None
    content = digest_of(folder, config)
    content.update(computed_with.encode())
    return AnswerCache(content.hexdigest()[:32])


def digest_of(folder: Path | None, config: Config) -> hashlib._Hash:
    """A digest of everything that decides an adviser's answers: the files of its run folder (None: it has none), the
    label, the datasets, whether networks are profiled, the configured precision."""
    settings = f"{__version__} {config.label} {config.datasets} {config.advice.profile} {config.train.precision}"
    content = hashlib.sha256(settings.encode())
    files = folder.rglob("*") if folder else ()
    for file in sorted(file for file in files if file.is_file() and file.suffix in _FILES_OF_ANSWERS):
        if "checkpoints" not in file.parts:
            with file.open("rb") as opened:
                content.update(hashlib.file_digest(opened, "sha256").digest())
    return content
