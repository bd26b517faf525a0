"""Executors: every candidate is trained once and collected once, whichever process dies."""

import importlib.util
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from executor_world import COUNT, DiesAfterwards, log, play, training
from loop_world import accuracy_of, make_candidates
from process_ends import ends_within

from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.executor import executor_of
from nngpt_perfclf.types import PerfclfError

TESTS = Path(__file__).parents[1]
without_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")
EXECUTORS = ["processes", pytest.param("ray", marks=without_ray)]


@pytest.fixture(params=EXECUTORS, scope="module")
def executor(request):
    """The name of an executor; Ray is started once for all tests, with workers that find this folder's modules."""
    if request.param == "processes":
        yield request.param
        return
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield request.param
        ray.shutdown()


def trained(folder, executor, deaths=None, workers=2, **options):
    """Outcomes by name, and how often the training of each was begun."""
    config = load_config(None, ["loop=local", f"loop.executor={executor}", f"loop.workers={workers}"])
    candidates = make_candidates(COUNT)
    with closing(executor_of(config, training(folder, deaths, **options))) as pool:
        for candidate in candidates:
            pool.submit(candidate, "svhn")
        outcomes = dict(pool.collect() for _ in candidates)
    return {candidate.name: outcome for candidate, outcome in outcomes.items()}, begun(folder)


def begun(folder):
    names = [words[1] for words in log(folder) if words[0] == "begin"]
    return {name: names.count(name) for name in sorted(set(names))}


def test_every_candidate_is_trained_once(executor, tmp_path):
    outcomes, times = trained(tmp_path, executor)
    assert {name: outcome.accuracy for name, outcome in outcomes.items()} == {
        candidate.name: accuracy_of(candidate) for candidate in make_candidates(COUNT)}
    assert times == dict.fromkeys(outcomes, 1)


def test_a_worker_that_dies_costs_its_candidate_one_more_training(executor, tmp_path):
    outcomes, times = trained(tmp_path, executor, {"net-1": "once"})
    assert all(outcome.accuracy is not None for outcome in outcomes.values())
    assert times == dict.fromkeys(outcomes, 1) | {"net-1": 2}


def test_a_candidate_that_kills_its_workers_has_failed(executor, tmp_path):
    outcomes, times = trained(tmp_path, executor, {"net-3": "always"})
    assert outcomes["net-3"].accuracy is None
    assert "its worker process died" in outcomes["net-3"].failure
    assert sum(outcome.accuracy is None for outcome in outcomes.values()) == 1
    assert times["net-3"] == 2


def test_an_outcome_is_not_lost_with_the_worker_that_finished_it(executor, tmp_path):
    outcomes, times = trained(tmp_path, executor, kind=DiesAfterwards)
    assert all(outcome.accuracy is not None for outcome in outcomes.values())
    assert times == dict.fromkeys(outcomes, 1)


def test_a_candidate_that_breaks_its_trainer_has_failed_and_a_wrong_configuration_ends_the_loop(executor, tmp_path):
    outcomes, _ = trained(tmp_path, executor, {"net-0": "raises"})
    assert outcomes["net-0"].failure == "the trainer failed: MemoryError: too large"
    (tmp_path / "wrong").mkdir()
    with pytest.raises(PerfclfError, match="a wrong configuration"):
        trained(tmp_path / "wrong", executor, {"net-0": "wrong"}, workers=1)


@pytest.mark.parametrize("outcomes_before_death", [0, 2])
def test_a_loop_that_dies_again_and_again_loses_no_finished_outcome(outcomes_before_death, executor, tmp_path):
    statuses = []
    while 0 not in statuses and len(statuses) < 9:
        call = f"play(Path({str(tmp_path)!r}), {executor!r}, Dying, {outcomes_before_death})"
        code = f"from executor_world import *; {call}"
        statuses.append(subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode)
        if outcomes_before_death == 0:
            break
    assert set(statuses) <= {0, -signal.SIGKILL}
    assert -signal.SIGKILL in statuses
    outcomes = play(tmp_path, executor)
    assert [outcome.accuracy for outcome in outcomes] == list(map(accuracy_of, make_candidates(COUNT)))
    known = set()
    for event, *names in log(tmp_path):
        known |= set(names) if event == "start" else set()
        assert event != "begin" or names[0] not in known, f"{names[0]} was trained although it was finished"


def environment():
    paths = [str(TESTS), *(path for path in sys.path if path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_workers_end_with_the_loop_that_is_killed(tmp_path):
    code = "import sys; from executor_world import *; from loop_world import *\n" \
           "pool = executor_of(load_config(None, ['loop=local']), training(Path(sys.argv[1])))\n" \
           "pool.submit(make_candidates(1)[0], 'svhn'); pool.collect()\n" \
           "print(pool._idle[0]._process.pid, flush=True); die()"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment(), capture_output=True, text=True,
                          check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert ends_within(10, int(done.stdout.split()[-1])), "the worker outlived its loop"


def test_a_worker_that_cannot_start_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("nngpt_perfclf.loop.executor.WORKER", "no.such.module")
    with pytest.raises(PerfclfError, match="a worker process could not start: it ended with exit status 1"):
        trained(tmp_path, "processes")


@pytest.mark.parametrize("setting", ["loop.workers=0", "loop.gpus=-1"])
def test_impossible_numbers_are_refused(setting, tmp_path):
    with pytest.raises(PerfclfError, match=r"must be at least"):
        executor_of(load_config(None, ["loop=local", setting]), training(tmp_path))
