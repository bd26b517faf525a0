"""The share that is let through, whatever the stream does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.gate.threshold import Recent, Settings, by_chance, let_through
from nngpt_perfclf.types import PerfclfError

COUNT = 600


def share_of(scores, keep, seed=0, **settings):
    ties = np.random.default_rng([seed, 1]).random(scores.shape)
    return let_through(scores, ties, Settings(keep, **settings))[:, -500:].mean()


def expected(keep):
    return keep + (1 - keep) * Settings().explore


STREAMS = {
    "stationary": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(size=n),
    "two kinds": lambda rng, n: rng.normal(size=n) + 10 * rng.integers(2, size=n),
    "all equal": lambda rng, n: np.zeros(n),
    "few values": lambda rng, n: rng.integers(3, size=n).astype(float),
    "slowly better": lambda rng, n: rng.normal(size=n) + np.linspace(0, 3, n[1]),
    "slowly worse": lambda rng, n: rng.normal(size=n) - np.linspace(0, 3, n[1]),
    "a sudden step": lambda rng, n: rng.normal(size=n) + 4 * (np.arange(n[1]) > n[1] // 2),
    "up and down": lambda rng, n: rng.normal(size=n) + 3 * np.sin(np.arange(n[1]) / 30),
}


@pytest.mark.parametrize("keep", [0.5, 0.25])
@pytest.mark.parametrize("name", STREAMS)
def test_the_share_that_is_let_through_is_the_wanted_one(name, keep):
    scores = STREAMS[name](np.random.default_rng(3), (12, COUNT))
    assert share_of(scores, keep) == pytest.approx(expected(keep), abs=0.06)


@pytest.mark.parametrize("step", [1.0, -1.0])
def test_even_where_each_candidate_beats_all_before_it_the_share_approaches_the_wanted_one(step):
    scores = np.tile(step * np.arange(4000.0), (3, 1))
    ties = np.random.default_rng(0).random(scores.shape)
    kept = let_through(scores, ties, Settings(0.25))
    assert kept.mean() == pytest.approx(expected(0.25), abs=0.03)


@given(st.integers(0, 99), st.sampled_from([0.1, 0.25, 0.5, 0.75]))
def test_the_best_of_a_stationary_stream_is_let_through_and_the_worst_is_not(seed, keep):
    scores = np.random.default_rng(seed).normal(size=(20, 80))
    scores[:, 60], scores[:, 70] = 6.0, -6.0
    through = let_through(scores, np.full(scores.shape, 0.999), Settings(keep, explore=0))
    assert through[:, 60].all()
    assert not through[:, 70].any()


@given(st.integers(0, 99))
def test_candidates_without_a_score_pass_and_change_nothing_for_the_others(seed):
    rng = np.random.default_rng(seed)
    scores, ties = rng.normal(size=(1, 40)), rng.random((1, 40))
    places = np.sort(rng.choice(60, 40, replace=False))
    wide, wide_ties = np.full((1, 60), np.nan), rng.random((1, 60))
    wide[:, places], wide_ties[:, places] = scores, ties
    through = let_through(wide, wide_ties, Settings(0.3))
    assert (through[:, places] == let_through(scores, ties, Settings(0.3))).all()
    assert through[np.isnan(wide)].all()


def test_the_first_few_pass():
    scores = np.tile(-np.arange(30.0), (5, 1))
    through = let_through(scores, np.full(scores.shape, 0.5), Settings(0.1, first=3, explore=0))
    assert through[:, :3].all()
    assert not through[:, 3:6].any()


def test_equal_scores_are_ordered_by_their_ties():
    past, past_ties = np.zeros((1, 100)), np.linspace(0, 1, 100)[None]
    recent = Recent.of(past, past_ties, Settings())
    first, last = (recent.chance_of_better(np.zeros(1), np.array([tie]))[0] for tie in (0.01, 0.99))
    assert first < 0.05 < 0.95 < last


def test_the_share_by_chance_has_nothing_to_do_with_the_ties():
    ties = np.random.default_rng(0).random(200_000)
    chosen = by_chance(ties, Settings(explore=0.02))
    assert chosen.mean() == pytest.approx(0.02, abs=0.002)
    assert ties[chosen].mean() == pytest.approx(0.5, abs=0.02)


@given(st.integers(0, 200), st.floats(0.05, 0.95))
def test_scores_above_the_threshold_pass_and_scores_below_it_do_not(seed, at):
    rng = np.random.default_rng(seed)
    past, ties = rng.normal(size=30) * 10.0**rng.integers(-3, 4), rng.random(30)
    recent = Recent.of(past[None], ties[None], Settings())
    limit = recent.threshold(at)
    above, below = (recent.chance_of_better(np.array([limit + shift * past.std()]), np.array([0.5]))[0]
                    for shift in (1e-3, -1e-3))
    assert above < at <= below


def test_no_threshold_is_finite_where_everything_or_nothing_passes():
    past = np.arange(5.0)[None]
    recent = Recent.of(past, past / 5, Settings())
    assert recent.threshold(0.0) == float("inf")
    assert recent.threshold(1.0) == float("-inf")


def test_keep_1_lets_everything_through():
    scores = np.random.default_rng(0).normal(size=(3, 50))
    assert let_through(scores, np.full(scores.shape, 0.5), Settings(1.0)).all()


@pytest.mark.parametrize("keep", [0, -1, 1.01, float("nan")])
def test_impossible_shares_are_refused(keep):
    with pytest.raises(PerfclfError, match="keep must lie"):
        Settings(keep)
