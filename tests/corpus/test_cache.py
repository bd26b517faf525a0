"""What was read once is not read again until the source changes, and a stopped reading leaves nothing behind."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest

from nngpt_perfclf.corpus import cache, describe, files, load_corpus

ALEXNET = "stat/train/img-classification_cifar-10_acc_AlexNet/1.json"


@pytest.fixture
def readings(monkeypatch):
    """How often LEMUR's files were read."""
    calls, read = [], files.read
    monkeypatch.setattr(files, "read", lambda root: calls.append(root) or read(root))
    return calls


def test_an_unchanged_source_is_read_once(lemur, config_for, readings):
    first, second = load_corpus(config_for(lemur)), load_corpus(config_for(lemur))
    assert len(readings) == 1
    pd.testing.assert_frame_equal(first.trials, second.trials)
    assert (first.codes, first.fingerprint, first.skipped) == (second.codes, second.fingerprint, second.skipped)


def test_a_file_edited_in_place_is_noticed(lemur, config_for, readings):
    before = load_corpus(config_for(lemur))
    text = (lemur / ALEXNET).read_text()
    with (lemur / ALEXNET).open("r+") as file:  # the folder's time of change stays as it was
        file.write(text.replace("0.5", "0.6"))
    after = load_corpus(config_for(lemur))
    assert len(readings) == 2
    assert before.fingerprint != after.fingerprint
    assert after.trials["accuracy"].tolist() != before.trials["accuracy"].tolist()


@pytest.mark.parametrize("change", [
    lambda root: (root / ALEXNET).unlink(),
    lambda root: (root / ALEXNET).rename((root / ALEXNET).with_name("7.json")),
    lambda root: (root / "nn" / "AlexNet.py").write_text("class Net: deep = True\n"),
    lambda root: (root / "stat" / "train" / "img-classification_mnist_acc_AlexNet").mkdir(),
    lambda root: os.utime(root / ALEXNET, (1, 1)),
])
def test_any_change_of_the_source_is_noticed(lemur, config_for, readings, change):
    load_corpus(config_for(lemur))
    change(lemur)
    load_corpus(config_for(lemur))
    assert len(readings) == 2


def test_importing_a_network_is_no_change_of_the_source(lemur, config_for, readings):
    (lemur / "nn" / "__pycache__").mkdir()
    load_corpus(config_for(lemur))
    (lemur / "nn" / "__pycache__" / "AlexNet.pyc").touch()
    load_corpus(config_for(lemur))
    assert len(readings) == 1


def test_a_changed_database_is_noticed(database, config_for):
    before = load_corpus(config_for(database))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE stat SET accuracy = 0.99")
    assert load_corpus(config_for(database)).fingerprint != before.fingerprint


def test_earlier_states_of_a_source_are_not_kept(lemur, config_for, home):
    load_corpus(config_for(lemur))
    (lemur / ALEXNET).unlink()
    load_corpus(config_for(lemur))
    assert len(list((home / "corpus").iterdir())) == 1


def test_a_reading_that_fails_on_the_way_leaves_nothing_behind(lemur, config_for, home, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        load_corpus(config_for(lemur))
    assert list((home / "corpus").iterdir()) == []


def test_a_warm_description_reads_no_table_and_needs_no_pandas(lemur, config_for):
    describe(config_for(lemur))
    command = [sys.executable, "-X", "importtime", "-m", "nngpt_perfclf", "corpus", "--json", f"corpus.path={lemur}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["trials"] == 4
    assert "pandas" not in told.stderr
