"""The resampled figures are those of the loop itself."""

import numpy as np
import pytest
from loop_world import Scoring
from replay_world import GENERATIONS, make_pool

from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.asking import NOBODY
from nngpt_perfclf.loop.policies import ASKING, Rule, build_policy
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.loop.search import Search
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.replay import benchmark
from nngpt_perfclf.replay.pools import Replay
from nngpt_perfclf.types import PerfclfError

SHARE = 0.25


def rows_of(pool, policy, folder, monkeypatch):
    config = load_config(None, ["loop=replay", f"loop.resamples={GENERATIONS}", f"loop.policies=[{policy}]",
                                f"loop.keep=[{SHARE}]", "loop.pool=40"])
    monkeypatch.setattr(benchmark, "load_replay", lambda config: Replay([pool], {}))
    monkeypatch.setattr(benchmark, "manager_of",
                        lambda *args, **kwargs: get_plugin_manager(Scoring(), installed=False))
    monkeypatch.setattr(benchmark, "_described", lambda pool: {})
    with RunDatabase(folder / "benchmark.sqlite", config) as runs:
        result = benchmark.benchmark(config, folder, runs)
    return next(row for row in result["rows"] if row["target"] == pool.target)


@pytest.mark.parametrize("policy", ["nop", "ask", "random", "oracle"])
def test_they_are_the_same_as_through_the_hooks(policy, tmp_path, monkeypatch):
    pool = make_pool(broken=(3, 11))
    adviser = "knowing" if policy in ASKING else NOBODY
    manager = get_plugin_manager(Scoring(), Replay([pool], {}), installed=False)
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        chosen = build_policy(policy, Rule(keep=1.0 if policy == "nop" else SHARE), pool.outcomes)
        search = Search("a search", "svhn", adviser, chosen, manager, runs)
        played = [search.generation(20, seed) for seed in range(GENERATIONS)]
    best = [max(pool.outcomes[candidate.name] for candidate in each.candidates) for each in played]
    lost = np.mean([100 * (top - each.best.accuracy) for top, each in zip(best, played, strict=True)])
    total = [sum(pool.seconds[pool.index[candidate.name]] for candidate in each.candidates) for each in played]
    saved = np.mean([1 - each.training / seconds for seconds, each in zip(total, played, strict=True)])
    row = rows_of(pool, policy, tmp_path, monkeypatch)
    assert row["regret_points"] == pytest.approx(lost, abs=1e-3)
    assert row["time_saved"] == pytest.approx(saved, abs=1e-2)
    assert row["kept"] == pytest.approx(np.mean([len(each.outcomes) / 20 for each in played]), abs=1e-3)


def test_each_policy_has_one_row_a_share_and_target_and_their_mean(tmp_path, monkeypatch):
    config = load_config(None, ["loop=replay", "loop.resamples=2", "loop.policies=[nop,ask,random]",
                                "loop.keep=[0.5,null]", "loop.pool=40"])
    pools = [make_pool(), make_pool("mnist")]
    monkeypatch.setattr(benchmark, "load_replay", lambda config: Replay(pools, {}))
    monkeypatch.setattr(benchmark, "manager_of", lambda *args, **kwargs: get_plugin_manager(Scoring(), installed=False))
    monkeypatch.setattr(benchmark, "_described", lambda pool: {})
    with RunDatabase(tmp_path / FILE, config) as runs:
        rows = benchmark.benchmark(config, tmp_path, runs)["rows"]
    keys = [(row["target"], row["policy"], row["keep"]) for row in rows]
    assert len(keys) == len(set(keys))
    shares = {"nop": [1.0], "ask": [0.5, None], "random": [0.5]}
    assert set(keys) == {(target, policy, share) for policy, allowed in shares.items() for share in allowed
                         for target in ("svhn", "mnist", "all")}


class Failing(Scoring):
    """An adviser that raises."""

    @hookimpl(tryfirst=True)
    def score(self, candidates, target):
        raise KeyError("no such feature")


def test_an_adviser_that_fails_is_no_row_but_an_error(tmp_path, monkeypatch):
    config = load_config(None, ["loop=replay", "loop.resamples=2", "loop.policies=[ask]", "loop.pool=40"])
    monkeypatch.setattr(benchmark, "load_replay", lambda config: Replay([make_pool()], {}))
    monkeypatch.setattr(benchmark, "manager_of", lambda *args, **kwargs: get_plugin_manager(Failing(), installed=False))
    with RunDatabase(tmp_path / FILE, config) as runs, pytest.raises(PerfclfError, match="no such feature"):
        benchmark.benchmark(config, tmp_path, runs)
