"""The verb `pairs`: its counts, and its files, which hold every pair in full precision."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from little_world import replace_corpus

from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import TaskData, load_task
from nngpt_perfclf.tasks.export import export
from nngpt_perfclf.types import PerfclfError

NEEDED = {"nn", "epoch", "ds_a", "ds_b", "norm_a", "norm_b", "better", "group", "part"}


@pytest.fixture
def config(tiny, monkeypatch):
    replace_corpus(monkeypatch, tiny)
    return replace(load_config(), epoch=1)


def test_json_lines_hold_every_pair_and_null_where_nothing_was_stated(config, tiny, tmp_path):
    told = export(config, str(tmp_path / "new" / "pairs.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "new" / "pairs.jsonl").read_text().splitlines()]
    pairs = TaskData(config, tiny, load_task(config.task)).pairs()
    assert len(rows) == told["pairs"] == len(pairs)
    assert set(rows[0]) >= NEEDED
    assert [row["lr_a"] for row in rows] == pairs["lr_a"].tolist()
    assert {row["dropout_a"] for row in rows} == {None}


def test_parquet_holds_the_table_as_it_is(config, tiny, tmp_path):
    export(config, str(tmp_path / "pairs.parquet"))
    pairs = TaskData(config, tiny, load_task(config.task)).pairs()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "pairs.parquet"), pairs)


def test_the_counts_by_part_add_up(config):
    told = export(config)
    assert told["out"] is None
    for count in ("pairs", "networks", "groups", "ties"):
        assert sum(part[count] for part in told["parts"]) == told[count]
    assert told["networks"] == 12
    assert told["groups"] == 4


def test_the_configured_file_is_written_where_none_is_named(config, tmp_path):
    export(replace(config, out=str(tmp_path / "pairs.parquet")))
    assert (tmp_path / "pairs.parquet").is_file()


def test_another_ending_is_refused_before_any_work(config, monkeypatch, tmp_path):
    replace_corpus(monkeypatch, None)
    with pytest.raises(PerfclfError, match=r"\.jsonl or \.parquet files, not to pairs\.csv"):
        export(config, str(tmp_path / "pairs.csv"))


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.parquet"])
def test_a_writing_that_fails_leaves_the_earlier_file(config, tmp_path, monkeypatch, name):
    file = tmp_path / name
    file.write_text("earlier")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nngpt_perfclf.tasks.export._write_lines", full_disk)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", full_disk)
    with pytest.raises(OSError, match="No space left"):
        export(config, str(file))
    assert file.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [name]
