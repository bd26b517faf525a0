"""Two machines that learned from the same trials and codes can tell so, wherever and whenever these were written."""

import json
import os
import shutil

import pytest

from nngpt_perfclf.corpus import describe, load_corpus
from nngpt_perfclf.corpus.records import CATEGORIES, fingerprint

ALEXNET = "stat/train/img-classification_cifar-10_acc_AlexNet/1.json"


def test_a_copy_written_later_and_elsewhere_has_the_same_fingerprint(lemur, config_for, tmp_path):
    copy = shutil.copytree(lemur, tmp_path / "elsewhere" / "nn", copy_function=shutil.copyfile)
    os.utime(copy / ALEXNET, (1, 1))
    assert load_corpus(config_for(copy)).fingerprint == load_corpus(config_for(lemur)).fingerprint


def test_files_and_the_database_that_was_filled_from_them_have_the_same_fingerprint(lemur, database, config_for):
    assert load_corpus(config_for(database)).fingerprint == load_corpus(config_for(lemur)).fingerprint


def test_the_order_of_trials_in_a_file_and_a_repeated_one_do_not_count(lemur, config_for):
    before = load_corpus(config_for(lemur)).fingerprint
    trials = json.loads((lemur / ALEXNET).read_text())
    (lemur / ALEXNET).write_text(json.dumps([*reversed(trials), trials[0]]))
    assert load_corpus(config_for(lemur)).fingerprint == before


def test_a_network_without_trials_does_not_count(lemur, config_for):
    before = load_corpus(config_for(lemur)).fingerprint
    (lemur / "nn" / "Untried.py").write_text("class Net: untried = 1\n")
    assert load_corpus(config_for(lemur)).fingerprint == before


@pytest.mark.parametrize("change", [
    lambda root: (root / ALEXNET).write_text((root / ALEXNET).read_text().replace("0.5", "0.6")),
    lambda root: (root / ALEXNET).write_text((root / ALEXNET).read_text().replace("norm_64_flip", "norm_32")),
    lambda root: (root / ALEXNET).rename((root / ALEXNET).with_name("7.json")),
    lambda root: (root / "nn" / "AlexNet.py").write_text("class Net: deep = True\n"),
    lambda root: (root / "nn" / "AlexNet.py").unlink(),
])
def test_another_trial_or_code_is_another_fingerprint(lemur, config_for, change):
    before = load_corpus(config_for(lemur)).fingerprint
    change(lemur)
    assert load_corpus(config_for(lemur)).fingerprint != before


def test_the_description_tells_the_fingerprint_of_the_loaded_corpus_whatever_its_columns_are_kept_as(lemur, config_for):
    corpus = load_corpus(config_for(lemur))
    plain = corpus.trials.astype(dict.fromkeys(CATEGORIES, "str")).sample(frac=1, random_state=0)
    assert describe(config_for(lemur))["fingerprint"] == corpus.fingerprint == fingerprint(plain, corpus.codes)
