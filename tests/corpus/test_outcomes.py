from dataclasses import replace

import pytest

from nngpt_perfclf.config import conf_folder, load_config
from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.tasks import labelled_trials, load_task, make_pairs
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Recipe


@pytest.fixture
def codes(lemur):
    return {path.stem: path.read_text() for path in (lemur / "nn").glob("*.py")}


@pytest.fixture
def run(tmp_path, lemur, codes):
    """A loop that trained one of LEMUR's networks and another one of its name, and failed with a third."""
    config = load_config(overrides=["loop=local", f"corpus.path={lemur}"])
    recipe = Recipe(lr=0.3, momentum=0.5, batch=32, transform="norm_32")
    with RunDatabase(tmp_path / "run" / FILE, config) as runs:
        for name, code, accuracy in (("AlexNet", codes["AlexNet"], 0.8), ("ga-mut_1", "class Net: other = 1", 0.6),
                                     ("broken", "class Net: 1 / 0", None)):
            runs.add_outcome(Candidate(name, code, recipe), Outcome(name, "digits", accuracy, 2.5, ""))
    return tmp_path / "run" / FILE


@pytest.fixture
def config(run, lemur):
    return load_config(overrides=[f"corpus.path={lemur}", f"corpus.outcomes=[{run}]"])


def test_what_was_trained_stands_beside_what_lemur_recorded(config, lemur):
    corpus = load_corpus(config)
    ours = corpus.trials[corpus.trials["dataset"] == "digits"]
    assert len(corpus.trials) == 4 + 2
    first = ours[ours["nn"] == "AlexNet"].iloc[0]
    assert (first.task, first.metric, first.epoch) == ("img-classification", "acc", 1)
    assert (first.accuracy, first.duration, first.lr, first.batch) == (0.8, 2.5, 0.3, 32.0)
    assert first.dropout != first.dropout
    assert ours["trial"].is_unique
    plain = load_corpus(replace_outcomes(config)).trials
    assert [kind.kind for kind in corpus.trials.dtypes] == [kind.kind for kind in plain.dtypes]


def replace_outcomes(config, *files):
    return replace(config, corpus=replace(config.corpus, outcomes=tuple(map(str, files))))


def test_the_same_name_with_other_code_is_another_network(config, codes):
    corpus = load_corpus(config)
    named = set(corpus.trials.loc[corpus.trials["dataset"] == "digits", "nn"])
    other = next(iter(named - {"AlexNet"}))
    assert other.startswith("ga-mut_1-")
    assert corpus.codes[other] == "class Net: other = 1"
    assert corpus.codes["ga-mut_1"] == codes["ga-mut_1"]


def test_an_adviser_can_learn_from_the_pairs_that_come_of_it(config):
    task = load_task(conf_folder() / "task" / "local.yaml")
    trials = labelled_trials(load_corpus(config), task, 1)
    pairs = make_pairs(trials, "normalized", "random", 0)
    assert {(row.nn, frozenset((row.ds_a, row.ds_b))) for row in pairs.itertuples()} == {
        ("AlexNet", frozenset(("cifar-10", "digits")))}


def test_other_outcomes_are_another_corpus(config, run):
    without, with_them = load_corpus(replace_outcomes(config)), load_corpus(config)
    assert without.fingerprint != with_them.fingerprint
    assert load_corpus(config).fingerprint == with_them.fingerprint
    assert str(run) in with_them.source


def test_a_file_that_is_no_run_database_is_named(config, tmp_path, run):
    (tmp_path / "text").write_text("hello, this is no database\n" * 100)
    for files, line in (([tmp_path / "text"], "text is not a run database"), ([tmp_path / "no"], "no run database"),
                        ([run, run], "twice")):
        with pytest.raises(PerfclfError, match=line):
            load_corpus(replace_outcomes(config, *files))
