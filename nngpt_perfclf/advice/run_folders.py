"""Where an adviser's files lie: its run folder, or the place of a pretrained one inside the package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf import __version__
from nngpt_perfclf.config import Config, home, to_dict
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.files import read_json
from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.run_folder import DONE, RunFolder, manifest
from nngpt_perfclf.types import PerfclfError, Question, Recipe

if TYPE_CHECKING:
    from nngpt_perfclf.tasks import TaskData

PRETRAINED = Path(__file__).parent / "pretrained"
LANGUAGE_NAME, LANGUAGE = "pretrained", "language"  # the language model's name and kind
ANCHORS = PRETRAINED / "anchors.json"
_FILES_OF_ANSWERS = (".safetensors", ".npz", ".json")
TABLE = "kept_answers"  # other versions kept theirs in `answers` and `checked_answers`


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


def load_anchors() -> dict[str, Recipe]:
    """Each recorded dataset's anchor recipe, that of its median training trial, as it travels with the package. Raises
    PerfclfError where the file is missing or damaged."""
    try:
        return {dataset: Recipe(**recipe) for dataset, recipe in read_json(ANCHORS).items()}
    except TypeError as error:
        raise PerfclfError(f"{ANCHORS} holds no recipes: {error}") from error


def leave_manifest(kind: str, data: TaskData, out: Path, result: dict, **more: object) -> dict:
    """Write the manifest of a finished training of an adviser of this `kind` into `out`; the folder and `result`."""
    RunFolder(out).note(manifest(kind, to_dict(data.config), data.fingerprint, status=DONE, result=result, **more))
    return {"run": str(out), **result}


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
    """A digest of everything that decides an adviser's answers: the files of its run folder (None: it has none) and
    those that pretrained advisers share, the label, the datasets, whether networks are profiled, the configured
    precision."""
    settings = f"{__version__} {config.label} {config.datasets} {config.advice.profile} {config.train.precision}"
    content = hashlib.sha256(settings.encode())
    files = (*PRETRAINED.glob("*"), *(folder.rglob("*") if folder else ()))
    for file in sorted(file for file in files if file.is_file() and file.suffix in _FILES_OF_ANSWERS):
        if "checkpoints" not in file.parts:
            with file.open("rb") as opened:
                content.update(hashlib.file_digest(opened, "sha256").digest())
    return content


class AnswerCache:
    """Evidence (k log-odds) by (`fingerprint` of the adviser, question). Several processes may share it."""

    def __init__(self, fingerprint: str, folder: Path | None = None):
        self.file = (folder or home() / "advice") / f"{fingerprint}.sqlite"
        self._store = KeyValueStore(self.file, TABLE, "question", {"evidence": "TEXT"})

    def read(self, questions: Sequence[Question]) -> dict[Question, list[float]]:
        """The evidence about those of the questions that were answered before; NaN: no opinion."""
        keys = {_key(question): question for question in questions}
        return {keys[key]: json.loads(text) for key, (text,) in self._store.read(list(keys)).items()}

    def write(self, answers: Mapping[Question, Sequence[float]]) -> None:
        """Keep this evidence; an answer that is known already stays."""
        rows = [(_key(question), json.dumps(list(values))) for question, values in answers.items()]
        self._store.write(rows, replace=False)


def _key(question: Question) -> str:
    return hashlib.sha256(repr(astuple(question)).encode("utf-8", "surrogatepass")).hexdigest()
