"""A loop's record: an SQLite file that receives every proposal, score, decision and outcome as it happens.

One event is one transaction: a loop that is killed loses at most the event it was in, and continues from there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nngpt_perfclf import databases
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.tasks import load_task
from nngpt_perfclf.types import Candidate, Interval, Outcome, PerfclfError, Recipe, Score

FILE = "loop.sqlite"
# What is tried on the same candidates: a later command may try more of it, and asks only about what is new.
TRIED = ("advisers", "policies", "keep", "resamples", "seen", "rungs", "miss_probability")
# Where candidates are trained: it does not change what is found.
WHERE = ("executor", "workers", "gpus")
# What decides the candidates and, besides an adviser's own files, the scores.
WORLD = ("task", "epoch", "label", "seed", "datasets", "template", "code_only_template", "code_view", "code_tokens",
         "corpus", "split", "model")
_SCHEMA = """
CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), kind TEXT, task TEXT, metric TEXT,
    epoch INTEGER, world TEXT, fingerprint TEXT, config TEXT, started REAL, finished REAL,
    row_sum INTEGER);
CREATE TABLE proposal (target TEXT, seed INTEGER, position INTEGER, name TEXT, code TEXT, recipe TEXT,
    meta TEXT, row_sum INTEGER, PRIMARY KEY (target, seed, position));
CREATE TABLE score (adviser TEXT, target TEXT, candidate TEXT, value REAL, percentile REAL, low REAL,
    high REAL, decided INTEGER, further TEXT, reason TEXT, seconds REAL, broken INTEGER,
    row_sum INTEGER, PRIMARY KEY (adviser, target, candidate));
CREATE TABLE decision (search TEXT, seed INTEGER, name TEXT, position INTEGER, kept INTEGER, score REAL,
    reason TEXT, row_sum INTEGER, PRIMARY KEY (search, seed, name));
CREATE TABLE outcome (target TEXT, candidate TEXT, name TEXT, accuracy REAL, seconds REAL,
    failure TEXT, trained REAL, code TEXT, recipe TEXT, epoch INTEGER, trial TEXT, row_sum INTEGER,
    PRIMARY KEY (target, candidate));
CREATE VIEW trial AS
    SELECT run.task AS task, target AS dataset, run.metric AS metric, name AS nn, outcome.epoch AS epoch, accuracy,
           SUM(seconds) OVER (PARTITION BY target, outcome.trial ORDER BY outcome.epoch) AS duration,
           recipe ->> 'lr' AS lr, recipe ->> 'momentum' AS momentum, recipe ->> 'batch' AS batch,
           recipe ->> 'dropout' AS dropout, recipe ->> 'transform' AS transform,
           'loop-' || run.world || '-' || target || '-' || outcome.trial AS trial, code
    FROM outcome, run WHERE run.kind = 'local' AND accuracy IS NOT NULL;
"""


@dataclass(frozen=True)
class Scored:
    """A candidate's score (None: no opinion) and the seconds that asking took; `broken`: it cannot be trained."""

    score: Score | None
    seconds: float
    reason: str = ""
    broken: bool = False


@dataclass(frozen=True)
class Decision:
    """What was decided about the candidate `name`, and why where it was pruned."""

    name: str
    kept: bool
    score: float | None
    reason: str


