"""Splits: what a way of splitting keeps apart never stands in two parts, and parts stay as they are when data comes."""

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nngpt_perfclf.tasks import (
    add_split,
    family_of,
    folds,
    folds_of_pairs,
    labelled_trials,
    make_pairs,
    split_networks,
    trials_of_part,
)
from nngpt_perfclf.tasks.splits import FAMILIES, HAND_WRITTEN, networks_in_parts
from nngpt_perfclf.types import PerfclfError

NAMES = st.text("abcdefgh", min_size=1, max_size=4)
FAMILY = st.sampled_from(["ga-", "ast-", "alt-", "rag-", "FractalNet-", ""])


@st.composite
def grouped(draw, most=40):
    """Networks of any families in any near-duplicate groups."""
    names = draw(st.lists(st.tuples(FAMILY, NAMES).map("".join), min_size=1, max_size=most, unique=True))
    groups = draw(st.lists(NAMES, min_size=len(names), max_size=len(names)))
    return pd.Series(groups, index=pd.Index(names, name="nn"), name="group", dtype="str")


@given(groups=grouped())
def test_no_group_stands_in_two_parts(split_by, groups):
    table = networks_in_parts(groups, split_by("group"))
    assert (table.groupby("group")["part"].nunique() == 1).all()
    assert table["group"].tolist() == groups.tolist()


@given(groups=grouped())
def test_large_groups_always_train(split_by, groups):
    table = networks_in_parts(groups, split_by("group", largest_held_out=2))
    sizes = table.groupby("group")["group"].transform("size")
    assert (table.loc[sizes > 2, "part"] == "train").all()


@given(groups=grouped(), more=grouped())
def test_parts_stay_as_they_are_when_networks_are_added(split_by, groups, more):
    both = pd.concat([groups, more[~more.index.isin(groups.index)]])
    for by in ("group", "network"):
        before, after = (networks_in_parts(some, split_by(by))["part"] for some in (groups, both))
        assert after[before.index].tolist() == before.tolist()


@given(groups=grouped(), family=st.sampled_from([*FAMILIES, HAND_WRITTEN]))
def test_a_family_left_out_is_the_test_part_and_nothing_else_is(split_by, groups, family):
    split = split_by("family", left_out=family)
    if family not in set(groups.index.map(family_of)):
        with pytest.raises(PerfclfError, match=r"needs split\.left_out, one of"):
            networks_in_parts(groups, split)
        return
    table = networks_in_parts(groups, split)
    assert ((table["part"] == "test") == (table["family"] == family)).all()
    rest = table[table["part"] != "test"]
    assert (rest.groupby("group")["part"].nunique() == 1).all()


@given(groups=grouped(), k=st.integers(2, 5), seed=st.integers(0, 100))
def test_no_group_stands_in_two_folds_and_every_network_in_one(groups, k, seed):
    if groups.nunique() < k:
        with pytest.raises(PerfclfError, match="do not fill"):
            folds(groups, k, seed)
        return
    fold = folds(groups, k, seed)
    assert fold.index.equals(groups.index)
    assert set(fold) == set(range(k))
    assert (fold.groupby(groups).nunique() == 1).all()


@st.composite
def paired(draw):
    """Pairs of networks in groups, in two tables: one a side exchanged and in another order."""
    groups = draw(grouped(12))
    rows = [(nn, 1, *pair) for nn in groups.index for pair in draw(st.sets(st.sampled_from(
        [("mnist", "svhn"), ("cifar-10", "svhn"), ("cifar-10", "mnist")]), min_size=1))]
    table = pd.DataFrame(rows, columns=["nn", "epoch", "ds_a", "ds_b"])
    return groups, table, table.rename(columns={"ds_a": "ds_b", "ds_b": "ds_a"})[::-1]


APART = {"group": lambda table, groups: [{group} for group in table["nn"].map(groups)],
         "network": lambda table, groups: [{nn} for nn in table["nn"]],
         "family": lambda table, groups: [{family_of(nn)} for nn in table["nn"]],
         "pairs": lambda table, groups: [{(row.nn, frozenset((row.ds_a, row.ds_b)))} for row in table.itertuples()]}


@pytest.mark.parametrize("by", APART)
@given(world=paired())
def test_every_pair_stands_in_one_fold_and_nothing_that_is_kept_apart_in_two(split_by, by, world):
    groups, pairs, turned = world
    units = {"group": pairs["nn"].map(groups), "network": pairs["nn"]}
    assume(by not in units or units[by].nunique() >= 3)
    found = folds_of_pairs(pairs, groups, split_by(by), k=3)
    chosen = pd.DataFrame({name: chosen(pairs) for name, chosen in found.items()})
    assert (chosen.sum(axis=1) == 1).all()
    for name, chosen_from in found.items():
        inside, outside = (set().union(*APART[by](table, groups), set())
                           for table in (pairs[chosen[name]], turned[~chosen_from(turned)]))
        assert not inside & outside


@given(world=paired())
def test_a_fold_of_a_dataset_is_all_pairs_that_touch_it(split_by, world):
    groups, pairs, _ = world
    for dataset, chosen in folds_of_pairs(pairs, groups, split_by("dataset")).items():
        rest = pairs[~chosen(pairs)]
        assert dataset not in {*rest["ds_a"], *rest["ds_b"]}
        assert all(dataset in (row.ds_a, row.ds_b) for row in pairs[chosen(pairs)].itertuples())


