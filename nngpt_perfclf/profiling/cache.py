"""Profiles kept on disk: one SQLite file for all networks, which several processes may share."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, astuple
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nngpt_perfclf.config import home
from nngpt_perfclf.profiling.checking import read_answer
from nngpt_perfclf.profiling.pool import Answer, Task
from nngpt_perfclf.profiling.types import Structure

FORMAT = 4  # to be raised whenever a profile of the same network would come out otherwise
_AT_ONCE = 500  # SQLite's limit on variables in one statement was 999 for long
_WAIT = 60.0  # seconds for another process's writing


class ProfileCache:
    """Answers by task; those of another FORMAT or PyTorch are not found, nor those of code that names torchvision under
    another version of it.

    The recipe is no part of a task: one build answers for all recipes (`settings`).
    """

    def __init__(self, file: Path | None = None):
        self.file = file or home() / "profiles.sqlite"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS profiles (task TEXT PRIMARY KEY, seconds REAL, answer BLOB)")

    def read(self, tasks: Sequence[Task]) -> dict[Task, Answer]:
        """What is known of the tasks. That a package was missing is not: it may be installed by now."""
        keys = {key_of(task): task for task in tasks}
        names, known = list(keys), {}
        with self._open() as database:
            for start in range(0, len(names), _AT_ONCE):
                batch = names[start:start + _AT_ONCE]
                rows = database.execute(
                    f"SELECT task, seconds, answer FROM profiles WHERE task IN ({','.join('?' * len(batch))})", batch)
                known |= {keys[name]: _unpacked(seconds, answer) for name, seconds, answer in rows}
        return {task: answer for task, answer in known.items() if not answer.reason.startswith("ModuleNotFoundError")}

    def write(self, answers: Mapping[Task, Answer]) -> None:
        """Keep these answers, in place of older ones."""
        rows = [(key_of(task), answer.seconds, _packed(answer)) for task, answer in answers.items()]
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO profiles VALUES (?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use: they must not be shared by threads or survive a fork."""
        with closing(sqlite3.connect(self.file, timeout=_WAIT)) as database, database:
            yield database


def key_of(task: Task) -> str:
    """Hex digest of the code, the shapes, and the versions that a profile depends on."""
    torchvision = _installed("torchvision") if "torchvision" in task.code else "none"
    versions = f"torch {_installed('torch')} torchvision {torchvision}"
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
