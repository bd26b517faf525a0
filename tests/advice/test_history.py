"""What a network reached before moves its score where it is used again."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from little_world import made_code

from nngpt_perfclf.advice.history import History
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe, Score

CODES = {"good": made_code(1), "bad": made_code(2)}
DATA = SimpleNamespace(candidates=partial(TaskData.candidates, SimpleNamespace(codes=CODES)))
RECIPES = [0.001, 0.01, 0.1]


class Unsure:
    """Expects the middle of everything."""

    def score(self, candidates, target):
        return [Score(0.1 * place, 0.4 + 0.1 * place, 0.1, 0.9, True, "unsure")
                for place, _ in enumerate(candidates)]


def trial(nn, dataset, lr, rank):
    return {"nn": nn, "dataset": dataset, "rank": rank, "lr": lr, "momentum": None, "batch": None, "dropout": None,
            "transform": None}


@pytest.fixture
def history():
    trials = [trial(nn, dataset, lr, rank) for nn, rank in (("good", 0.95), ("bad", 0.05))
              for dataset in ("mnist", "svhn") for lr in RECIPES]
    return History.fit(Unsure(), pd.DataFrame(trials), DATA)


def moved(history, code, target, lr=0.5):
    score = Score(0.0, 0.5, 0.1, 0.9, True, "unsure")
    found, = history.applied([score], [Candidate("asked", code, Recipe(lr=lr))], target)
    return found


def test_a_network_that_did_well_elsewhere_is_expected_to_do_well_on_a_new_dataset(history):
    good, bad = (moved(history, CODES[name], "fashion") for name in ("good", "bad"))
    assert good.percentile > 0.5 > bad.percentile
    assert good.value > 0 > bad.value
    assert good.high - good.low < 0.8
    assert "6 recorded trials of this network" in good.reason


def test_results_on_the_dataset_itself_count_more_than_those_elsewhere(history):
    assert moved(history, CODES["good"], "mnist").percentile > moved(history, CODES["good"], "fashion").percentile


def test_a_network_without_trials_keeps_its_score(history):
    score = Score(0.0, 0.5, 0.1, 0.9, True, "unsure")
    assert history.applied([score, None], [Candidate("new", made_code(3)), Candidate("none", CODES["good"])],
                           "mnist") == [score, None]


def test_comments_make_no_other_network(history):
    assert moved(history, "# a comment\n" + CODES["good"], "mnist") == moved(history, CODES["good"], "mnist")


def test_the_trial_that_is_asked_about_is_no_evidence():
    trials = [trial("good", "mnist", 0.1, 0.99), trial("good", "mnist", 0.2, 0.5), trial("bad", "mnist", 0.2, 0.5)]
    other = [{**trials[0], "rank": 0.01}, *trials[1:]]
    first, second = (History.fit(Unsure(), pd.DataFrame(table), DATA) for table in (trials, other))
    asked_again, asked_new = ([moved(one, CODES["good"], "mnist", lr).percentile for one in (first, second)]
                              for lr in (0.1, 0.3))
    assert asked_again[0] == asked_again[1]
    assert asked_new[0] > asked_new[1]


def test_a_network_with_no_other_trial_than_the_one_asked_about_keeps_its_score():
    history = History.fit(Unsure(), pd.DataFrame([trial("good", "mnist", 0.1, 0.99), trial("bad", "mnist", 0.2, 0.5)]),
                          DATA)
    assert moved(history, CODES["good"], "mnist", 0.1).reason == "unsure"


def test_a_history_is_read_as_it_was_written(history, tmp_path):
    history.save(tmp_path)
    read = History.load(tmp_path)
    assert moved(read, CODES["bad"], "svhn") == moved(history, CODES["bad"], "svhn")
    np.testing.assert_array_equal(read.residual, history.residual)


def test_a_damaged_history_is_one_clear_line(tmp_path):
    (tmp_path / "history.npz").write_bytes(b"nothing")
    with pytest.raises(PerfclfError, match="history of the recorded networks"):
        History.load(tmp_path)
