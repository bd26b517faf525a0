"""A gate's memory: an SQLite file that receives every decision and every outcome, one transaction each.

Threads and processes may share it. A process that is killed loses at most the decision that it was writing.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf import databases
from nngpt_perfclf.gate.decision import Decision, key_of
from nngpt_perfclf.gate.quality import LOOKED_BACK, Quality
from nngpt_perfclf.gate.threshold import WINDOW
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe

BROKEN, UNDECIDED, FIRST, EXPLORED, SCORED = "broken", "undecided", "first", "explored", "scored"
WITH_SCORE = (FIRST, EXPLORED, SCORED)
_WITH_SCORE = f"kind IN {WITH_SCORE}"
_SCHEMA = f"""
CREATE TABLE stream (target TEXT PRIMARY KEY, balance REAL NOT NULL DEFAULT 0, hit_rate REAL, correlation REAL,
    warning TEXT NOT NULL DEFAULT '', row_sum INTEGER);
CREATE TABLE decision (id INTEGER PRIMARY KEY, target TEXT NOT NULL, candidate TEXT NOT NULL, name TEXT NOT NULL,
    adviser TEXT NOT NULL, kind TEXT NOT NULL, score REAL, tie REAL NOT NULL, threshold REAL, train INTEGER NOT NULL,
    reason TEXT NOT NULL, decided REAL NOT NULL, row_sum INTEGER, UNIQUE (target, candidate));
CREATE INDEX recent ON decision (target, adviser, id) WHERE {_WITH_SCORE};
CREATE TABLE outcome (number INTEGER PRIMARY KEY, target TEXT NOT NULL, candidate TEXT NOT NULL, name TEXT NOT NULL,
    code BLOB NOT NULL, recipe TEXT NOT NULL, accuracy REAL, epoch INTEGER NOT NULL, reported REAL NOT NULL,
    row_sum INTEGER, UNIQUE (target, candidate));
