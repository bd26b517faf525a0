"""Files are written atomically, and a file that cannot be read is one clear error."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.files import (
    alone,
    read_arrays,
    read_json,
    read_parquet,
    read_yaml,
    torn,
    whole,
    write_arrays,
    write_json,
    write_parquet,
)
from nngpt_perfclf.types import PerfclfError


def test_a_file_is_replaced_when_the_block_ends_and_its_folder_is_made(tmp_path):
    file = tmp_path / "new" / "file"
    with whole(file) as new:
        new.write_text("first")
        assert not file.exists()
    assert file.read_text() == "first"


def test_a_block_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path):
    file = tmp_path / "file"
    file.write_text("earlier")

    def fail():
        with whole(file) as new:
            new.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_json_is_read_as_it_was_written(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, None, 0.5], "path": tmp_path})
    assert read_json(tmp_path / "a.json") == {"ä": [1, None, 0.5], "path": str(tmp_path)}


@pytest.mark.parametrize(("content", "complaint"), [(b"{", "is damaged"), (b"\xff", "is damaged"),
                                                    (b"[1]", "must hold a JSON object")])
def test_a_file_that_is_no_json_object_is_named(tmp_path, content, complaint):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(PerfclfError, match=rf"a\.json {complaint}"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(("content", "complaint"), [(b"a: [", "is not valid YAML"), (b"\xff", "is not valid YAML"),
                                                    (b"- 1", "must hold keys and values, not a list"),
                                                    (b"[" * 100_000, "has more brackets")])
def test_a_file_that_is_no_yaml_mapping_is_named(tmp_path, content, complaint):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(PerfclfError, match=rf"task file .*a\.yaml {complaint}"):
        read_yaml(tmp_path / "a.yaml", "task file")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PerfclfError, match=r"no task file .*a\.yaml"):
        read_yaml(tmp_path / "a.yaml", "task file")
    with pytest.raises(PerfclfError, match=r"no a\.json in"):
        read_json(tmp_path / "a.json")


def test_one_process_at_a_time_works_in_a_folder(tmp_path):
    code = f"from pathlib import Path; from nngpt_perfclf.files import alone\nwith alone(Path({str(tmp_path)!r})): pass"
    command = [sys.executable, "-c", code]
    with alone(tmp_path), pytest.raises(PerfclfError, match="another process is at work"), alone(tmp_path):
        pass
    with alone(tmp_path):
        assert "another process is at work" in subprocess.run(command, capture_output=True, text=True).stderr
    assert subprocess.run(command, check=False).returncode == 0
    assert not list(tmp_path.iterdir())
    with alone(tmp_path / "new" / "folder"):
        assert (tmp_path / "new" / "folder").is_dir()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 100])
def test_a_damaged_table_is_named(tmp_path, content):
    file = tmp_path / "a.parquet"
    write_parquet(pd.DataFrame({"a": [0.5]}), file)
    assert read_parquet(file, "table")["a"].tolist() == [0.5]
    file.write_bytes(content)
    with pytest.raises(PerfclfError, match=r"table .*a\.parquet is damaged, delete it"):
        read_parquet(file, "table")


def test_a_table_without_the_needed_columns_is_another_one(tmp_path):
    write_parquet(pd.DataFrame({"a": [0.5]}), tmp_path / "a.parquet")
    with pytest.raises(PerfclfError, match="is another table: no column b"):
        read_parquet(tmp_path / "a.parquet", "table", ("a", "b"))


def test_a_database_that_was_cut_off_inside_a_page_is_noticed(tmp_path):
    file = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE a (b)")
    assert not torn(file)
    file.write_bytes(file.read_bytes()[:-1])
    assert torn(file)


def test_arrays_that_cannot_be_written_leave_the_earlier_ones(tmp_path):
    class Unwritable:
        def __array__(self, dtype=None, copy=None):
            raise OSError("no space left on device")

    file = tmp_path / "a.npz"
    write_arrays(file, x=np.arange(3))
    with pytest.raises(OSError, match="no space left"):
        write_arrays(file, x=np.arange(9), y=Unwritable())
    with read_arrays(file, "table") as arrays:
        assert arrays["x"].tolist() == [0, 1, 2]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]
