"""A key-value store on disk: one table of an SQLite file, which several processes may share; a row has a checksum."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from nngpt_perfclf.databases import row_sum
from nngpt_perfclf.types import PerfclfError

_AT_ONCE = 500  # SQLite's limit on variables in one statement was 999 for long


class KeyValueStore:
    """The `table` of `file`: a text called `key`, and the `columns` (name -> SQL type) that are kept by it. `wait`:
    seconds for another process's writing. The file and its folder are made. Every use raises PerfclfError, naming the
    file, where it cannot be read or written, or holds another value than was written."""

    def __init__(self, file: Path, table: str, key: str, columns: Mapping[str, str], wait: float = 30.0):
        self.file, self._wait = file, wait
        self._select = f"SELECT {', '.join((key, *columns))}, row_sum FROM {table} WHERE {key} IN "
        self._into = f"INTO {table} VALUES ({', '.join('?' * (2 + len(columns)))})"
        file.parent.mkdir(parents=True, exist_ok=True)
        kinds = (f"{key} TEXT PRIMARY KEY", *(f"{name} {kind}" for name, kind in columns.items()), "row_sum INTEGER")
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(kinds)})")

    def read(self, keys: Sequence[str]) -> dict[str, list]:
        """The values of those of the keys that are kept."""
        values = {}
        with self._open() as database:
            for start in range(0, len(keys), _AT_ONCE):
                batch = keys[start:start + _AT_ONCE]
                rows = database.execute(f"{self._select}({', '.join('?' * len(batch))})", batch)
                for *row, written in rows:
                    if row_sum(*row) != written:
                        raise self._damaged("a value has another checksum")
                    values[row[0]] = row[1:]
        return values

    def write(self, rows: Iterable[Sequence], replace: bool) -> None:
        """Keep these rows, a key and its values each; `replace`: in place of older ones of their keys, which stay
        otherwise."""
        with self._open() as database:
            database.executemany(f"INSERT OR {'REPLACE' if replace else 'IGNORE'} {self._into}",
                                 ((*row, row_sum(*row)) for row in rows))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use: they must not be shared by threads or survive a fork."""
        try:
            with closing(sqlite3.connect(self.file, timeout=self._wait)) as database, database:
                yield database
        except sqlite3.OperationalError as error:  # full disk, no right to write, locked for too long
            raise PerfclfError(f"the cache {self.file}: {error}") from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> PerfclfError:
        """What to raise where the file holds something else than what was written."""
        return PerfclfError(f"the cache {self.file} is damaged, delete it: {why}")
