"""Prior, nearby trials and the model's reading are weighed by what each is worth on pairs nobody learned from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.offset import Offset, load_offset, save_offsets
from nngpt_perfclf.types import PerfclfError

numbers = st.floats(-5, 5)


def made(count=2000, seed=0, model=1.0, prior=1.0, near=1.0):
    """Pairs won by chance, with log-odds that each of the three parts knows a share of."""
    random = np.random.default_rng(seed)
    parts = random.normal(0, 1, (count, 3))
    odds = parts @ np.array([model, prior, near])
    won = random.random(count) < 1 / (1 + np.exp(-odds))
    share = np.stack([parts[:, 2], np.zeros(count)], axis=1)
    return parts[:, 0], parts[:, 1], share, won


@given(numbers, numbers, numbers, st.floats(0, 1), st.floats(0, 1))
def test_exchanging_the_sides_changes_the_sign_alone(weight, prior, near, a, b):
    offset = Offset(1.0, weight, near)
    there = offset.known(np.array([prior]), np.array([[a, b]]))
    back = offset.known(np.array([-prior]), np.array([[b, a]]))
    assert there == -back


def test_each_part_weighs_what_it_is_worth():
    scores, prior, near, won = made(model=0.5, prior=1.0, near=2.0)
    fitted = Offset(1.0, 1.0, 1.0).refit(scores, prior, near, won)
    assert (fitted.reading, fitted.prior, fitted.near) == pytest.approx((0.5, 1.0, 2.0), abs=0.25)


def test_a_part_that_points_the_wrong_way_gets_no_weight():
    scores, prior, near, won = made(model=-1.0)
    fitted = Offset(1.0, 1.0, 1.0).refit(scores, prior, near, won)
    assert fitted.reading == 0
    assert fitted.prior > 0
    assert fitted.near > 0


def test_scores_worth_nothing_leave_an_adviser_that_is_never_sure():
    scores, prior, near, won = made(model=-1.0)
    assert Offset().refit(scores, prior, near, won) == Offset(0.0, 0.0, 0.0)


def test_a_part_that_was_not_used_in_training_stays_unused():
    scores, prior, near, won = made()
    assert Offset(1.0, 1.0, 0.0).refit(scores, prior, near, won).near == 0


def test_a_dataset_without_recorded_trials_adds_nothing():
    assert Offset(1.0, 0.0, 9.0).known(np.zeros(1), np.array([[np.nan, 0.5]])) == 0


def test_offsets_come_back_as_they_were_written(tmp_path):
    saved = {"rank": Offset(0.1, 2.0, 3.5)}
    save_offsets(saved, tmp_path / "offset.json")
    assert load_offset(tmp_path / "offset.json", "rank") == saved["rank"]
    with pytest.raises(PerfclfError, match="no offset for label=normalized"):
        load_offset(tmp_path / "offset.json", "normalized")
