import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.calibration import (
    Calibration,
    antisymmetric_weights,
    load_calibration,
    save_calibrations,
)
from nngpt_perfclf.types import PerfclfError


def drawn(slope, n=20_000, seed=0):
    random = np.random.default_rng(seed)
    odds = random.normal(0, 3, n)
    return odds, random.random(n) < 1 / (1 + np.exp(-slope * odds))


@pytest.mark.parametrize("slope", [0.3, 1.0, 2.5])
def test_the_slope_is_found(slope):
    assert Calibration.fit(*drawn(slope)).slope == pytest.approx(slope, rel=0.06)


@given(st.floats(-50, 50), st.floats(0.01, 10))
def test_the_sign_of_a_score_is_all_that_its_order_decides(odds, slope):
    calibration = Calibration(slope)
    assert calibration(np.array([-odds]))[0] == -calibration(np.array([odds]))[0]


def test_which_side_stands_first_does_not_matter_to_the_fit():
    odds, won = drawn(0.7, n=500)
    turned = np.random.default_rng(1).random(500) < 0.5
    other = Calibration.fit(np.where(turned, -odds, odds), won ^ turned)
    assert other.slope == pytest.approx(Calibration.fit(odds, won).slope, abs=1e-6)


def test_no_opinion_is_left_out_and_none_at_all_is_an_error():
    odds, won = drawn(1.0, n=500)
    with_holes = np.concatenate([odds, [np.nan] * 50])
    assert Calibration.fit(with_holes, np.append(won, [True] * 50)).slope == Calibration.fit(odds, won).slope
    with pytest.raises(PerfclfError, match="no validation pairs"):
        Calibration.fit(np.full(3, np.nan), np.ones(3, bool))


def test_scores_that_point_the_wrong_way_are_an_error():
    odds, won = drawn(1.0, n=500)
    with pytest.raises(PerfclfError, match="wrong way"):
        Calibration.fit(-odds, won)


def test_a_part_that_says_nothing_weighs_next_to_nothing():
    odds, won = drawn(1.0)
    noise = np.random.default_rng(5).normal(0, 1, len(odds))
    good, useless = antisymmetric_weights(np.column_stack([odds, noise]), won)
    assert good == pytest.approx(1, rel=0.06)
    assert abs(useless) < 0.05


def test_it_is_stored_for_each_label(tmp_path):
    file = tmp_path / "calibration.json"
    save_calibrations({"rank": Calibration(0.5)}, file)
    assert load_calibration(file, "rank") == Calibration(0.5)
    with pytest.raises(PerfclfError, match="label=normalized"):
        load_calibration(file, "normalized")
