"""nn-dataset's SQLite database gives the same table as its files, unless its filling has not come to its end."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest

from nngpt_perfclf.corpus import describe, load_corpus
from nngpt_perfclf.types import PerfclfError

FILL_AND_DIE = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA cache_size = 2")
for row in range(2000):
    connection.execute("INSERT INTO prm VALUES (?, 'lr', ?)", (f"uid-{row}" * 20, row))
os.kill(os.getpid(), 9)
"""


def change(database, *statements):
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_the_database_and_the_files_give_the_same_trials_and_codes(database, lemur, config_for):
    from_database, from_files = load_corpus(config_for(database)), load_corpus(config_for(lemur))
    pd.testing.assert_frame_equal(from_database.trials, from_files.trials)
    assert from_database.codes == from_files.codes


def test_its_description_has_the_same_form(database, lemur, config_for):
    from_database, from_files = describe(config_for(database)), describe(config_for(lemur))
    assert list(from_database) == list(from_files)
    assert from_database["tasks"] == from_files["tasks"]


@pytest.mark.parametrize(("harm", "complaint"), [
    (["DELETE FROM stat", "DELETE FROM prm"], "holds no trial"),
    (["DELETE FROM prm WHERE uid = 'u3'"], "missing in table prm: 1"),
    (["DELETE FROM stat WHERE prm = 'u3'"], "in table prm without a trial: 1"),
    (["DELETE FROM nn WHERE name = 'AlexNet'"], "no code in table nn: 1"),
    (["DROP TABLE prm"], "no table prm"),
    (["ALTER TABLE stat DROP COLUMN duration"], "no column duration in table stat"),
])
def test_what_a_stopped_filling_leaves_out_is_noticed_and_named(database, config_for, harm, complaint):
    change(database, *harm)
    with pytest.raises(PerfclfError, match=complaint) as error:
        load_corpus(config_for(database))
    assert "fill it again" in str(error.value)


def test_a_database_whose_filling_was_killed_is_refused_and_left_as_it_was(database, config_for):
    subprocess.run([sys.executable, "-c", FILL_AND_DIE, str(database)], check=False)
    before = database.read_bytes()
    with pytest.raises(PerfclfError, match=r"half-filled: ab\.nn\.db-journal exists"):
        load_corpus(config_for(database))
    assert database.read_bytes() == before


def test_a_killed_filling_without_its_journal_is_refused_too(database, config_for):
    subprocess.run([sys.executable, "-c", FILL_AND_DIE, str(database)], check=False)
    database.with_name("ab.nn.db-journal").unlink()
    with pytest.raises(PerfclfError):
        load_corpus(config_for(database))


def test_a_database_that_was_cut_short_is_refused(database, config_for):
    database.write_bytes(database.read_bytes()[:-4096])
    with pytest.raises(PerfclfError, match="should have"):
        load_corpus(config_for(database))


def test_a_file_that_is_no_database_is_refused(tmp_path, config_for):
    (tmp_path / "ab.nn.db").write_text("not at all")
    with pytest.raises(PerfclfError, match="not an SQLite database"):
        load_corpus(config_for(tmp_path / "ab.nn.db"))


def test_an_empty_file_is_refused(tmp_path, config_for):
    (tmp_path / "ab.nn.db").touch()
    with pytest.raises(PerfclfError, match="not an SQLite database"):
        load_corpus(config_for(tmp_path / "ab.nn.db"))