class RunDatabase:
    """One loop's record. The view `trial` gives what local training found, as rows of the corpus with their code."""

    def __init__(self, file: Path, config: Config):
        self.file = file
        self._connection = databases.connect(file, _SCHEMA, "a run database")
        self._begin(config)

    def __enter__(self) -> RunDatabase:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def candidates(self, target: str, seed: int) -> list[Candidate]:
        """The generation proposed for this target and seed; empty if none was yet."""
        rows = self._all("SELECT name, code, recipe, meta FROM proposal "
                         "WHERE target = ? AND seed = ? ORDER BY position", target, seed)
        return [Candidate(name, code, Recipe(**json.loads(recipe)), json.loads(meta))
                for name, code, recipe, meta in rows]

    def add_candidates(self, target: str, seed: int, candidates: Sequence[Candidate]) -> None:
        self._insert("proposal", [(target, seed, position, candidate.name, candidate.arch_code,
                                   json.dumps(asdict(candidate.recipe)), json.dumps(dict(candidate.meta), default=str))
                                  for position, candidate in enumerate(candidates)])

    def scores(self, adviser: str, target: str, candidates: Sequence[Candidate]) -> dict[Candidate, Scored]:
        """Those of the candidates that this adviser was asked about, with or without an opinion."""
        found = {}
        for candidate in candidates:
            for *numbers, decided, further, reason, seconds, broken in self._all(
                    "SELECT value, percentile, low, high, decided, further, reason, seconds, broken FROM score "
                    "WHERE adviser = ? AND target = ? AND candidate = ?", adviser, target, _identity(candidate)):
                score = None if numbers[0] is None else _with_further(Score(*numbers, bool(decided), reason), further)
                found[candidate] = Scored(score, seconds, reason, bool(broken))
        return found

    def add_scores(self, adviser: str, target: str, scored: Mapping[Candidate, Scored]) -> None:
        self._insert("score", [(adviser, target, _identity(candidate), *_columns(given), given.reason, given.seconds,
                                given.broken) for candidate, given in scored.items()])

    def decisions(self, search: str, seed: int) -> list[Decision]:
        """The decisions on one generation, in the order of its candidates; empty if it is undecided."""
        rows = self._all("SELECT name, kept, score, reason FROM decision "
                         "WHERE search = ? AND seed = ? ORDER BY position", search, seed)
        return [Decision(name, bool(kept), score, reason) for name, kept, score, reason in rows]

    def earlier(self, search: str, seed: int) -> list[tuple[str, float | None]]:
        """Names and scores of the candidates of a search's generations before `seed`, in the order of the decisions."""
        return self._all("SELECT name, score FROM decision WHERE search = ? AND seed < ? ORDER BY seed, position",
                         search, seed)

    def trained(self, search: str, target: str, seed: int) -> list[tuple[Candidate, float]]:
        """What a search trained in its generations before `seed`, with the accuracies, in the order of the decisions;
        failed trainings are left out."""
        rows = self._all("SELECT seed, position FROM decision WHERE search = ? AND seed < ? AND kept "
                         "ORDER BY seed, position", search, seed)
        generations = {at: self.candidates(target, at) for at, _ in rows}
        found = [(candidate := generations[at][position], self.outcome(target, candidate)) for at, position in rows]
        return [(candidate, outcome.accuracy) for candidate, outcome in found
                if outcome is not None and outcome.accuracy is not None]

    def add_decisions(self, search: str, seed: int, decisions: Sequence[Decision]) -> None:
        self._insert("decision", [(search, seed, decision.name, position, decision.kept, decision.score,
                                   decision.reason) for position, decision in enumerate(decisions)])

    def outcome(self, target: str, candidate: Candidate) -> Outcome | None:
        """What training this candidate (its name, code and recipe, and the epochs seen) for one more epoch gave, if it
        was trained."""
        for accuracy, seconds, failure in self._all(
                "SELECT accuracy, seconds, failure FROM outcome WHERE target = ? AND candidate = ?",
                target, _identity(candidate)):
            return Outcome(candidate.name, target, accuracy, seconds, failure)
        return None

    def timed(self, target: str) -> list[tuple[Candidate, float]]:
        """What was trained for a target, with the seconds of one epoch."""
        rows = self._all("SELECT name, code, recipe, AVG(seconds) FROM outcome "
                         "WHERE target = ? AND accuracy IS NOT NULL GROUP BY trial ORDER BY trial", target)
        return [(Candidate(name, code, Recipe(**json.loads(recipe))), seconds) for name, code, recipe, seconds in rows]

    def add_outcome(self, candidate: Candidate, outcome: Outcome) -> None:
        self._insert("outcome", [(outcome.target, _identity(candidate), candidate.name, outcome.accuracy,
                                  outcome.seconds, outcome.failure, time.time(), candidate.arch_code,
                                  json.dumps(asdict(candidate.recipe)), candidate.next_epoch,
                                  _identity(replace(candidate, seen={})))])

    def finish(self) -> None:
        """Note that nothing is left to do."""
        with self._guard(), self._connection:
            self._connection.execute("UPDATE run SET finished = ?", (time.time(),))

    def _begin(self, config: Config) -> None:
        world, content = world_of(config), json.dumps(to_dict(config), default=str)
        worlds = self._all("SELECT world FROM run")
        if not worlds:
            task = load_task(config.task)
            self._insert("run", [(1, config.loop.kind, task.task, task.metric, config.epoch, world,
                                  fingerprint(config), content, time.time(), None)])
        elif worlds[0][0] != world:
            raise PerfclfError(f"{self.file} belongs to a loop with another configuration (only "
                               f"loop.{', loop.'.join(TRIED)} may differ): give another out=FOLDER, or repeat its "
                               "command to go on with it")
        else:
            with self._guard(), self._connection:
                self._connection.execute("UPDATE run SET fingerprint = ?, config = ?, finished = NULL",
                                         (fingerprint(config), content))

    def _all(self, query: str, *values: object) -> list[tuple]:
        with self._guard():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # an event that is recorded twice is a mistake of the program
        except sqlite3.Error as error:
            raise PerfclfError(f"the run database {self.file}: {' '.join(str(error).split())[:200]}") from error

    def _insert(self, table: str, rows: Sequence[tuple]) -> None:
        """One transaction. A row that stands already is an error: nothing is done twice."""
        if rows:
            with self._guard(), self._connection:
                self._connection.executemany(f"INSERT INTO {table} VALUES ({'?, ' * len(rows[0])}NULL)", rows)


