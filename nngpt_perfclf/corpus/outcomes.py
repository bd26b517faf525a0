"""Trials that a loop has trained itself: the view `trial` of its run database, added to LEMUR's trials."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.corpus.records import CATEGORIES, COLUMNS, RECIPE, fingerprint
from nngpt_perfclf.databases import check
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.corpus import Corpus


def with_outcomes(corpus: Corpus, files: Sequence[str | Path]) -> Corpus:
    """The corpus with the trials of these run databases, and a new fingerprint.

    A network with the same name and code as one in the corpus is that network, so that its trials on further datasets
    make pairs; one with the same name and other code gets a new name. Raises PerfclfError for a file that is missing,
    is not a run database, or is given twice.
    """
    if not files:
        return corpus
    from dataclasses import replace

    import pandas as pd

    paths = [Path(file).absolute() for file in files]
    if len(set(paths)) < len(paths):
        raise PerfclfError("corpus.outcomes names a run database twice")
    codes, tables = dict(corpus.codes), []
    for path in paths:
        rows = _read(path)
        rows["nn"] = [_name(codes, nn, code) for nn, code in zip(rows["nn"], rows["code"], strict=True)]
        tables.append(rows)
    added = pd.concat(tables, ignore_index=True)
    plain = corpus.trials.astype(dict.fromkeys(CATEGORIES, "str"))
    trials = pd.concat([plain, added[list(plain.columns)]], ignore_index=True)
    return replace(corpus, trials=trials.astype(dict.fromkeys(CATEGORIES, "category")), codes=codes,
                   source=" + ".join([corpus.source, *map(str, paths)]), fingerprint=fingerprint(trials, codes))


def _read(path: Path) -> pd.DataFrame:
    """The columns of the corpus and `code`, in the order of the trials' ids."""
    import pandas as pd

    if not path.is_file():
        raise PerfclfError(f"no run database {path}, which corpus.outcomes names")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            check(connection, path, "a run database of a loop")
            rows = pd.read_sql_query(f"SELECT {', '.join(COLUMNS)}, code FROM trial ORDER BY trial", connection)
    except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
        raise PerfclfError(f"{path} is not a run database of a loop: {str(error).splitlines()[0]}") from error
    numbers = dict.fromkeys(("accuracy", "duration", *RECIPE), "float64")
    return rows.astype({**numbers, "epoch": "int64", "trial": "str", **dict.fromkeys(CATEGORIES, "str")})


def _name(codes: dict[str, str], nn: str, code: str) -> str:
    if codes.setdefault(nn, code) == code:
        return nn
    other = f"{nn}-{hashlib.sha256(code.encode()).hexdigest()[:8]}"
    codes[other] = code
    return other
