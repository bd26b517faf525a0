"""Each trial in LEMUR's files becomes one row, and nothing that cannot be read is passed over in silence."""

import json
import math
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.corpus import describe, files, load_corpus
from nngpt_perfclf.corpus.records import COLUMNS
from nngpt_perfclf.types import PerfclfError

ALEXNET = "stat/train/img-classification_cifar-10_acc_AlexNet"
NAMES = st.text("abcXYZ019-", min_size=1, max_size=8)
TRIAL = {"accuracy": 0.5, "batch": 8, "duration": 1, "lr": 0.1, "transform": "norm", "uid": "u"}


def test_a_trial_has_its_recipe_its_time_in_seconds_and_nan_where_nothing_was_stated(lemur, config_for):
    corpus = load_corpus(config_for(lemur))
    assert list(corpus.trials.columns) == list(COLUMNS)
    first, second = corpus.trials[corpus.trials["nn"] == "AlexNet"].query("epoch == 1").to_dict("records")
    assert first == {"task": "img-classification", "dataset": "cifar-10", "metric": "acc", "nn": "AlexNet", "epoch": 1,
                     "accuracy": 0.5, "duration": 2.5, "lr": 0.01, "momentum": 0.9, "batch": 16.0, "dropout": 0.2,
                     "transform": "norm_64_flip", "trial": "u1"}
    assert math.isnan(second["momentum"])
    assert math.isnan(second["dropout"])


def test_the_codes_are_those_of_all_networks(lemur, config_for):
    assert load_corpus(config_for(lemur)).codes == {"AlexNet": "class Net: pass\n",
                                                    "ga-mut_1": "class Net:\n    depth = 3\n"}


def test_a_codes_lines_end_in_a_bare_newline_whoever_wrote_them(lemur, config_for):
    (lemur / "nn" / "AlexNet.py").write_bytes(b"class Net:\r\n    pass\r")
    assert load_corpus(config_for(lemur)).codes["AlexNet"] == "class Net:\n    pass\n"


def test_a_networks_name_may_hold_underscores(lemur, config_for):
    assert "ga-mut_1" in set(load_corpus(config_for(lemur)).trials["nn"])


@given(task=NAMES, dataset=NAMES, metric=NAMES, nn=st.text("abcXYZ019-_", min_size=1, max_size=12),
       epoch=st.integers(0, 10**6))
def test_every_run_folders_name_gives_back_what_it_was_made_of(tmp_path_factory, task, dataset, metric, nn, epoch):
    root = tmp_path_factory.mktemp("lemur")
    run = root / "stat" / "train" / f"{task}_{dataset}_{metric}_{nn}"
    run.mkdir(parents=True)
    (root / "nn").mkdir()
    (run / f"{epoch}.json").write_text(json.dumps([TRIAL]))
    row = files.read(root).trials.iloc[0]
    assert (row["task"], row["dataset"], row["metric"], row["nn"], row["epoch"]) == (task, dataset, metric, nn, epoch)


def test_empty_lists_are_counted_and_are_no_error(lemur, config_for):
    (lemur / ALEXNET / "3.json").write_text("[]")
    empty_run = lemur / "stat" / "train" / "img-classification_cifar-10_acc_ga-mut-2"
    empty_run.mkdir()
    (empty_run / "1.json").write_text("[]")
    counts = describe(config_for(lemur))
    assert (counts["empty_files"], counts["empty_runs"], counts["skipped_files"]) == (2, 1, 0)
    assert (counts["networks"], counts["networks_with_trials"], counts["trials"]) == (3, 2, 4)


@pytest.mark.parametrize("content", [
    b'[{"accuracy": 0.5, "batch": 16', b"", b"\xff\xfe", b'{"accuracy": 1}', b"[1, 2]", b"null", b'[{"accuracy": 0.5}]',
    b'[{"accuracy": "high", "batch": 1, "duration": 1, "lr": 1, "transform": "norm", "uid": "u"}]',
    b'[{"accuracy": 0.5, "batch": 1, "duration": 1, "lr": 1, "transform": null, "uid": "u"}]',
])
def test_a_damaged_file_is_skipped_counted_and_named_and_the_others_are_read(lemur, config_for, content):
    (lemur / ALEXNET / "2.json").write_bytes(content)
    counts = describe(config_for(lemur))
    assert (counts["skipped_files"], counts["trials"]) == (1, 3)
    assert counts["skipped"][0].startswith("img-classification_cifar-10_acc_AlexNet/2.json: ")


def test_a_file_with_one_bad_trial_gives_none_of_its_trials(lemur, config_for):
    good = json.dumps(TRIAL)
    (lemur / ALEXNET / "2.json").write_text(f'[{good}, {{"accuracy": 0.1}}]')
    corpus = load_corpus(config_for(lemur))
    assert len(corpus.trials) == 3
    assert corpus.skipped == ("img-classification_cifar-10_acc_AlexNet/2.json: a trial without 'duration'",)


@pytest.mark.parametrize("name", ["notes.txt", "best.json", "-1.json"])
def test_a_file_that_is_no_epoch_is_skipped_and_named(lemur, config_for, name):
    (lemur / ALEXNET / name).write_text("[]")
    assert describe(config_for(lemur))["skipped"] == [
        f"img-classification_cifar-10_acc_AlexNet/{name}: not named <epoch>.json"]


def test_a_folder_with_another_name_is_skipped_and_named(lemur, config_for):
    (lemur / "stat" / "train" / "notes").mkdir()
    assert describe(config_for(lemur))["skipped"] == ["notes: not named <task>_<dataset>_<metric>_<nn>"]


def test_code_that_is_no_text_is_skipped_and_named(lemur, config_for):
    (lemur / "nn" / "AlexNet.py").write_bytes(b"\xff\xfe")
    corpus = load_corpus(config_for(lemur))
    assert set(corpus.codes) == {"ga-mut_1"}
    assert corpus.skipped[0].startswith("nn/AlexNet.py: ")


def test_no_results_at_all_are_an_error(lemur, config_for):
    shutil.rmtree(lemur / "stat" / "train")
    (lemur / "stat" / "train").mkdir()
    with pytest.raises(PerfclfError, match="holds no results"):
        load_corpus(config_for(lemur))


def test_the_counts_by_task_dataset_and_metric_add_up(lemur, config_for):
    counts = describe(config_for(lemur))
    rows = {row["dataset"]: row for row in counts["tasks"]}
    assert sum(row["trials"] for row in counts["tasks"]) == counts["trials"] == 4
    assert (rows["cifar-10"]["networks"], rows["cifar-10"]["first_epoch"], rows["cifar-10"]["last_epoch"]) == (1, 1, 2)
    assert json.dumps(counts)