def fingerprint(config: Config) -> str:
    """Hex digest of all that decides what a loop does: the configuration but for places and processor threads."""
    content = to_dict(config)
    content["loop"] = {key: value for key, value in content["loop"].items() if key not in WHERE}
    return _digest({key: value for key, value in content.items() if key not in ("out", "resume", "threads")})


def world_of(config: Config) -> str:
    """Hex digest of what two loops must share to go on with each other's answers and outcomes."""
    content = to_dict(config)
    loop = {key: value for key, value in content["loop"].items() if key not in TRIED + WHERE}
    return _digest({**{key: content[key] for key in WORLD}, "part": config.evaluate.part, "loop": loop,
                    "confidence": config.advice.confidence, "profile": config.advice.profile})


def run_folder(config: Config) -> Path:
    """`config.out`; without it the folder under `runs` where the same command was stopped, or else a new one.

    Raises PerfclfError for `resume=true` where there is nothing to resume.
    """
    if config.out is not None:
        if config.resume and not (Path(config.out) / FILE).is_file():
            raise PerfclfError(f"nothing to resume: no {FILE} in {config.out}")
        return Path(config.out)
    for folder in sorted(Path("runs").glob("loop-*"), reverse=True):
        if (folder / FILE).is_file() and _state(folder / FILE) == (fingerprint(config), None):
            return folder
    if config.resume:
        raise PerfclfError("nothing to resume: runs/ has no unfinished loop of this configuration; give out=FOLDER")
    return Path("runs") / time.strftime(f"loop-%Y%m%d-%H%M%S-{fingerprint(config)[:4]}")


def _state(file: Path) -> tuple[str, float | None] | None:
    """Fingerprint and time of the end (None: unfinished) of a recorded run; None where none was begun."""
    with closing(sqlite3.connect(file)) as connection:
        try:
            return connection.execute("SELECT fingerprint, finished FROM run").fetchone()
        except sqlite3.DatabaseError:
            return None  # killed before its first event, or not ours: nothing to go on with


def _digest(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _identity(candidate: Candidate) -> str:
    content = (candidate.name, candidate.arch_code, candidate.recipe)
    if candidate.seen:
        content += (sorted(candidate.seen.items()),)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _columns(scored: Scored) -> tuple:
    score = scored.score
    if score is None:
        return (None,) * 6
    further = {"deviation": score.deviation, "remaining": score.remaining, "seconds": score.seconds,
               "accuracy": score.accuracy and asdict(score.accuracy)}
    return (*map(float, (score.value, score.percentile, score.low, score.high)), bool(score.decided),
            json.dumps(further, default=float))


def _with_further(score: Score, further: str) -> Score:
    content = json.loads(further)
    accuracy = content.pop("accuracy")
    return replace(score, **content, accuracy=accuracy and Interval(**accuracy))
