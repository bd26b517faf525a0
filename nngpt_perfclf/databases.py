"""SQLite files whose every row has a checksum. SQLite itself notices damage to the structure of a file alone; here a
changed value, or a changed definition of a table or view, is refused too.

The column `row_sum` of each table is filled in by temporary triggers of the connection that writes.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from nngpt_perfclf.files import torn
from nngpt_perfclf.types import PerfclfError

WAIT = 30.0  # seconds for another process's transaction
_ROW_SUM = "row_sum"


def connect(file: Path | None, schema: str, what: str, **options) -> sqlite3.Connection:
    """A connection to `file` (None: in memory) that writes rows with their sums. A missing file is made, with its
    folder and the tables of `schema`.

    `what` the file is, in the PerfclfError for one that cannot be written, is damaged, or is of another program or
    version. `options`: of `sqlite3.connect`.
    """
    with named(file, what):
        if file is not None and not file.exists():
            _make(file, schema)
        if file is not None and not file.stat().st_size:
            raise PerfclfError(f"{file} is empty, so it was cut off: delete it")
        database = sqlite3.connect(file or ":memory:", timeout=WAIT, **options)
        try:
            if file is None:
                database.executescript(schema)
            elif database.execute("PRAGMA user_version").fetchone()[0] != _version(schema):
                raise PerfclfError(f"{file} is not {what}, or another version wrote it: name another file or folder")
            database.execute("PRAGMA journal_mode=WAL")
            # Safe against a killed process; a power failure may cost the last rows, not the file.
            database.execute("PRAGMA synchronous=NORMAL")
            if file is not None:
                check(database, file, what)
            _keep_sums(database)
        except BaseException:
            database.close()
            raise
    return database


def check(database: sqlite3.Connection, file: Path, what: str) -> None:
    """Raise PerfclfError where the file holds something else than what was written. Tables without sums, those of
    other programs, pass."""
    with named(file, what):
        fault = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        database.create_function(_ROW_SUM, -1, row_sum, deterministic=True)
        for table, columns in _tables(database):
            if database.execute(f"SELECT 1 FROM {table} WHERE {_ROW_SUM} IS NOT row_sum({columns})").fetchone():
                fault = f"a row of its table {table} has another checksum"
        if any(_tables(database)) and database.execute("PRAGMA user_version").fetchone()[0] != _digest(database):
            fault = "its tables or views are not as they were made"
        if torn(file):
            fault = "it was cut off"
    if fault != "ok":
        raise PerfclfError(f"{file} is damaged: {' '.join(fault.split())}")


@contextmanager
def named(file: Path | None, what: str) -> Iterator[None]:
    """Turn SQLite's errors into a PerfclfError that names the file."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:  # full disk, no right to write, locked for too long
        raise PerfclfError(f"{what} {file}: {' '.join(str(error).split())[:200]}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise PerfclfError(f"{file} is not {what}, or is damaged: {' '.join(str(error).split())[:200]}") from error


def row_sum(*values: object) -> int:
    """64 bits of the BLAKE2 hash of a row's values. An integer counts as the float that a REAL column makes of it."""
    plain = [float(value) if isinstance(value, int) else value for value in values]
    digest = hashlib.blake2b(repr(plain).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _make(file: Path, schema: str) -> None:
    """Whole or not at all, so that no empty file was made here."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        new = Path(folder) / "new"
        with closing(sqlite3.connect(new)) as database:
            database.executescript(f"BEGIN; {schema} PRAGMA user_version = {_version(schema)}; COMMIT;")
        with suppress(FileExistsError):  # another process made it meanwhile; a rename would replace that one
            os.link(new, file)


def _keep_sums(database: sqlite3.Connection) -> None:
    database.create_function(_ROW_SUM, -1, row_sum, deterministic=True)
    for table, columns in _tables(database):
        for name, event in ((f"{table}_new", "INSERT"), (f"{table}_changed", f"UPDATE OF {columns}")):
            database.execute(f"CREATE TEMP TRIGGER {name} AFTER {event} ON main.{table} BEGIN UPDATE {table} SET "
                             f"{_ROW_SUM} = row_sum({columns}) WHERE rowid = new.rowid; END")


def _tables(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """The tables whose rows have sums, with their other columns."""
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info('{table}')")]
        if _ROW_SUM in columns:
            yield table, ", ".join(name for name in columns if name != _ROW_SUM)


@cache
def _version(schema: str) -> int:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(schema)
        return _digest(database)


def _digest(database: sqlite3.Connection) -> int:
    """Of the definitions of all tables, indices and views; fits `user_version`."""
    made = database.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    return row_sum(*map(str, made)) % 2**31
