import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.profiling.settings import FIRST, SECOND, at, line
from nngpt_perfclf.types import Recipe

VALUES = st.floats(0.001, 10)


@given(VALUES, VALUES, st.sampled_from(["lr", "momentum", "dropout"]))
def test_a_proportional_setting_is_exact_everywhere(factor, value, of):
    first, second = factor * getattr(FIRST, of), factor * getattr(SECOND, of)
    assert at(Recipe(**{of: value}), first, second, of) == pytest.approx(factor * value, rel=1e-8)
    assert line(first, second, of)[0] == 0


@given(VALUES, st.sampled_from(["lr", "momentum", "dropout"]))
def test_what_is_given_unchanged_comes_back_unchanged(value, of):
    assert at(Recipe(**{of: value}), getattr(FIRST, of), getattr(SECOND, of), of) == value


@given(VALUES, VALUES)
def test_a_constant_setting_heeds_no_recipe(constant, value):
    assert at(Recipe(lr=value), constant, constant, "lr") == constant


def test_a_linear_setting_is_followed():
    assert at(Recipe(dropout=0.6), 1 - 0.2, 1 - 0.3, "dropout") == pytest.approx(0.4)


def test_an_unstated_recipe_and_a_missing_setting():
    assert at(Recipe(), 0.1, 0.2, "lr") == 0.1
    assert at(Recipe(lr=1.0), None, None, "lr") is None
