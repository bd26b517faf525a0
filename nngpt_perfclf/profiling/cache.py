"""Profiles kept on disk: one SQLite file for all networks, which several processes may share."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nngpt_perfclf.config import home
from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.profiling.checking import read_answer
from nngpt_perfclf.profiling.pool import Answer, Task
from nngpt_perfclf.profiling.types import Structure

FORMAT = 4  # to be raised whenever a profile of the same network would come out otherwise
TABLE = "kept_profiles"  # other versions kept theirs in `profiles`, without checksums


class ProfileCache:
    """Answers by task; those of another FORMAT or PyTorch are not found, nor those of code that names torchvision or
    einops under another version of it.

    The recipe is no part of a task: one build answers for all recipes (`settings`).
    """

    def __init__(self, file: Path | None = None):
        columns = {"seconds": "REAL", "answer": "BLOB"}
        self._store = KeyValueStore(file or home() / "profiles.sqlite", TABLE, "task", columns, wait=60.0)

    def read(self, tasks: Sequence[Task]) -> dict[Task, Answer]:
        """What is known of the tasks. That a package was missing is not: it may be installed by now."""
        keys = {key_of(task): task for task in tasks}
        answers = {keys[key]: _unpacked(*row) for key, row in self._store.read(list(keys)).items()}
        return {task: answer for task, answer in answers.items() if not answer.reason.startswith("ModuleNotFoundError")}

    def write(self, answers: Mapping[Task, Answer]) -> None:
        """Keep these answers, in place of older ones."""
        rows = [(key_of(task), answer.seconds, _packed(answer)) for task, answer in answers.items()]
        self._store.write(rows, replace=True)


def key_of(task: Task) -> str:
    """Hex digest of the code, the shapes, and the versions that a profile depends on."""
    torchvision = _installed("torchvision") if "torchvision" in task.code else "none"
    einops = f" einops {_installed('einops')}" if "einops" in task.code else ""
    versions = f"torch {_installed('torch')} torchvision {torchvision}{einops}"
    digest = hashlib.sha256(f"{FORMAT} {versions} {astuple(task.shapes)}\0".encode())
    digest.update(task.code.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@cache
def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _packed(answer: Answer) -> bytes:
    """As JSON, compressed."""
    plain = {"stage": answer.stage, "reason": answer.reason, "timed_out": answer.timed_out}
    if answer.structure is not None:
        structure = asdict(answer.structure)
        structure["layers"] = [list(layer.values()) for layer in structure["layers"]]
        plain["structure"] = {**structure, "status": "built"}
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode())


def _unpacked(seconds: float, packed: bytes) -> Answer:
    plain = json.loads(zlib.decompress(packed))
    structure = plain.pop("structure", None)
    if structure is not None:
        structure = read_answer(json.dumps(structure).encode())
    return Answer(seconds, structure if isinstance(structure, Structure) else None, **plain)
