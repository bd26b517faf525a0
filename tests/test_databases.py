"""A database is read as it was written, or refused by the name of its file."""

import random
import sqlite3
from contextlib import closing

import pytest

from nngpt_perfclf.databases import check, connect
from nngpt_perfclf.types import PerfclfError

SCHEMA = """
CREATE TABLE score (id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL, code BLOB, row_sum INTEGER, UNIQUE (name));
CREATE VIEW best AS SELECT name, value FROM score WHERE value > 0.5;
"""
CONTENT = "SELECT name, value, code FROM score ORDER BY id", "SELECT * FROM best ORDER BY name"


def opened(file, schema=SCHEMA):
    return closing(connect(file, schema, "a record"))


def content(file):
    with opened(file) as database:
        return [database.execute(query).fetchall() for query in CONTENT]


@pytest.fixture
def file(tmp_path):
    with opened(tmp_path / "a.sqlite") as database, database:
        database.executemany("INSERT INTO score (name, value, code) VALUES (?, ?, ?)",
                             [(f"net-{place}", place if place % 2 else place / 7, b"x" * place) for place in range(40)])
        database.execute("UPDATE score SET value = NULL WHERE id = 3")
        database.execute("INSERT INTO score (name, value) VALUES ('net-4', 9) "
                         "ON CONFLICT (name) DO UPDATE SET value = 9")
        database.execute("INSERT OR REPLACE INTO score (name, value) VALUES ('net-5', 0.25)")
    return tmp_path / "a.sqlite"


def test_what_was_inserted_changed_or_replaced_has_its_sum(file):
    rows, best = content(file)
    assert len(rows) == 40
    assert ("net-4", 9.0, b"xxxx") in rows
    assert ("net-5", 0.25, None) in rows
    assert ("net-4", 9.0) in best


def test_of_many_flipped_bytes_none_changes_what_is_read(file):
    whole, expected, rng, errors = file.read_bytes(), content(file), random.Random(0), []
    for _ in range(200):
        place = rng.randrange(len(whole))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1:])
        try:
            assert content(file) == expected, f"byte {place}"
        except PerfclfError as error:
            errors.append(str(error))
    assert all("a.sqlite" in error and "\n" not in error for error in errors)
    assert len(errors) > 30


@pytest.mark.parametrize("statement", [
    "UPDATE score SET value = 0.5 WHERE id = 1", "UPDATE score SET name = 'other' WHERE id = 1",
    "UPDATE score SET id = 99 WHERE id = 1", "UPDATE score SET row_sum = row_sum + 1 WHERE id = 1",
    "INSERT INTO score (name) VALUES ('without a sum')", "DROP VIEW best", "CREATE INDEX of_value ON score (value)",
])
def test_what_another_program_changes_is_refused(file, statement):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)
    with pytest.raises(PerfclfError, match=r"a\.sqlite is damaged"):
        content(file)
    with closing(sqlite3.connect(file)) as database, pytest.raises(PerfclfError, match=r"a\.sqlite is damaged"):
        check(database, file, "a record")


def test_other_programs_and_versions_are_refused_and_left_alone(tmp_path, file):
    with pytest.raises(PerfclfError, match="another version wrote it"):
        opened(file, SCHEMA.replace("> 0.5", "> 0.6"))
    foreign = tmp_path / "b.sqlite"
    with closing(sqlite3.connect(foreign)) as database, database:
        database.execute("CREATE TABLE score (name TEXT)")
    before = foreign.read_bytes()
    with pytest.raises(PerfclfError, match=r"b\.sqlite is not a record, or another version wrote it"):
        opened(foreign)
    assert foreign.read_bytes() == before


def test_tables_without_sums_can_be_checked(tmp_path):
    with closing(sqlite3.connect(tmp_path / "b.sqlite")) as database, database:
        database.execute("CREATE TABLE other (name TEXT)")
        check(database, tmp_path / "b.sqlite", "a record")


def test_a_file_that_was_cut_off_is_refused(file):
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(PerfclfError, match=r"a\.sqlite is .*damaged"):
        content(file)


def test_an_empty_file_is_refused(file):
    file.write_bytes(b"")
    with pytest.raises(PerfclfError, match=r"a\.sqlite is empty, so it was cut off: delete it"):
        content(file)


def test_two_that_make_the_same_file_write_to_one(tmp_path):
    with opened(tmp_path / "new" / "a.sqlite") as first, opened(tmp_path / "new" / "a.sqlite") as second:
        with first:
            first.execute("INSERT INTO score (name) VALUES ('net')")
        assert second.execute("SELECT name FROM score").fetchall() == [("net",)]
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["a.sqlite"]


def test_a_folder_in_which_nothing_can_be_made_is_named(tmp_path):
    (tmp_path / "text").touch()
    with pytest.raises(PerfclfError, match=r"a record .*text/a\.sqlite: "):
        opened(tmp_path / "text" / "a.sqlite")
