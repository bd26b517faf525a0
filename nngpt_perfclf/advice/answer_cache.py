"""Answers kept on disk, so that no adviser computes the same answer twice: one SQLite file for each adviser."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path

from nngpt_perfclf.config import home
from nngpt_perfclf.types import Question

_AT_ONCE = 500  # SQLite's limit on variables in one statement was 999 for long
_WAIT = 30.0  # seconds for another process's writing


class AnswerCache:
    """Evidence (k log-odds) by (`fingerprint` of the adviser, question). Several processes may share it."""

    def __init__(self, fingerprint: str, folder: Path | None = None):
        self.file = (folder or home() / "advice") / f"{fingerprint}.sqlite"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, evidence TEXT)")

    def read(self, questions: Sequence[Question]) -> dict[Question, list[float]]:
        """The evidence about those of the questions that were answered before; NaN: no opinion."""
        keys = {_key(question): question for question in questions}
        names, known = list(keys), {}
        with self._open() as database:
            for start in range(0, len(names), _AT_ONCE):
                batch = names[start:start + _AT_ONCE]
                rows = database.execute(
                    f"SELECT question, evidence FROM answers WHERE question IN ({','.join('?' * len(batch))})", batch)
                known |= {keys[key]: json.loads(value) for key, value in rows}
        return known

    def write(self, answers: Mapping[Question, Sequence[float]]) -> None:
        """Keep this evidence; an answer that is known already stays."""
        rows = [(_key(question), json.dumps(list(values))) for question, values in answers.items()]
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use: they must not be shared by threads or survive a fork."""
        with closing(sqlite3.connect(self.file, timeout=_WAIT)) as database, database:
            yield database


def _key(question: Question) -> str:
    return hashlib.sha256(repr(astuple(question)).encode("utf-8", "surrogatepass")).hexdigest()
