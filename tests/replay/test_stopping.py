"""Policies that stop training early, replayed over made-up curves."""

from dataclasses import replace

import numpy as np
import pytest
from curve_world import made_adviser
from little_world import made_code
from replay_world import make_pool

from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.policies import Rule
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.loop.stopping import build_stopping
from nngpt_perfclf.replay import curves
from nngpt_perfclf.replay.curves import CurvePool, measure
from nngpt_perfclf.replay.regret import draw_generations
from nngpt_perfclf.types import PerfclfError


@pytest.fixture(scope="module")
def made():
    """Forty candidates whose accuracies after three epochs keep the order of the first, with 1 second an epoch."""
    pool = make_pool()
    pool = replace(pool, candidates=tuple(replace(one, arch_code=made_code(place))
                                          for place, one in enumerate(pool.candidates)))
    accuracy = np.stack([pool.accuracy * share for share in (0.5, 0.7, 0.8)], axis=1)
    return CurvePool(pool, accuracy, np.tile([1.0, 2.0, 3.0], (len(accuracy), 1)))


def measured(made, name, asking=0.0, **rule):
    draws = draw_generations([made.pool], 20, 10, 0)["svhn"]
    adviser = made_adviser(epoch=3)
    asked = {epoch: [Scored(score, asking) for score in adviser.score(made.seen(epoch), "svhn")] for epoch in range(3)}
    found = measure(draws, made, build_stopping(name, Rule(**rule), (1,)), asked)
    return {metric: values[0] for metric, values in found.items()}


def test_training_everything_to_the_end_loses_and_saves_nothing(made):
    found = measured(made, "nop")
    assert (found["regret_points"], found["time_saved"], found["epochs_saved"], found["finished"]) == (0, 0, 0, 1)


def test_halving_after_the_first_of_three_epochs_saves_a_third(made):
    found = measured(made, "halve", keep=0.5)
    assert found["regret_points"] == 0
    assert found["time_saved"] == found["epochs_saved"] == pytest.approx(1 / 3)


def test_asking_again_stops_more_at_no_regret_and_pays_for_asking(made):
    free, paid = (measured(made, "ask_halve", asking, keep=1.0, miss_probability=0.05) for asking in (0.0, 0.1))
    assert free["regret_points"] < 1
    assert free["time_saved"] > 1 / 3
    assert paid["time_saved"] < free["time_saved"]


def test_without_a_share_the_miss_probability_alone_decides_who_is_trained(made):
    few, more = (measured(made, "ask_halve", keep=None, miss_probability=miss) for miss in (0.5, 0.05))
    assert few["epochs_saved"] > more["epochs_saved"] >= 0


def test_candidates_know_what_they_have_reached_so_far(made):
    seen = made.seen(2)[0]
    assert dict(seen.seen) == {1: made.accuracy[0, 0], 2: made.accuracy[0, 1]}
    assert dict(seen.seconds) == {1: 1.0, 2: 2.0}
    assert not made.seen(0)[0].seen


def test_a_single_epoch_leaves_nothing_to_stop():
    with pytest.raises(PerfclfError, match="set epoch=5"):
        curves.load_curves(load_config(overrides=["loop=epochs"]))
