import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nngpt_perfclf.advice.percentiles import (
    FILE,
    FITTED,
    KNOTS,
    OF_FOLDS,
    OTHER,
    Percentiles,
    common_quantiles,
    load_percentiles,
    maps_of,
    save_percentiles,
)
from nngpt_perfclf.types import PerfclfError

share = st.floats(0, 1)
prediction = st.floats(-100, 100)


def drawn(count=3000, noise=0.15, seed=0):
    """Predictions, and percentiles that scatter around them."""
    random = np.random.default_rng(seed)
    predictions = random.random(count)
    return predictions, np.clip(predictions + random.normal(0, noise, count), 0, 1)


@given(st.lists(st.tuples(prediction, share), min_size=2, max_size=60), st.lists(prediction, min_size=1, max_size=20))
# An interpolated value exceeded that of the next knot by one bit.
@example([(0.0, 0.0), (0.0, 0.0), (0.0, 0.09263915037637062), (-51.125, 0.0)], [0.0, -3.8851256756121323e-156])
def test_low_expected_and_high_are_ordered_and_rise_with_the_prediction(trials, asked):
    predictions, ranks = np.array(trials).T
    expected, low, high = Percentiles.fit(predictions, ranks)(np.sort(asked))
    assert (low <= expected).all()
    assert (expected <= high).all()
    for column in (expected, low, high):
        assert (np.diff(column) >= 0).all()
        assert ((column >= 0) & (column <= 1)).all()


@given(st.lists(prediction, min_size=1, max_size=20), st.randoms())
def test_a_percentile_does_not_depend_on_the_other_predictions(asked, random):
    found, order = Percentiles.fit(*drawn(200)), list(range(len(asked)))
    random.shuffle(order)
    together = np.stack(found(np.array(asked)))
    assert (np.stack(found(np.array(asked)[order])) == together[:, order]).all()


def test_the_interval_holds_four_of_five_new_trials():
    found = Percentiles.fit(*drawn())
    predictions, ranks = drawn(seed=1)
    expected, low, high = found(predictions)
    assert np.mean((low <= ranks) & (ranks <= high)) == pytest.approx(0.82, abs=0.04)
    assert np.abs(expected - predictions).mean() < 0.05


def test_a_prediction_that_tells_nothing_leaves_the_widest_interval():
    random = np.random.default_rng(0)
    expected, low, high = Percentiles.fit(random.random(5000), random.random(5000))(np.array([0.1, 0.5, 0.9]))
    assert expected == pytest.approx([0.5] * 3, abs=0.1)
    assert (high - low).min() > 0.7


def test_beyond_what_was_seen_the_ends_are_kept():
    found = Percentiles.fit(*drawn())
    assert np.stack(found(np.array([-1e9]))).tolist() == np.stack(found(np.array([found.knots[0]]))).tolist()
    assert np.stack(found(np.array([1e9]))).tolist() == np.stack(found(np.array([found.knots[-1]]))).tolist()


def test_many_trials_take_no_more_room_than_a_few():
    assert len(Percentiles.fit(*drawn()).knots) == KNOTS
    assert len(Percentiles.fit(*drawn(3)).knots) == 3


@pytest.mark.parametrize("count", [0, 1])
def test_one_trial_is_too_few(count):
    with pytest.raises(PerfclfError, match="too few validation trials"):
        Percentiles.fit(np.zeros(count), np.zeros(count))


def test_maps_come_back_as_they_were_written(tmp_path):
    maps = {mode: {OTHER: Percentiles.fit(*drawn(50, seed=seed)), "mnist": Percentiles.fit(*drawn(5))}
            for seed, mode in enumerate(("with_recipe", "code_only"))}
    save_percentiles({"rank": maps}, tmp_path)
    assert load_percentiles(tmp_path, "rank") == maps
    with pytest.raises(PerfclfError, match="holds no percentiles for label=normalized"):
        load_percentiles(tmp_path, "normalized")


COLUMNS = {"knots": [0, 1], "expected": [0, 1], "low": [0, 1], "high": [0, 1]}


@pytest.mark.parametrize("content", [
    None, [], {"with_recipe": {}}, {"with_recipe": {OTHER: COLUMNS}},
    *({"with_recipe": {OTHER: COLUMNS}, "code_only": {OTHER: {**COLUMNS, **change}}}
      for change in ({"knots": [0]}, {"low": "ab"}, {"low": None}, {"knot": [0, 1]})),
    {"with_recipe": {OTHER: COLUMNS}, "code_only": {OTHER: dict.fromkeys(COLUMNS, ())}},
    {"with_recipe": {OTHER: COLUMNS}, "code_only": {"mnist": COLUMNS}}], ids=range(10))
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    (tmp_path / FILE).write_text(json.dumps({"rank": content}))
    with pytest.raises(PerfclfError, match="holds no percentiles for label=rank"):
        load_percentiles(tmp_path, "rank")


def test_a_dataset_with_few_trials_borrows_the_width_of_all():
    wide, narrow = drawn(2000, noise=0.3), drawn(10, noise=0.01)
    common = common_quantiles([wide, narrow])
    alone, shrunk = Percentiles.fit(*narrow), Percentiles.fit(*narrow, common)
    many = Percentiles.fit(*drawn(2000, noise=0.01), common)
    middle = np.array([0.5])
    widths = [float(high[0] - low[0]) for _, low, high in (one(middle) for one in (alone, many, shrunk))]
    assert widths == sorted(widths)
    assert widths[0] < 0.1 < 0.3 < widths[2]


def test_the_interval_of_several_folds_is_narrower_than_that_of_one_part():
    trials = pd.DataFrame({"dataset": "svhn", **dict(zip(("predicted", "rank"), drawn(500), strict=True))})
    widths = [(np.array(found.high) - found.low).mean() for found in
              (maps_of(trials, ends)["svhn"] for ends in (OF_FOLDS, FITTED))]
    assert widths == sorted(widths)
    assert maps_of(trials, OF_FOLDS)["svhn"].expected == maps_of(trials)["svhn"].expected