def test_folds_leave_out_each_family_and_not_one(split_by):
    groups = pd.Series({"ga-1": "x"})
    with pytest.raises(PerfclfError, match="leave out each family in turn"):
        folds_of_pairs(pd.DataFrame({"nn": ["ga-1"]}), groups, split_by("family", left_out="ga"))


def test_shares_are_kept(split_by):
    groups = pd.Series([f"g{number}" for number in range(4000)], index=[f"n{number}" for number in range(4000)])
    parts = networks_in_parts(groups, split_by("group", test=0.2, validation=0.1))["part"].value_counts(normalize=True)
    assert parts["test"] == pytest.approx(0.2, abs=0.02)
    assert parts["validation"] == pytest.approx(0.1, abs=0.02)


def with_parts(pairs, codes, split):
    return add_split(pairs, split_networks(codes, split), split)


@pytest.fixture
def pairs(tiny, task):
    return make_pairs(labelled_trials(tiny, task, 1), "normalized", "random", 0)


@pytest.mark.parametrize("dataset", ["cifar-10", "mnist", "svhn"])
def test_a_dataset_left_out_is_in_every_test_pair_and_in_no_other(tiny, pairs, split_by, dataset):
    table = with_parts(pairs, tiny.codes, split_by("dataset", left_out=dataset))
    touches = (table["ds_a"] == dataset) | (table["ds_b"] == dataset)
    assert ((table["part"] == "test") == touches).all()


@pytest.mark.parametrize("part", ["train", "validation"])
def test_who_learns_from_single_trials_sees_none_of_a_network_or_dataset_that_is_held_out(tiny, task, split_by, part):
    trials = labelled_trials(tiny, task, 1)
    for split in (split_by("group"), split_by("network"), split_by("family", left_out="ga"),
                  split_by("dataset", left_out="mnist")):
        networks = split_networks(tiny.codes, split)
        seen = trials_of_part(trials, networks, split, part)
        assert set(networks.loc[seen["nn"], "part"]) <= {part}
        assert not {*seen["dataset"]} & {split.left_out}
        assert not {*seen["nn"].map(family_of)} & {split.left_out}
    with pytest.raises(PerfclfError, match="separates pairs, not trials"):
        trials_of_part(trials, networks, split_by("pairs"), part)


def test_near_duplicates_stay_together(tiny, pairs, split_by):
    table = with_parts(pairs, tiny.codes, split_by("group"))
    assert table["group"].nunique() == 4
    assert (table.groupby("group")["part"].nunique() == 1).all()
    assert (table["family"] == table["nn"].map(family_of)).all()


def test_a_network_has_one_part(tiny, pairs, split_by):
    table = with_parts(pairs, tiny.codes, split_by("network"))
    assert (table.groupby("nn")["part"].nunique() == 1).all()
    assert table["part"].nunique() == 3


def test_the_leaky_split_keeps_nothing_apart_but_the_pair_whichever_side_it_is_asked_from(tiny, task, split_by):
    trials = labelled_trials(tiny, task, 1)
    parts = []
    for seed in (0, 1):  # other trials, the same pair
        table = with_parts(make_pairs(trials, "rank", "best", seed), tiny.codes, split_by("pairs"))
        names = table[["ds_a", "ds_b"]]
        parts.append(table.set_index([table["nn"], names.min(axis=1), names.max(axis=1)])["part"].sort_index())
    pd.testing.assert_series_equal(*parts)
    assert (parts[0].groupby(level=0).nunique() > 1).any()


def test_the_pairs_themselves_are_untouched(tiny, pairs, split_by):
    table = with_parts(pairs, tiny.codes, split_by("group"))
    pd.testing.assert_frame_equal(table[list(pairs.columns)], pairs)


@pytest.mark.parametrize(("settings", "complaint"), [
    ({"by": "moon"}, "split.by=moon: known are"),
    ({"by": "dataset", "left_out": "coco"}, "one of cifar-10, mnist, svhn; not coco"),
    ({"by": "group", "left_out": "ga"}, "needs split.by=family"),
    ({"by": "group", "test": 0.7, "validation": 0.3}, "leave nothing to train on"),
])
def test_a_split_that_cannot_be_made_is_refused(tiny, pairs, split_by, settings, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        with_parts(pairs, tiny.codes, split_by(**settings))


def test_a_network_without_code_is_named(tiny, pairs, split_by):
    codes = {nn: code for nn, code in tiny.codes.items() if nn != "ga-0"}
    with pytest.raises(PerfclfError, match="no code for 1 networks with trials, such as ga-0"):
        with_parts(pairs, codes, split_by("group"))


@pytest.mark.parametrize(("nn", "family"), [
    ("ga-0a1b", "ga"), ("ast-dimension-x", "ast"), ("alt-nn1-2", "alt"), ("rag-9", "rag"),
    ("FractalNet-7", "FractalNet"), ("FractalNet", "FractalNet"),
    ("AlexNet", "hand-written"), ("gatenet", "hand-written"), ("alternative", "hand-written"),
])
def test_a_family_is_told_by_the_names_prefix(nn, family):
    assert family_of(nn) == family
