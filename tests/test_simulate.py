"""`nngpt-perfclf loop` on LEMUR's recorded trials, with an adviser that needs no weights."""

import csv
import json

import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.simulate import IMAGE_SETS, run_loop
from nngpt_perfclf.types import PerfclfError

RECORDED = ["evaluate.part=validation", "loop.targets=[cifar-10,svhn]", "loop.advisers=[prior]"]
BOUNDED = ("regret_points", "time_saved", "kept", "best_kept", "spearman")


def loop(folder, *overrides):
    return run_loop(load_config(None, [*overrides, *RECORDED, f"out={folder}"]))


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    return folder, loop(folder, "loop=replay", "loop.resamples=20", "loop.keep=[0.5,null]")


def test_the_result_has_the_keys_that_hosts_read(benchmark):
    result = benchmark[1]
    assert set(result) == {"out", "part", "epoch", "pool", "candidates", "resamples", "interval", "pools",
                           "inverse_temperature", "unseen_target", "rows"}
    assert {"target", "adviser", "policy", "keep", *BOUNDED} <= set(result["rows"][0])
    assert set(result["pools"][0]) == {"target", "candidates", "networks", "groups", "best_accuracy", "median_seconds"}


def test_there_is_a_row_for_every_target_policy_and_share_and_for_their_mean(benchmark):
    rows = benchmark[1]["rows"]
    keys = [(row["target"], row["policy"], row["adviser"], row["keep"]) for row in rows]
    assert len(keys) == len(set(keys))
    shares = {"nop": [1.0], "ask": [0.5, None], "naive": [0.5, None], "random": [0.5], "oracle": [0.5]}
    advisers = {"ask": "prior", "naive": "prior"}
    assert set(keys) == {(target, policy, advisers.get(policy, "nobody"), share) for policy in shares
                         for target in ("cifar-10", "svhn", "all") for share in shares[policy]}
    assert all({name, f"{name}_low", f"{name}_high"} <= set(row) for row in rows for name in BOUNDED)


def test_the_pair_prior_cannot_tell_candidates_apart_so_it_loses_and_saves_nothing(benchmark):
    rows = [row for row in benchmark[1]["rows"]
            if row["adviser"] == "prior" and row["target"] == "all" and row["keep"]]
    assert [row["regret_points"] for row in rows] == [0, 0]
    assert all(-0.01 < row["time_saved"] <= 0 for row in rows)


def test_the_folder_holds_the_rows_and_the_database(benchmark):
    folder, result = benchmark
    written = json.loads((folder / "loop.json").read_text())
    assert written["rows"] == result["rows"]
    assert {"kind", "version", "commit", "data", "versions", "config"} <= set(written)
    assert len(list(csv.DictReader((folder / "rows.csv").open()))) == len(result["rows"])
    assert sorted(path.name for path in folder.iterdir()) == ["loop.json", "loop.sqlite", "rows.csv"]


def test_the_same_command_gives_the_same_rows_again(benchmark):
    folder, result = benchmark
    assert loop(folder, "loop=replay", "loop.resamples=20", "loop.keep=[0.5,null]")["rows"] == result["rows"]


def test_one_generation_is_a_benchmark_too(tmp_path):
    result = loop(tmp_path, "loop=replay", "loop.resamples=1", "loop.policies=[nop]")
    assert [row["target"] for row in result["rows"]] == ["cifar-10", "svhn", "all"]


def test_a_single_generation_says_what_was_trained_saved_and_found(tmp_path):
    result = loop(tmp_path, "loop=single", "loop.policies=[nop,random,oracle]", "loop.keep=[0.5]")
    rows = {(row["policy"], row["target"]): row for row in result["generations"]}
    assert len(rows) == 6
    assert all(row["proposed"] == 20 and row["trained"] + row["pruned"] == 20 for row in rows.values())
    assert rows["nop", "svhn"]["best_accuracy"] == rows["oracle", "svhn"]["best_accuracy"]
    assert rows["oracle", "svhn"]["regret_points"] == 0 <= rows["random", "svhn"]["regret_points"]
    assert rows["random", "svhn"]["trained"] == 10
    assert [total["trained"] for total in result["totals"]] == [40, 20, 20]
    nop, *_ = result["totals"]
    assert (nop["seconds_saved"], nop["regret_points"]) == (0, 0)
    written = json.loads((tmp_path / "loop.json").read_text())
    assert len(written["pruned"]) == 40
    assert written["data"]
    assert all(row["reason"] for row in written["pruned"])


@pytest.mark.slow
def test_local_training_is_real_and_a_second_command_only_reads_its_record(tmp_path):
    words = ["loop=local", f"out={tmp_path}", "loop.candidates=2", "loop.pool=2", "loop.rounds=1",
             "loop.advisers=[pointwise]", "loop.policies=[ask]", "loop.time_limit=600"]
    result = run_loop(load_config(None, words))
    [row] = result["generations"]
    assert (row["target"], row["proposed"], row["trained"], row["pruned"]) == ("digits", 2, 1, 1)
    assert 0 <= row["best_accuracy"] <= 1
    assert run_loop(load_config(None, words))["generations"] == result["generations"]


def test_the_built_in_image_sets_are_known_to_advisers_of_a_local_loop():
    assert IMAGE_SETS.is_file()


@pytest.mark.parametrize(("overrides", "complaint"), [
    (["loop.policies=[best]"], "unknown policy 'best'"),
    (["loop.keep=[]"], "loop.keep is empty"),
    (["loop.candidates=500"], "cannot be drawn from loop.pool=100"),
    (["advice.references=[imagenet]"], "no anchor recipe for the reference dataset 'imagenet'"),
    (["loop.advisers=[nonesuch]"], "no adviser 'nonesuch'"),
])
def test_what_cannot_be_run_is_refused_with_one_clear_line(overrides, complaint, tmp_path):
    with pytest.raises(PerfclfError, match=complaint):
        run_loop(load_config(None, ["loop=replay", *RECORDED, f"out={tmp_path}", *overrides]))


def test_the_oracle_is_refused_where_nothing_is_recorded(tmp_path):
    with pytest.raises(PerfclfError, match="the oracle knows recorded outcomes only"):
        run_loop(load_config(None, ["loop=local", "loop.policies=[oracle]", f"out={tmp_path}"]))
