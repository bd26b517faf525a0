"""What a store keeps is found by its key, in any number, and an older row stays or is replaced."""

import sqlite3
from contextlib import closing

import pytest

from nngpt_perfclf.key_value import KeyValueStore
from nngpt_perfclf.types import PerfclfError


def store(folder):
    return KeyValueStore(folder / "new" / "kept.sqlite", "kept", "name", {"seconds": "REAL", "content": "BLOB"}, 5.0)


def test_rows_are_found_by_their_keys_in_another_store_of_the_same_file(tmp_path):
    store(tmp_path).write([("a", 0.1, b"1"), ("b", 0.2, b"2")], replace=False)
    assert store(tmp_path).read(["b", "c"]) == {"b": [0.2, b"2"]}
    assert store(tmp_path).read([]) == {}


@pytest.mark.parametrize(("replace", "found"), [(False, 0.1), (True, 0.2)])
def test_an_older_row_stays_or_is_replaced(tmp_path, replace, found):
    kept = store(tmp_path)
    kept.write([("a", 0.1, b"")], replace)
    kept.write([("a", 0.2, b"")], replace)
    assert kept.read(["a"]) == {"a": [found, b""]}


def test_more_keys_than_one_statement_takes_are_read(tmp_path):
    rows = [(str(number), float(number), b"") for number in range(1203)]
    store(tmp_path).write(rows, replace=False)
    assert store(tmp_path).read([key for key, *_ in rows]) == {key: values for key, *values in rows}


def test_a_failed_write_keeps_none_of_its_rows(tmp_path):
    kept = store(tmp_path)
    with pytest.raises(PerfclfError, match=r"kept\.sqlite"):
        kept.write([("a", 0.1, b""), ("b", 0.2)], replace=False)
    assert kept.read(["a", "b"]) == {}


def test_the_table_is_named_as_asked(tmp_path):
    kept = store(tmp_path)
    with closing(sqlite3.connect(kept.file)) as database:
        (made,) = database.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchone()
    assert made == "CREATE TABLE kept (name TEXT PRIMARY KEY, seconds REAL, content BLOB, row_sum INTEGER)"


@pytest.mark.parametrize("change", ["seconds = 0.2", "content = x'32'", "name = 'b'", "row_sum = NULL"])
def test_a_value_that_was_changed_is_refused_by_the_name_of_the_file(tmp_path, change):
    kept = store(tmp_path)
    kept.write([("a", 1, b"1")], replace=False)
    assert kept.read(["a"]) == {"a": [1.0, b"1"]}
    with closing(sqlite3.connect(kept.file)) as database, database:
        database.execute(f"UPDATE kept SET {change}")
    with pytest.raises(PerfclfError, match=r"kept\.sqlite is damaged, delete it"):
        kept.read(["a", "b"])
