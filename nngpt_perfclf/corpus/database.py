"""LEMUR's SQLite database, as nn-dataset fills it: `stat` holds trials, `prm` their recipes, `nn` the codes and, from
nn-dataset 2.2 on, `nn_stat` the sizes of the networks that were measured.

nn-dataset fills it in minutes, a trial's code first, then its recipe, then the trial, and takes any existing file for
complete. So the incomplete database that a stopped run leaves must be recognised here.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from nngpt_perfclf.corpus.records import CATEGORIES, COLUMNS, NANOSECONDS, RECIPE, Reading
from nngpt_perfclf.types import PerfclfError

_TABLES = {
    "stat": {"task", "dataset", "metric", "nn", "epoch", "accuracy", "duration", "prm", "transform"},
    "prm": {"uid", "name", "value"},
    "nn": {"name", "code"},
}
_MAGIC = b"SQLite format 3\0"
_HALF_FILLED = "fill it again (delete it first), or read nn-dataset's files instead"

# Checks of completeness: (query that counts errors, error message).
_COMPLETE = (
    ("SELECT NOT EXISTS (SELECT 1 FROM stat)", "it holds no trial"),
    ("SELECT count(*) FROM (SELECT DISTINCT prm FROM stat) WHERE prm NOT IN (SELECT uid FROM prm)",
     "recipes of trials that are missing in table prm: {}"),
    ("SELECT count(*) FROM (SELECT DISTINCT uid FROM prm) WHERE uid NOT IN (SELECT prm FROM stat)",
     "recipes in table prm without a trial: {}"),
    ("SELECT count(*) FROM (SELECT DISTINCT nn FROM stat) WHERE nn NOT IN (SELECT name FROM nn)",
     "networks with trials but no code in table nn: {}"),
)

# A recipe has one value for each name; nn-dataset repeats it for each epoch with the same id.
_TRIALS = """
    WITH recipe AS (
        SELECT uid, {recipe} FROM prm WHERE name IN ({names}) GROUP BY uid
    )
    SELECT task, dataset, metric, nn, epoch, accuracy, duration, {columns}, transform, prm AS trial
    FROM stat LEFT JOIN recipe ON recipe.uid = stat.prm
    ORDER BY task, dataset, metric, nn, epoch, accuracy DESC
"""

# A network is measured once for each recipe that it was measured with; its size is the same.
_STATISTICS = """
    SELECT nn_name AS nn, max(total_params) AS parameters, max(flops) AS flops, max(total_layers) AS layers
    FROM nn_stat WHERE error IS NULL GROUP BY nn_name ORDER BY nn_name
"""


def state(file: Path) -> str:
    """Hex digest of the path, size and modification time of the file and of its open transactions' files."""
    digest = hashlib.blake2b(str(file).encode(), digest_size=16)
    for part in (file, *_unfinished(file)):
        status = part.stat()
        digest.update(f"{part.name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def read(file: Path) -> Reading:
    """All trials and codes of the database. Raises PerfclfError for a file that is no complete LEMUR database."""
    _check_file(file)
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            _check_content(file, connection)
            codes = dict(connection.execute("SELECT name, code FROM nn"))
            trials, statistics = _trials(connection, RECIPE), _statistics(connection)
    except sqlite3.DatabaseError as error:
        raise PerfclfError(f"{file}: the database cannot be read ({error}); {_HALF_FILLED}") from error
    trials["duration"] /= NANOSECONDS
    trials = trials.astype(dict.fromkeys(CATEGORIES, "category"))[list(COLUMNS)]
    runs = trials.groupby(["task", "dataset", "metric", "nn"], observed=True)["epoch"].nunique()
    runs = runs.rename("files").reset_index().assign(empty_files=0)
    return Reading(trials, codes, runs, statistics=statistics)


def _statistics(connection: sqlite3.Connection):
    import pandas as pd

    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'nn_stat'").fetchone():
        return None
    return pd.read_sql_query(_STATISTICS, connection)


def _trials(connection: sqlite3.Connection, recipe: tuple[str, ...]):
    import pandas as pd

    query = _TRIALS.format(
        recipe=", ".join(f"max(CASE name WHEN '{name}' THEN value END) AS {name}" for name in recipe),
        names=", ".join(f"'{name}'" for name in recipe), columns=", ".join(recipe))
    numbers = dict.fromkeys(("accuracy", "duration", *recipe), "float64")
    # In chunks, so that half a million rows are never Python objects at once.
    chunks = pd.read_sql_query(query, connection, chunksize=50_000)
    return pd.concat([chunk.astype({**numbers, "epoch": "int64", "trial": "str"}) for chunk in chunks],
                     ignore_index=True)


def _check_file(file: Path) -> None:
    with file.open("rb") as stream:
        header = stream.read(100)
    if header[:16] != _MAGIC:
        raise PerfclfError(f"{file} is not an SQLite database: give a folder or LEMUR's ab.nn.db")
    unfinished = _unfinished(file)
    if unfinished:
        raise PerfclfError(f"{file} is half-filled: {unfinished[0].name} exists, so it is being filled or its "
                           f"filling was stopped; wait for its end, or {_HALF_FILLED}")
    page, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
    page = 65536 if page == 1 else page
    if file.stat().st_size != page * pages:
        raise PerfclfError(f"{file} is half-filled: it should have {page * pages:,} bytes and has "
                           f"{file.stat().st_size:,}; {_HALF_FILLED}")


def _check_content(file: Path, connection: sqlite3.Connection) -> None:
    for table, required in _TABLES.items():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not required <= columns:
            missing = f"column {min(required - columns)} in table {table}" if columns else f"table {table}"
            raise PerfclfError(f"{file} is not a filled LEMUR database: no {missing}; {_HALF_FILLED}")
    for query, meaning in _COMPLETE:
        errors = connection.execute(query).fetchone()[0]
        if errors:
            raise PerfclfError(f"{file} is half-filled: {meaning.format(f'{errors:,}')}; {_HALF_FILLED}")


def _unfinished(file: Path) -> list[Path]:
    """The non-empty files that SQLite keeps next to a database while a transaction is open."""
    paths = (file.with_name(f"{file.name}-{ending}") for ending in ("journal", "wal"))
    return [path for path in paths if path.is_file() and path.stat().st_size]
