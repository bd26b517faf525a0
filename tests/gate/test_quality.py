"""What a gate says of its own scores."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from nngpt_perfclf.gate.quality import LEAST, RECENT, hit_rate, quality_of


def test_nothing_is_said_of_a_few_outcomes():
    assert quality_of(range(LEAST - 1), range(LEAST - 1)).hit_rate is None


def test_scores_that_order_the_accuracies_hit_always():
    found = quality_of(range(RECENT), [place / 100 for place in range(RECENT)])
    assert (found.hit_rate, found.correlation, found.warning) == (1.0, pytest.approx(1.0), "")


def test_scores_that_say_nothing_are_named():
    rng = np.random.default_rng(4)
    warned = [quality_of(rng.random(RECENT), rng.random(RECENT)).warning for _ in range(200)]
    assert 60 < sum("no better than chance" in warning for warning in warned) < 140


def test_scores_that_are_worth_something_are_rarely_warned_of():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(200, 3 * RECENT))
    warned = [bool(quality_of(row, row + rng.normal(size=len(row))).warning) for row in truth]
    assert np.mean(warned) < 0.05


def test_a_hit_rate_that_falls_is_named():
    rng = np.random.default_rng(6)
    good, bad = rng.random(100), rng.random(RECENT)
    reached = np.concatenate([good + 0.05 * rng.random(100), bad * 0.35 + rng.random(RECENT)])
    found = quality_of(np.concatenate([good, bad]), np.clip(reached, 0, 1))
    assert "fell from" in found.warning or "chance" in found.warning
    assert found.hit_rate < 0.8


def test_equal_scores_are_no_hits_and_are_named():
    assert hit_rate(np.ones(5), np.arange(5.0)) is None
    assert "equal" in quality_of(np.ones(RECENT), np.arange(RECENT) / 100).warning


def test_the_correlation_is_spearmans():
    rng = np.random.default_rng(7)
    x, y = rng.integers(5, size=RECENT).astype(float), rng.integers(7, size=RECENT) / 7
    assert quality_of(x, y).correlation == pytest.approx(spearmanr(x, y).statistic)
