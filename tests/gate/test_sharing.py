"""Threads and processes that share one gate: nothing is lost, nothing is decided twice, a killed one breaks nothing."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from made_scorers import ByRate, candidate

from nngpt_perfclf.gate.gate import Gate

COUNT = 120


def candidates(seed=0):
    return [candidate(float(score), place) for place, score in enumerate(np.random.default_rng(seed).random(COUNT))]


def decide_all(file: Path, seed: int, answers) -> None:
    """In an order of its own, all the candidates."""
    gate, mine = Gate("svhn", adviser=ByRate(), file=file, keep=0.3), candidates()
    order = np.random.default_rng(seed).permutation(COUNT)
    found = {mine[place].name: gate.should_train(mine[place]) for place in order}
    answers.append(found) if isinstance(answers, list) else answers.put(found)


def check(file: Path, found: list[dict]) -> None:
    assert all(one == found[0] for one in found), "two askers were told different things"
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT name, train FROM decision").fetchall()
    assert len(rows) == len({name for name, _ in rows}) == COUNT
    assert {name: bool(train) for name, train in rows} == {name: one.train for name, one in found[0].items()}
    share = np.mean([one.train for one in found[0].values()])
    assert 0.25 < share < 0.45


def test_many_threads(tmp_path):
    found: list[dict] = []
    threads = [threading.Thread(target=decide_all, args=(tmp_path / "gate.sqlite", seed, found)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    check(tmp_path / "gate.sqlite", found)


def test_many_threads_on_one_object(tmp_path):
    gate, mine, found = Gate("svhn", adviser=ByRate(), keep=0.3), candidates(), []

    def work(seed):
        order = np.random.default_rng(seed).permutation(COUNT)
        found.append({mine[place].name: gate.should_train(mine[place]) for place in order})

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 6
    assert all(one == found[0] for one in found)
    assert gate.state.decided == COUNT


def test_many_processes(tmp_path):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [context.Process(target=decide_all, args=(tmp_path / "gate.sqlite", seed, answers))
                 for seed in range(4)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    check(tmp_path / "gate.sqlite", found)


def test_a_gate_made_before_a_fork_works_after_it(tmp_path):
    gate = Gate("svhn", adviser=ByRate(), file=tmp_path / "gate.sqlite")
    first = gate.decide(candidates()[:20])
    child = os.fork()
    if child == 0:
        same = gate.decide(candidates()[:20]) == first
        gate.should_train(candidate(0.5, 500))
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert gate.state.decided == 21


KILLED = """
import sys
sys.path.insert(0, {here!r})
from made_scorers import ByRate, candidate
from nngpt_perfclf.config import load_config
from nngpt_perfclf.gate.gate import Gate
unbuilt = load_config(overrides=["advice.profile=never"])
gate = Gate("svhn", adviser=ByRate(), file={file!r}, keep=0.3, config=unbuilt)
for place in range(10**6):
    told = gate.should_train(candidate((place * 7919 % 1000) / 1000, place))
    print(place, int(told.train), flush=True)
"""


def test_a_killed_process_loses_no_decision_that_it_told(tmp_path):
    file = tmp_path / "gate.sqlite"
    for _ in range(3):
        script = KILLED.format(here=str(Path(__file__).parents[1]), file=str(file))
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        lines = [process.stdout.readline() for _ in range(30)]
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait()
        told = dict(map(int, line.split()) for line in lines if line.endswith("\n"))
        gate = Gate("svhn", adviser=ByRate(), file=file, keep=0.3)
        kept = {int(row["name"].removeprefix("net-")): int(row["train"]) for row in gate.record.decisions(0, 10**6)}
        assert told.items() <= kept.items()
        assert len(kept) == gate.record.last()
        gate.close()
