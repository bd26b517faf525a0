import numpy as np
import pytest
from curve_world import made_model
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.curve_model import CurveModel, Step, aim_of, fit_step, with_trust
from nngpt_perfclf.types import PerfclfError

NUMBER = st.floats(-5, 5)
SHARE = st.floats(0, 1)


def test_a_straight_line_is_found():
    seen = np.linspace(-2, 2, 50)
    step = fit_step(seen, 0.5 + 0.8 * seen, np.ones(50))
    assert (step.offset, step.slope, step.deviation) == pytest.approx((0.5, 0.8, 0.0), abs=1e-9)


def test_what_was_expected_before_the_training_is_learned_from_the_residuals():
    random = np.random.default_rng(0)
    seen, percentiles = random.normal(size=500), random.uniform(0.1, 0.9, 500)
    before = np.log(percentiles / (1 - percentiles))
    step = with_trust(Step(0.0, 1.0, 0.5), seen, seen + 0.3 * before, percentiles, np.ones(500))
    assert step.trust == pytest.approx(0.3)
    assert step(1.0, 0.9) > step(1.0, None) > step(1.0, 0.1)


@given(st.lists(st.tuples(NUMBER, NUMBER, st.floats(0.1, 3)), min_size=2, max_size=20), NUMBER, NUMBER, SHARE, SHARE)
def test_no_fitted_step_falls_where_what_was_seen_or_expected_rises(trials, first, second, share, other):
    seen, later, weights = (np.array(column) for column in zip(*trials, strict=True))
    step = with_trust(fit_step(seen, later, weights), seen, later, np.linspace(0.1, 0.9, len(seen)), weights)
    low, high = sorted((first, second))
    less, more = sorted((share, other))
    assert step(low, less) <= step(high, less) + 1e-9
    assert step(low, less) <= step(low, more) + 1e-9


def test_between_recorded_epochs_the_wider_step_is_taken():
    model = made_model()
    assert model.step(7, 12) == model.steps[5, 20]
    assert model.step(0, 1) == model.steps[0, 1]
    assert aim_of(3) == 3


def test_nothing_is_said_beyond_the_last_recorded_epoch():
    with pytest.raises(PerfclfError, match="epochs 1 to 50"):
        made_model().step(3, 51)


def test_steps_come_back_as_they_were_saved(tmp_path):
    made_model().save(tmp_path)
    assert CurveModel.load(tmp_path).steps == {
        pair: Step(*(round(value, 5) for value in vars(step).values())) for pair, step in made_model().steps.items()}
    (tmp_path / "steps.json").write_text('{"0 to 1": {"offset": 1}}')
    with pytest.raises(PerfclfError, match="no steps from epoch to epoch"):
        CurveModel.load(tmp_path)