"""


@dataclass(frozen=True)
class Made:
    """A decision as it is recorded. `kind`: one of the constants above; `tie`: what orders it among equal scores."""

    candidate: Candidate
    decision: Decision
    kind: str
    tie: float


class Record:
    """The record in `file`; None: in memory, for this process alone. Raises PerfclfError for a file that is none."""

    def __init__(self, file: Path | None):
        self.file = file
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._open()

    def __getstate__(self) -> dict:
        self._check_movable()
        return {"file": self.file}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["file"])

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """No other thread or process decides or reports meanwhile; all of it is written, or nothing."""
        with self._lock, databases.named(self.file, "the gate's file"):
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def known(self, target: str, candidates: Sequence[Candidate]) -> dict[str, Decision]:
        """The decisions that were made on some of the candidates, by `key_of`."""
        found = {}
        for key in dict.fromkeys(map(key_of, candidates)):
            for train, score, threshold, reason in self._all(
                    "SELECT train, score, threshold, reason FROM decision WHERE target = ? AND candidate = ?",
                    target, key):
                found[key] = Decision(bool(train), score, threshold, reason)
        return found

    def recent(self, target: str, adviser: str) -> tuple[np.ndarray, np.ndarray, int]:
        """The latest scores by this adviser and their ties, oldest first, at most `WINDOW`; and how many of the last
        ones in a row were refused."""
        rows = self._all(f"SELECT score, tie, train FROM decision WHERE target = ? AND adviser = ? AND {_WITH_SCORE} "
                         "ORDER BY id DESC LIMIT ?", target, adviser, WINDOW)
        table = np.array(rows, float).reshape(-1, 3)
        refused = int(np.argmax(table[:, 2] > 0)) if table[:, 2].any() else len(table)
        return table[::-1, 0], table[::-1, 1], refused

    def balance(self, target: str) -> float:
        """How many candidates fewer than the wanted share were let through for their scores."""
        rows = self._all("SELECT balance FROM stream WHERE target = ?", target)
        return rows[0][0] if rows else 0.0

    def add_decisions(self, target: str, adviser: str, made: Sequence[Made], balance: float) -> None:
        """Inside a transaction. A candidate that was decided on before is an error: nothing is decided twice."""
        rows = [(target, key_of(entry.candidate), _text(entry.candidate.name), adviser, entry.kind,
                 entry.decision.score, entry.tie, entry.decision.threshold, entry.decision.train,
                 _text(entry.decision.reason), time.time()) for entry in made]
        connection = self._open()
        connection.executemany(
            "INSERT INTO decision (target, candidate, name, adviser, kind, score, tie, threshold, train, reason, "
            "decided) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("INSERT INTO stream (target, balance) VALUES (?, ?) "
                           "ON CONFLICT (target) DO UPDATE SET balance = excluded.balance", (target, balance))

    def add_outcome(self, target: str, seen: Observation | None, candidate: Candidate) -> None:
        """Inside a transaction; the last report on a candidate counts. `seen` None: its training failed."""
        self._open().execute(
            "INSERT OR REPLACE INTO outcome (target, candidate, name, code, recipe, accuracy, epoch, reported) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (target, key_of(candidate), _text(candidate.name), candidate.arch_code.encode("utf-8", "surrogatepass"),
             json.dumps(asdict(candidate.recipe)), seen and seen.accuracy, seen.epoch if seen else 0, time.time()))

    def observations(self, target: str) -> list[Observation]:
        """The accuracies that were reported for a target, in the order in which they came."""
        rows = self._all("SELECT name, code, recipe, accuracy, epoch FROM outcome WHERE target = ? AND "
                         "accuracy IS NOT NULL ORDER BY number", target)
        return [Observation(Candidate(name, code.decode("utf-8", "surrogatepass"), Recipe(**json.loads(recipe))),
                            accuracy, epoch) for name, code, recipe, accuracy, epoch in rows]

    def scored_outcomes(self, target: str, adviser: str) -> tuple[np.ndarray, np.ndarray]:
        """The latest `LOOKED_BACK` scores of the adviser and the accuracies reported since, in order of the reports."""
        rows = self._all(f"SELECT score, accuracy FROM outcome JOIN decision USING (target, candidate) "
                         f"WHERE target = ? AND adviser = ? AND {_WITH_SCORE} AND accuracy IS NOT NULL "
                         "ORDER BY number DESC LIMIT ?", target, adviser, LOOKED_BACK)
        table = np.array(rows[::-1], float).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def count_scored_outcomes(self, target: str, adviser: str) -> int:
        return self._all(f"SELECT count(*) FROM outcome JOIN decision USING (target, candidate) WHERE target = ? AND "
                         f"adviser = ? AND {_WITH_SCORE} AND accuracy IS NOT NULL", target, adviser)[0][0]

    def quality(self, target: str) -> Quality:
        """What was noted last."""
        rows = self._all("SELECT hit_rate, correlation, warning FROM stream WHERE target = ?", target)
        return Quality(*rows[0]) if rows else Quality()

    def note_quality(self, target: str, quality: Quality) -> None:
        """Inside a transaction."""
        self._open().execute(
            "INSERT INTO stream (target, hit_rate, correlation, warning) VALUES (?, ?, ?, ?) ON CONFLICT (target) DO "
            "UPDATE SET hit_rate = excluded.hit_rate, correlation = excluded.correlation, warning = excluded.warning",
            (target, quality.hit_rate, quality.correlation, quality.warning))

    def counts(self, target: str) -> dict[tuple[str, bool], int]:
        """How many decisions of each kind, by whether the candidate was let through."""
        rows = self._all("SELECT kind, train, count(*) FROM decision WHERE target = ? GROUP BY kind, train", target)
        return {(kind, bool(train)): count for kind, train, count in rows}

    def decisions(self, after: int, limit: int) -> list[dict]:
        """Up to `limit` decisions on any target with a number above `after`, oldest first."""
        names = ("id", "target", "name", "kind", "score", "threshold", "train", "reason", "decided")
        rows = self._all(f"SELECT {', '.join(names)} FROM decision WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        return [dict(zip(names, row, strict=True)) | {"train": bool(row[6])} for row in rows]

    def last(self) -> int:
        """The number of the latest decision, 0 where there is none."""
        return self._all("SELECT coalesce(max(id), 0) FROM decision")[0][0]

    def _all(self, query: str, *values: object) -> list[tuple]:
        with self._lock, databases.named(self.file, "the gate's file"):
            return self._open().execute(query, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        """This process's connection; one that came through a fork must not be used."""
        if self._connection is None or self._process != os.getpid():
            if self._connection is not None:
                self._check_movable()
            self._connection = databases.connect(self.file, _SCHEMA, "a gate's file", isolation_level=None,
                                                 check_same_thread=False)
            self._process = os.getpid()
        return self._connection

    def _check_movable(self) -> None:
        if self.file is None:
            raise PerfclfError("a gate without a file cannot go to another process: give it file=…")


def _text(words: str) -> str:
    """SQLite takes no lone surrogates."""
    return words.encode("utf-8", "backslashreplace").decode()
