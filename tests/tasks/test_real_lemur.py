"""On the real LEMUR: the known numbers of pairs, and each label as the reference's own code gives it."""

from pathlib import Path

import pandas as pd
import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import TaskData, labelled_trials, load_task, make_pairs

GOLDEN = Path(__file__).parents[1] / "golden" / "labels-epoch5.csv.gz"


@pytest.fixture
def pairs_at(lemur):
    task = load_task("img_classification")
    return lambda epoch, label="normalized", trial="best": make_pairs(
        labelled_trials(lemur, task, epoch), label, trial, seed=0)


@pytest.mark.parametrize("trial", ["best", "random"])
def test_epoch_1_has_23176_pairs_of_3343_networks(pairs_at, trial):
    pairs = pairs_at(1, trial=trial)
    assert (len(pairs), pairs["nn"].nunique()) == (23_176, 3_343)
    assert 0.48 < (pairs["ds_a"] < pairs["ds_b"]).mean() < 0.52


def test_every_label_at_epoch_5_is_the_references(pairs_at):
    ours, golden = pairs_at(5), pd.read_csv(GOLDEN)
    assert len(ours) == len(golden) == 19_314
    assert ours["tie"].sum() == 1
    in_order = ours["ds_a"] < ours["ds_b"]
    for column in ("ds", "norm"):
        a, b = ours[f"{column}_a"], ours[f"{column}_b"]
        ours[f"{column}_1"], ours[f"{column}_2"] = a.where(in_order, b), b.where(in_order, a)
    both = ours.merge(golden, left_on=["nn", "epoch", "ds_1", "ds_2"],
                      right_on=["nn", "epoch", "dataset_1", "dataset_2"], validate="one_to_one")
    assert len(both) == len(golden)
    assert (both["better"] == both["answer"]).all()
    assert (both["norm_1"].round(4) == both["norm_acc_1"]).all()
    assert (both["norm_2"].round(4) == both["norm_acc_2"]).all()


def test_the_rank_label_knows_no_easier_dataset(pairs_at):
    """The winner's name says little under rank, and much under normalized accuracy."""
    def known_by_name(pairs):
        first = pairs[["ds_a", "ds_b"]].min(axis=1)
        wins = (pairs["better"] == first).groupby([first, pairs[["ds_a", "ds_b"]].max(axis=1)]).agg(["sum", "size"])
        return wins["sum"].clip(lower=wins["size"] - wins["sum"]).sum() / len(pairs)

    assert known_by_name(pairs_at(1, "rank", "random")) < 0.55
    assert known_by_name(pairs_at(1, "normalized", "random")) > 0.80


def test_the_configured_split_holds_out_enough_and_shares_no_group(lemur):
    pairs = TaskData(load_config(), lemur, load_task("img_classification")).pairs()
    counts = pairs.groupby("part")["nn"].agg(["size", "nunique"])
    assert counts.loc["test", "size"] >= 2_000
    assert counts.loc["test", "nunique"] >= 300
    assert counts.loc["validation", "size"] >= 500
    assert (pairs.groupby("group")["part"].nunique() == 1).all()
