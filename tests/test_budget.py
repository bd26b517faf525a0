"""Sizes fit into the time at any rate, and grow with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.budget import (
    ENOUGH,
    LEAST_CALIBRATION,
    Rates,
    Work,
    announcement,
    calibrating,
    calibration_pairs,
    in_words,
    measured_rate,
)

rates = st.builds(Rates, st.floats(1, 1e6), st.floats(1, 1e6))
sizes = st.integers(0, 10_000)


@given(sizes, rates)
def test_work_lasts_its_own_seconds_and_its_tokens_at_the_rates(count, speed):
    for work in (calibrating(count), Work(3.0, read=7.0 * count, train=2.0 * count)):
        assert work.lasts(speed) == pytest.approx(work.seconds + work.train / speed.train + work.read / speed.read)
        assert (Work(5.0) + work).lasts(speed) == pytest.approx(5 + work.lasts(speed))


@given(st.integers(1, 20_000), st.integers(1, 2_000))
def test_calibration_is_bounded_by_the_labels_by_what_is_configured_and_by_nothing_else(labels, most):
    wanted = calibration_pairs(labels, most)
    assert wanted <= most
    assert wanted <= max(LEAST_CALIBRATION, labels / 4)
    assert wanted >= min(most, LEAST_CALIBRATION)
    assert calibration_pairs(labels, None) is None


@given(st.floats(1e-4, 10), st.integers(1, 8), st.integers(8, 1000))
def test_a_rate_is_that_of_a_sample_that_takes_long_enough(each, least, most):
    done = []

    def work(size):
        done.append(size)
        return 3.0 * size

    found = measured_rate(work, least, most, lambda call: (call(), each * done[-1]))
    assert found == pytest.approx(3 / each)
    assert done[:2] == [least, least]
    assert each * done[-1] > ENOUGH or done[-1] == most
    assert sorted(done) == done


def test_an_announcement_says_what_takes_how_long():
    assert announcement("evaluation", 39.2, "9 pairs") == "evaluation takes about 40 s on this machine: 9 pairs"


@pytest.mark.parametrize(("seconds", "words"), [
    (0.2, "about 1 s"), (39.2, "about 40 s"), (200, "about 3 min"), (3599, "about 1 h 0 min"),
    (4200, "about 1 h 10 min")])
def test_a_time_is_said_as_people_say_it(seconds, words):
    assert in_words(seconds) == words
