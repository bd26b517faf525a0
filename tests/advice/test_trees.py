from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nngpt_perfclf.advice.trees import Forest, weights_of
from nngpt_perfclf.types import PerfclfError

WIDTH = 5


def rows_with_holes(count, seed=0):
    """Rows of which a fifth of the numbers is missing and a fifth is zero."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, WIDTH))
    lot = random.random(rows.shape)
    return np.where(lot < 0.2, np.nan, np.where(lot < 0.4, 0.0, rows))


ROWS = rows_with_holes(400)
LABELS = np.nan_to_num(ROWS[:, 0]) + np.isnan(ROWS[:, 1]) + (ROWS[:, 2] == 0)


def booster(seed=0, trees=8, rows=ROWS, labels=LABELS, categorical="auto", **parameters):
    import lightgbm

    chosen = {"objective": "regression", "num_leaves": 7, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1,
              "seed": seed, "deterministic": True, **parameters}
    return lightgbm.train(chosen, lightgbm.Dataset(rows, labels, categorical_feature=categorical), trees)


def forest_of(*boosters):
    return Forest.of([fitted.model_to_string() for fitted in boosters])


@pytest.fixture(scope="module")
def fitted():
    return booster(), booster(1, feature_fraction=0.5)


@pytest.fixture(scope="module")
def forest(fitted):
    return forest_of(fitted[0])


@pytest.mark.parametrize("parameters", [
    {}, {"zero_as_missing": True}, {"use_missing": False}, {"num_leaves": 2}, {"num_leaves": 63}, {"max_bin": 3},
    {"boost_from_average": False}, {"extra_trees": True}], ids=str)
def test_numpy_gives_what_lightgbm_predicts_for_missing_numbers_and_zeros_too(parameters):
    trained = booster(**parameters)
    asked = np.vstack([rows_with_holes(300, seed=1), np.zeros((1, WIDTH)), np.full((1, WIDTH), np.nan),
                       np.full((1, WIDTH), 1e300), np.full((1, WIDTH), -1e-36)])
    assert forest_of(trained).predict(asked) == pytest.approx(trained.predict(asked), abs=1e-5)
    assert np.ptp(trained.predict(asked)) > 0.1


def test_log_odds_of_a_classifier_are_its_raw_scores():
    trained = booster(labels=(LABELS > 1).astype(int), objective="binary")
    assert forest_of(trained).predict(ROWS) == pytest.approx(trained.predict(ROWS, raw_score=True), abs=1e-5)


def test_trees_that_are_a_single_leaf_give_its_value():
    trained = booster(min_data_in_leaf=1000)
    forest = forest_of(trained)
    assert forest.predict(ROWS[:3]) == pytest.approx(trained.predict(ROWS[:3]), abs=1e-5)
    assert len(set(forest.predict(ROWS[:3]))) == 1


def test_the_forests_of_several_seeds_are_averaged(fitted):
    together = forest_of(*fitted)
    assert together.seeds == 2
    assert together.predict(ROWS) == pytest.approx(np.mean([one.predict(ROWS) for one in fitted], axis=0), abs=1e-5)


rows = st.lists(st.lists(st.floats(-3, 3) | st.just(0.0) | st.just(np.nan), min_size=WIDTH, max_size=WIDTH), min_size=1,
                max_size=10)


@given(rows, st.randoms())
def test_a_score_does_not_depend_on_the_other_rows_nor_on_their_order(forest, rows, random):
    rows, order = np.array(rows), list(range(len(rows)))
    random.shuffle(order)
    together = forest.predict(rows)
    assert (forest.predict(rows[order]) == together[order]).all()
    assert [forest.predict(rows[place:place + 1])[0] for place in order] == together[order].tolist()


def test_many_rows_are_predicted_in_chunks_and_no_rows_give_nothing(forest, monkeypatch):
    whole = forest.predict(ROWS)
    monkeypatch.setattr("nngpt_perfclf.advice.trees.ROWS_AT_ONCE", 7)
    assert (forest.predict(ROWS) == whole).all()
    assert forest.predict(np.zeros((0, WIDTH))).shape == (0,)


def test_rows_of_other_features_are_refused(forest):
    with pytest.raises(PerfclfError, match="fitted by another version"):
        forest.predict(np.zeros((3, 1)))


def test_the_same_seeds_give_the_same_trees_and_other_seeds_others():
    first, again, other = (Forest.fit(ROWS, LABELS, np.ones(len(ROWS)), "regression", seeds, 1, trees=5)
                           for seeds in ([0, 1], [0, 1], [2, 3]))
    assert first.seeds == 2
    assert (first.predict(ROWS) == again.predict(ROWS)).all()
    assert (first.predict(ROWS) != other.predict(ROWS)).any()


def test_parameters_are_those_of_the_caller():
    deep, flat = (Forest.fit(ROWS, LABELS, np.ones(len(ROWS)), "regression", [0], 1,
                             {"num_leaves": leaves, "min_data_in_leaf": 5}, trees=3) for leaves in (15, 2))
    assert (deep.leaf_value.shape[1], flat.leaf_value.shape) == (15, (3, 2))


def test_trees_with_categorical_splits_are_refused():
    codes = np.column_stack([np.arange(400) % 12, ROWS[:, 0]])
    trained = booster(rows=codes, labels=(codes[:, 0] % 3 == 0).astype(float), categorical=[0])
    with pytest.raises(PerfclfError, match="categorical"):
        forest_of(trained)


def test_a_model_without_trees_is_an_error():
    with pytest.raises(PerfclfError, match="learned no tree"):
        Forest.of(["tree\nversion=v4\n\nend of trees\n"])


def test_what_is_saved_answers_as_before_to_the_last_bit(tmp_path, fitted):
    forest = forest_of(*fitted)
    forest.save(tmp_path / "trees.npz")
    assert (Forest.load(tmp_path / "trees.npz").predict(ROWS) == forest.predict(ROWS)).all()


def saved(forest, file, **changes):
    arrays = {name: getattr(forest, name).copy() for name in
              ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")}
    np.savez_compressed(file, **{**arrays, "seeds": forest.seeds, **changes})


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize("change", [
    lambda forest: {"left_child": changed(forest.left_child, (0, 2), 0)},  # back to the root: it would never end
    lambda forest: {"right_child": changed(forest.right_child, (0, 1), 1)},
    lambda forest: {"left_child": changed(forest.left_child, (0, 0), 10_000)},
    lambda forest: {"right_child": changed(forest.right_child, (0, 0), -10_000)},
    lambda forest: {"split_feature": changed(forest.split_feature, (0, 0), -1)},
    lambda forest: {"threshold": forest.threshold[:, 1:]},
    lambda forest: {"leaf_value": forest.leaf_value[1:]},
    lambda forest: {"leaf_value": forest.leaf_value[0]},
    lambda forest: {"seeds": 0},
    lambda forest: {"seeds": [1, 2]},
    lambda forest: {"threshold": np.array(["a"], dtype=object)},
], ids=range(11))
def test_arrays_that_are_no_trees_are_refused(tmp_path, forest, change):
    saved(forest, tmp_path / "trees.npz", **change(forest))
    with pytest.raises(PerfclfError, match=r"file of trees .*trees\.npz is damaged"):
        Forest.load(tmp_path / "trees.npz")


def test_a_file_that_lacks_an_array_is_refused(tmp_path):
    np.savez(tmp_path / "trees.npz", threshold=np.zeros(3))
    with pytest.raises(PerfclfError, match="is damaged"):
        Forest.load(tmp_path / "trees.npz")


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04garbage"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "trees.npz").write_bytes(content)
    with pytest.raises(PerfclfError, match="is damaged"):
        Forest.load(tmp_path / "trees.npz")


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(PerfclfError, match="no file of trees"):
        Forest.load(tmp_path / "trees.npz")


@settings(max_examples=60)
@given(st.data())
def test_a_file_damaged_anywhere_loads_as_it_was_or_is_refused(tmp_path_factory, forest, data):
    file = tmp_path_factory.mktemp("damaged") / "trees.npz"
    forest.save(file)
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)):]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    with suppress(PerfclfError):
        assert (Forest.load(file).predict(ROWS[:20]) == forest.predict(ROWS[:20])).all()


def test_near_duplicates_share_their_weight():
    networks = pd.Series(["a", "b", "c", "d"])
    groups = pd.Series(["x", "x", "x", "y"], index=list("abcd"))
    together, half, equal = (weights_of(networks, groups, power) for power in (1.0, 0.5, 0.0))
    assert together.mean() == half.mean() == pytest.approx(1)
    assert together[3] == pytest.approx(together[:3].sum())
    assert half[3] == pytest.approx(np.sqrt(3) * half[0])
    assert equal == pytest.approx(np.ones(4))
