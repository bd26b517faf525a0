"""Which adviser a name or a run folder stands for."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf import __version__
from nngpt_perfclf.advice.answer_cache import Memory
from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.baselines import AlwaysFirst, NullAdviser, PriorAdviser
from nngpt_perfclf.advice.calibration import Calibration, load_calibration
from nngpt_perfclf.advice.prior import load_prior
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.record import read_json
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from collections.abc import Callable

SHIPPED = Path(__file__).parent / "shipped"
READING_NOTHING = {"prior": PriorAdviser, "null": NullAdviser, "always-first": AlwaysFirst}
FOLDERS = {"shipped": "language", "pairwise": "pairwise", "strength": "strength", "stack": "stack"}
_TELLING = (".safetensors", ".npz", ".txt", ".gz", ".json")
ZERO_SHOT = "zero-shot"  # the base model of the configuration, as it is
STACK = "stack.json"
NAMES = (*FOLDERS, *READING_NOTHING, ZERO_SHOT)
LEARNED_NOTHING = (*READING_NOTHING, ZERO_SHOT)


def load_advisor(folder_or_name: str | Path, config: Config | None = None) -> Adviser:
    """The adviser of a run folder, or by name; `config` says label, confidence, further datasets and memory.

    Raises PerfclfError for an unknown name, and for a run folder that is not complete or not of an adviser.
    """
    config = config or load_config()
    name = str(folder_or_name)
    if name in READING_NOTHING:
        return READING_NOTHING[name](name=name, **common(SHIPPED, config))
    if name == ZERO_SHOT:
        from nngpt_perfclf.advice.language import LanguageAdviser

        return LanguageAdviser.untrained(config)
    folder = folder_of(folder_or_name)
    kind = read_json(folder / "run.json").get("kind")
    loaders = _loaders()
    if kind not in loaders:
        raise PerfclfError(f"{folder} holds a run of kind {kind!r}, not an adviser ({', '.join(loaders)})")
    return loaders[kind](folder, config)


def folder_of(folder_or_name: str | Path) -> Path:
    """The run folder that a name or path stands for; for an adviser that learned nothing, where its prior is kept."""
    name = str(folder_or_name)
    if name in LEARNED_NOTHING:
        return SHIPPED
    if name in FOLDERS:
        return SHIPPED / FOLDERS[name]
    if Path(name).is_dir():
        return Path(name)
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    raise PerfclfError(f"no adviser {name!r}{hint} known: {', '.join(NAMES)}, or a run folder")


def common(folder: Path, config: Config) -> dict:
    """What every adviser of a run folder is made with, by the names of `Adviser`'s fields."""
    return {"prior": load_prior(folder / "prior.json", config.label), "known": dataset_properties(config.datasets),
            "confidence": config.advice.confidence}


def calibration_of(folder: Path, config: Config) -> Calibration:
    """The calibration that was stored with a trained adviser."""
    return load_calibration(folder / "calibration.json", config.label)


def identity_of(folder_or_name: str | Path, config: Config) -> str:
    """A name with a digest of all that decides the answers (files, those of a stack's parts, label, datasets): another
    adapter in the same folder, or under the same name, is another adviser."""
    return f"{folder_or_name}@{_digest(folder_or_name, config).hexdigest()[:12]}"


def memory_of(folder: Path, config: Config) -> Memory | None:
    """Where the answers of a run folder's adviser are kept: a place of their own for every adapter and label."""
    if not config.advice.answer_cache:
        return None
    return Memory(_digest(folder, config).hexdigest()[:32])


def _digest(folder_or_name: str | Path, config: Config) -> hashlib._Hash:
    content = hashlib.sha256(f"{__version__} {config.label} {config.datasets}".encode())
    folder = folder_of(folder_or_name)
    files = [folder / "prior.json"] if folder_or_name in LEARNED_NOTHING else folder.rglob("*")
    for file in sorted(file for file in files if file.is_file() and file.suffix in _TELLING):
        if "checkpoints" not in file.parts:
            with file.open("rb") as opened:
                content.update(hashlib.file_digest(opened, "sha256").digest())
    if (folder / STACK).is_file():
        for part in read_json(folder / STACK).get(config.label, {}):
            content.update(_digest(place_of(part, folder), config).digest())
    return content


def place_of(part: str, folder: Path) -> str | Path:
    """The name or run folder of a stack's part, which stands as seen from the stack's own folder."""
    return part if part in NAMES else folder / part


def _loaders() -> dict[str, Callable[[Path, Config], Adviser]]:
    """How each kind of run folder is opened; imported here since some need heavy libraries."""

    def language(folder: Path, config: Config) -> Adviser:
        from nngpt_perfclf.advice.language import LanguageAdviser

        return LanguageAdviser.load(folder, config)

    def pairwise(folder: Path, config: Config) -> Adviser:
        from nngpt_perfclf.advice.pairwise import PairwiseAdviser

        return PairwiseAdviser.load(folder, config)

    def strength(folder: Path, config: Config) -> Adviser:
        from nngpt_perfclf.advice.pointwise import PointwiseAdviser

        return PointwiseAdviser.load(folder, config)

    def stack(folder: Path, config: Config) -> Adviser:
        from nngpt_perfclf.advice.stack import StackAdviser

        return StackAdviser.load(folder, config)

    return {"language": language, "pairwise": pairwise, "strength": strength, "stack": stack}
