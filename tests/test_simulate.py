"""`nngpt-perfclf loop` on LEMUR's recorded trials, with an adviser that needs no weights."""

import csv
import json

import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.simulate import run_loop
from nngpt_perfclf.types import PerfclfError

REPLAY = ["loop=replay", "evaluate.part=validation", "loop.targets=[cifar-10,svhn]", "loop.advisers=[prior]"]
BOUNDED = ("regret_points", "time_saved", "best_kept", "spearman")


def loop(folder, *overrides):
    return run_loop(load_config(None, [*REPLAY, f"out={folder}", *overrides]))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, loop(folder, "loop.resamples=20", "loop.keep=[0.5,null]")


def test_there_is_a_row_for_every_target_policy_and_share_and_for_their_mean(study):
    keys = [(row["target"], row["policy"], row["adviser"], row["keep"]) for row in study[1]["rows"]]
    assert len(keys) == len(set(keys))
    shares = {"nop": [1.0], "anchored": [0.5, None], "naive": [0.5, None], "prior": [0.5], "random": [0.5],
              "oracle": [0.5]}
    advisers = {"anchored": "prior", "naive": "prior", "prior": "prior"}
    assert set(keys) == {(target, policy, advisers.get(policy, "nobody"), share) for policy in shares
                         for target in ("cifar-10", "svhn", "all") for share in shares[policy]}
    assert all({name, f"{name}_low", f"{name}_high"} <= set(row) for row in study[1]["rows"] for name in BOUNDED)


def test_the_pair_prior_cannot_tell_candidates_apart_so_it_loses_and_saves_nothing(study):
    rows = [row for row in study[1]["rows"] if row["adviser"] == "prior" and row["target"] == "all" and row["keep"]]
    assert [row["regret_points"] for row in rows] == [0, 0, 0]
    assert all(-0.01 < row["time_saved"] <= 0 for row in rows)


def test_the_folder_holds_the_rows_the_picture_and_the_database(study):
    folder, result = study
    told = json.loads((folder / "loop.json").read_text())
    assert told["rows"] == result["rows"]
    assert {"kind", "version", "commit", "data", "versions", "config"} <= set(told)
    assert len(list(csv.DictReader((folder / "rows.csv").open()))) == len(result["rows"])
    picture = (folder / "saving-regret.svg").read_text()
    assert picture.startswith("<?xml")
    assert (folder / "loop.sqlite").is_file()


def test_the_same_command_gives_the_same_rows_again(study):
    folder, result = study
    assert loop(folder, "loop.resamples=20", "loop.keep=[0.5,null]")["rows"] == result["rows"]


def test_a_single_generation_says_what_was_trained_saved_and_found(tmp_path):
    result = loop(tmp_path, "loop.resamples=1", "loop.policies=[nop,random,oracle]", "loop.keep=[0.5]")
    rows = {(row["policy"], row["target"]): row for row in result["generations"]}
    assert len(rows) == 6
    assert all(row["proposed"] == 20 and row["trained"] + row["pruned"] == 20 for row in rows.values())
    assert rows["nop", "svhn"]["best_accuracy"] == rows["oracle", "svhn"]["best_accuracy"]
    assert rows["oracle", "svhn"]["regret_points"] == 0 <= rows["random", "svhn"]["regret_points"]
    assert rows["random", "svhn"]["trained"] == 10
    assert [total["trained"] for total in result["totals"]] == [40, 20, 20]
    pruned = json.loads((tmp_path / "loop.json").read_text())["pruned"]
    assert len(pruned) == 40
    assert json.loads((tmp_path / "loop.json").read_text())["data"]
    assert all(row["reason"] for row in pruned)


@pytest.mark.parametrize(("overrides", "complaint"), [
    (["loop.policies=[best]"], "unknown policy 'best'"),
    (["loop.keep=[]"], "loop.keep is empty"),
    (["loop.keep=[2.0]"], r"keep must lie in \(0, 1\]"),
    (["loop.candidates=500"], "cannot be drawn from loop.pool=100"),
    (["loop.references=[imagenet]"], "no anchor recipe for the reference dataset 'imagenet'"),
    (["loop.advisers=[nonesuch]"], "no adviser 'nonesuch'"),
])
def test_what_cannot_be_run_is_refused_with_one_clear_line(overrides, complaint, tmp_path):
    with pytest.raises(PerfclfError, match=complaint):
        loop(tmp_path, *overrides)
