"""A loop that trains epoch by epoch: it decides what the replay decides, and nothing is done twice."""

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from curve_world import made_adviser
from little_world import made_code
from loop_world import Scoring

from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import Rule, noise
from nngpt_perfclf.loop.run_database import FILE, RunDatabase, Scored
from nngpt_perfclf.loop.stopping import STOPPING, build_stopping
from nngpt_perfclf.loop.stopping_search import StoppingSearch
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.replay.curves import CurvePool, measure
from nngpt_perfclf.replay.pools import Pool
from nngpt_perfclf.replay.regret import Draws
from nngpt_perfclf.types import Candidate, Outcome, Recipe

TESTS = Path(__file__).parents[1]
EPOCHS, COUNT = 3, 8


def made_pool() -> CurvePool:
    """Accuracies that rise by epochs and cross each other now and then; an epoch takes 1 to 8 seconds."""
    candidates = tuple(Candidate(f"net-{place}", made_code(place), Recipe(lr=(place + 1) / 100))
                       for place in range(COUNT))
    random = np.random.default_rng(3)
    accuracy = np.sort(random.uniform(0.2, 0.9, (COUNT, EPOCHS)), axis=1)
    seconds = np.cumsum(np.tile(np.arange(1.0, COUNT + 1)[:, None], (1, EPOCHS)), axis=1)
    return CurvePool(Pool("svhn", candidates, accuracy[:, -1], seconds[:, -1], np.arange(COUNT).astype(str)), accuracy,
                     seconds)


def timed(scores):
    return [replace(score, seconds=float(place % 5 + 1)) for place, score in enumerate(scores)]


class Trainer:
    """Looks a candidate's next epoch up; every call is a line of `log`. Its process dies at call `die_at`."""

    def __init__(self, log: Path, die_at: int | None = None, failing: str = ""):
        self.log, self.left, self.failing, self.made = log, die_at, failing, made_pool()

    def note(self, *words):
        if self.left is not None:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        with self.log.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    @hookimpl
    def propose(self, target, count, seed):
        return list(self.made.pool.candidates)

    @hookimpl
    def train(self, candidate, target):
        epoch, place = candidate.next_epoch, self.made.pool.index[candidate.name]
        assert list(candidate.seen.values()) == self.made.accuracy[place, :epoch - 1].tolist()
        if (candidate.name, epoch) == (self.failing, 2):
            outcome = Outcome(candidate.name, target, None, 0.5, "out of memory")
        else:
            outcome = Outcome(candidate.name, target, float(self.made.accuracy[place, epoch - 1]), float(place + 1))
        self.note("train", candidate.name, epoch)
        return outcome

    @hookimpl
    def candidate_pruned(self, candidate, target, reason):
        self.note("stopped", candidate.name, len(candidate.seen), reason)


def search_in(folder, name, die_at=None, failing="", **rule):
    runs = RunDatabase(folder / FILE, load_config(None, ["loop=local", "epoch=3"]))
    adviser = made_adviser(epoch=EPOCHS)
    asking = Scoring(answer=lambda candidates: timed(adviser.score(candidates, "svhn")))
    manager = get_plugin_manager(Trainer(folder / "calls", die_at, failing), asking, installed=False)
    policy = build_stopping(name, Rule(**{"keep": 0.5, "miss_probability": 0.3, **rule}), (1, 2))
    return StoppingSearch(f"search by {name}", "svhn", "made up", policy, manager, runs, epochs=EPOCHS)


def trained(folder):
    """How often each epoch of each candidate was trained."""
    lines = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    return Counter(tuple(line.split()[1:3]) for line in lines if line.startswith("train"))


@pytest.mark.parametrize("name", sorted(STOPPING))
def test_the_loop_decides_what_the_replay_decides(name, tmp_path):
    made, search = made_pool(), search_in(tmp_path, name)
    generation = search.generation(COUNT, 0)
    draws = Draws(made.pool, np.arange(COUNT)[None], noise(made.pool.candidates, [0]), np.array([0]), 1)
    adviser = made_adviser(epoch=EPOCHS)
    asked = {epoch: [Scored(score, 0.0) for score in timed(adviser.score(made.seen(epoch), "svhn"))]
             for epoch in range(EPOCHS)}
    replayed = measure(draws, made, search.policy, asked)
    epochs = sum(trained(tmp_path).values())
    assert epochs == round((1 - replayed["epochs_saved"][0]) * COUNT * EPOCHS)
    assert len(generation.outcomes) == round(replayed["finished"][0] * COUNT)
    assert len(generation.earlier) == epochs - len(generation.outcomes)
    assert generation.training == pytest.approx((1 - replayed["time_saved"][0]) * made.seconds[:, -1].sum())
    assert generation.best.accuracy == pytest.approx(made.accuracy[:, -1].max() - replayed["regret_points"][0] / 100)


def test_who_was_stopped_is_said_with_the_reason(tmp_path):
    generation = search_in(tmp_path, "halve").generation(COUNT, 0)
    stopped = [decision for decision in generation.decisions if not decision.kept]
    assert len(stopped) == COUNT - len(generation.outcomes) == 6
    assert {" ".join(one.reason.split()[:4]) for one in stopped} == {"stopped after epoch 1:", "stopped after epoch 2:"}
    assert all("4 go on" in one.reason or "2 go on" in one.reason for one in stopped)


def test_a_training_that_fails_at_a_later_epoch_ends_that_candidate_alone(tmp_path):
    generation = search_in(tmp_path, "nop", failing="net-3").generation(COUNT, 0)
    assert generation.summary()["failed"] == 1
    assert ("net-3", "3") not in trained(tmp_path)
    assert len(generation.outcomes) == COUNT


def test_several_policies_share_the_epochs_that_were_trained(tmp_path):
    for name in ("halve", "nop", "asha"):
        search_in(tmp_path, name).generation(COUNT, 0)
    assert set(trained(tmp_path).values()) == {1}
    assert len(trained(tmp_path)) == COUNT * EPOCHS


def play(folder: Path, die_at: int | None) -> None:
    search_in(folder, "ask_halve", die_at).generation(COUNT, 0)


def test_a_loop_that_is_killed_again_and_again_trains_no_finished_epoch_twice_and_finds_the_same(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    expected = search_in(whole, "ask_halve").generation(COUNT, 0)
    paths = os.pathsep.join([str(TESTS), str(Path(__file__).parent), *(path for path in sys.path if path)])
    code = f"from pathlib import Path; from test_stopping_search import play; play(Path({str(killed)!r}), 7)"
    statuses = []
    while 0 not in statuses and len(statuses) < 9:
        statuses.append(subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths},
                                       check=False).returncode)
    assert statuses[-1] == 0
    assert len(statuses) > 2
    assert set(statuses[:-1]) == {-signal.SIGKILL}
    assert set(trained(killed).values()) == {1}
    assert trained(killed) == trained(whole)
    again = search_in(killed, "ask_halve").generation(COUNT, 0)
    assert replace(again, asking=0.0) == replace(expected, asking=0.0)
