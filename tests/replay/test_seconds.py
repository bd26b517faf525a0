"""How well seconds were predicted, on pools whose seconds are known."""

from dataclasses import replace

import numpy as np
import pytest
from replay_world import make_pool

from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.replay.curves import CurvePool
from nngpt_perfclf.replay.seconds import TIMED, predicted_seconds
from nngpt_perfclf.types import Score


@pytest.fixture(scope="module")
def made():
    """Epochs of 10 to 1,000 seconds."""
    pool = make_pool()
    seconds = np.geomspace(10, 1000, len(pool.candidates))[:, None] * np.array([[1.0, 2.0]])
    return CurvePool(replace(pool, seconds=seconds[:, -1]), np.tile([[0.5, 0.6]], (len(seconds), 1)), seconds)


def predicted(made, factor=1.0, noise=0.0):
    off = factor * np.exp(np.random.default_rng(0).normal(0, noise, len(made.seconds)))
    answers = [Scored(Score(1.0, 0.5, 0.1, 0.9, True, "", seconds=float(one)), 0.0) for one in made.seconds[:, 0] * off]
    rows = predicted_seconds([made], {"svhn": answers}, {"svhn": 100.0}, 0)
    assert [(row["target"], row["timed"]) for row in rows] == [(name, k) for k in TIMED for name in ("svhn", "all")]
    return {row["timed"]: row for row in rows if row["target"] == "all"}


def test_a_perfect_prediction_has_a_ratio_of_1_and_the_median_that_of_the_spread(made):
    row = predicted(made)[0]
    assert (row["ratio"], row["ratio_low"], row["ratio_high"], row["r2"]) == (1, 1, 1, 1)
    assert row["ratio_of_median"] == pytest.approx(np.exp(np.median(np.abs(np.log(made.seconds[:, 0] / 100)))), rel=0.1)
    assert row["r2_of_median"] == pytest.approx(0, abs=0.01)


def test_the_interval_holds_the_figure(made):
    row = predicted(made, noise=0.5)[0]
    assert 1 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    assert 0 < row["r2"] < 1


def test_timed_candidates_make_up_for_another_machine(made):
    rows = predicted(made, factor=10.0, noise=0.1)
    assert rows[0]["ratio"] == pytest.approx(10, rel=0.1)
    assert 1 < rows[10]["ratio"] < rows[1]["ratio"] < 1.4
    assert rows[10]["r2"] > 0.9 > 0 > rows[0]["r2"]
