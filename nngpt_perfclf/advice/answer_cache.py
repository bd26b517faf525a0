"""Answers kept on disk, so that no adviser computes the same answer twice: one SQLite file for each adviser."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from nngpt_perfclf.config import home
from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.types import Question

TABLE = "checked_answers"  # other versions kept theirs in `answers`, without checksums
_WAIT = 30.0  # seconds for another process's writing


class AnswerCache:
    """Evidence (k log-odds) by (`fingerprint` of the adviser, question). Several processes may share it."""

    def __init__(self, fingerprint: str, folder: Path | None = None):
        self.file = (folder or home() / "advice") / f"{fingerprint}.sqlite"
        self._store = KeyValueStore(self.file, TABLE, "question", {"evidence": "TEXT"}, _WAIT)

    def read(self, questions: Sequence[Question]) -> dict[Question, list[float]]:
        """The evidence about those of the questions that were answered before; NaN: no opinion."""
        keys = {_key(question): question for question in questions}
        return {keys[key]: self._evidence(key, value) for key, (value,) in self._store.read(list(keys)).items()}

    def write(self, answers: Mapping[Question, Sequence[float]]) -> None:
        """Keep this evidence; an answer that is known already stays."""
        rows = [(key := _key(question), _packed(key, values)) for question, values in answers.items()]
        self._store.write(rows, replace=False)

    def _evidence(self, key: str, value: object) -> list[float]:
        try:
            values = json.loads(str(value).partition(" ")[2])
        except ValueError:
            values = None
        if values is None or _packed(key, values) != value:
            raise self._store.damaged("an answer has another checksum")
        return values


def _packed(key: str, values: Sequence[float]) -> str:
    """The evidence about one question with a checksum of both."""
    text = json.dumps(list(values))
    return f"{zlib.crc32(f'{key} {text}'.encode()):08x} {text}"


def _key(question: Question) -> str:
    return hashlib.sha256(repr(astuple(question)).encode("utf-8", "surrogatepass")).hexdigest()
