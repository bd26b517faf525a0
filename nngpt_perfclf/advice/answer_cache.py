"""Answers kept on disk, so that no adviser computes the same answer twice: one SQLite file for each adviser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from nngpt_perfclf.config import home
from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.types import Question

TABLE = "kept_answers"  # other versions kept theirs in `answers` and `checked_answers`
_WAIT = 30.0  # seconds for another process's writing


class AnswerCache:
    """Evidence (k log-odds) by (`fingerprint` of the adviser, question). Several processes may share it."""

    def __init__(self, fingerprint: str, folder: Path | None = None):
        self.file = (folder or home() / "advice") / f"{fingerprint}.sqlite"
        self._store = KeyValueStore(self.file, TABLE, "question", {"evidence": "TEXT"}, _WAIT)

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
