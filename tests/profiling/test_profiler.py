import multiprocessing
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from profiled_networks import network

from nngpt_perfclf.profiling import cache as profile_cache
from nngpt_perfclf.profiling import pool, profiler
from nngpt_perfclf.profiling.cache import ProfileCache, key_of
from nngpt_perfclf.profiling.pool import Answer, Task
from nngpt_perfclf.profiling.profiler import profile
from nngpt_perfclf.profiling.types import Profile, Shapes
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

PLAIN = network()
BROKEN = network(forward="return self.head(x)")


@pytest.fixture
def no_pool(monkeypatch):
    """The fork server must not be started."""
    def refuse(*args, **kwargs):
        raise AssertionError("the server was started")
    monkeypatch.setattr(profiler, "Pool", refuse)


def test_profiles_come_in_order_and_are_built_once(monkeypatch):
    recipes = [Recipe(lr=0.5, dropout=0.4, transform="norm_64_flip"), Recipe(transform="echo_64"), Recipe()]
    candidates = [Candidate(str(recipe), PLAIN, recipe) for recipe in recipes] + [Candidate("broken", BROKEN)]
    first, second, third, broken = profile(candidates, "cifar-10")
    assert (first.status, first.shapes) == ("built", Shapes(3, 64, 10))
    assert (first.setup.lr, first.dropouts) == (0.5, (0.4,))
    assert (second.setup.lr, second.dropouts) == (0.01, (0.2,))
    assert first.structure is second.structure
    assert third.shapes.size == 32
    assert (broken.status, broken.stage, broken.broken) == ("failed", "forward", True)
    assert broken.reason.startswith("RuntimeError: ")
    assert first.activation_bytes == 4 * first.structure.activations

    monkeypatch.setattr(profiler, "Pool", None)
    assert profile(candidates, "cifar-10") == [first, second, third, broken]


@pytest.mark.usefixtures("no_pool")
@pytest.mark.parametrize(("code", "reason"), [
    ("class Net:", "the code does not parse as Python"), ("x = 1", "no class Net"), ("", "the network's code is empty"),
    ("x = '\ud800'", "the code does not parse as Python"), ("(" * 999, "nests brackets"),
])
def test_what_the_text_shows_to_be_broken_is_not_run(code, reason):
    found = profile([Candidate("net", code)], "svhn")[0]
    assert (found.status, found.stage, found.broken) == ("failed", "contract", True)
    assert reason in found.reason


@pytest.mark.usefixtures("no_pool")
def test_without_a_sandbox_nothing_is_run_and_the_status_says_so(monkeypatch):
    monkeypatch.setattr(profiler, "available", lambda: False)
    found = profile([Candidate("net", PLAIN), Candidate("odd", "x = 1")], "mnist")
    assert [one.status for one in found] == ["no sandbox", "failed"]
    assert not found[0].broken
    assert found[0].reason == "no sandbox on this machine: nothing was run"
    assert ProfileCache().read([Task(PLAIN, Shapes(1, 28, 10))]) == {}


def test_a_lock_that_fails_when_it_is_tried_is_no_fault_of_the_network(monkeypatch):
    impossible = {"cpu_seconds": None, "memory_bytes": 1 << 30, "readable": [], "hidden": []}
    monkeypatch.setattr(pool, "lock_limits", lambda limits, folder: impossible)
    found = profile([Candidate("net", PLAIN)], "svhn")[0]
    assert (found.status, found.broken) == ("no sandbox", False)


@pytest.mark.parametrize(("reason", "broken"), [
    ("ModuleNotFoundError: No module named 'torchvision'", False), ("PermissionError: [Errno 1] no", False),
    ("RuntimeError: [enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", False),
    ("MemoryError", False), ("RuntimeError: shapes do not fit", True), ("died of SIGSEGV", True),
])
def test_what_may_lie_in_the_machine_does_not_break_a_network(reason, broken):
    assert Profile("failed", Shapes(3, 32, 10), "build", reason).broken == broken


@pytest.mark.usefixtures("no_pool")
def test_an_unknown_dataset_is_an_error():
    with pytest.raises(PerfclfError, match="unknown dataset 'cifar'"):
        profile([Candidate("net", PLAIN)], "cifar")
    assert profile([], "cifar-10") == []


def pool_that_runs(run):
    """In place of the fork server's `Pool`; `run`: its method."""
    return lambda limits: nullcontext(SimpleNamespace(run=run))


def test_what_took_too_long_is_tried_again(monkeypatch):
    answers = []

    def run(tasks):
        for task in tasks:
            answers.append(task)
            yield task, Answer(10.0, reason="took longer than 10 s", timed_out=True)

    monkeypatch.setattr(profiler, "Pool", pool_that_runs(run))
    for _ in range(2):
        found = profile([Candidate("net", PLAIN)], "svhn")[0]
        assert (found.status, found.broken) == ("timed out", False)
    assert len(answers) == 2


def test_a_stopped_batch_keeps_what_was_done(monkeypatch):
    tasks = [Task(PLAIN, Shapes(3, size, 10)) for size in (8, 16)]

    def run(tasks):
        yield tasks[0], Answer(0.1, stage="forward", reason="no")
        raise KeyboardInterrupt

    monkeypatch.setattr(profiler, "Pool", pool_that_runs(run))
    with pytest.raises(KeyboardInterrupt):
        list(profiler.build(tasks, profiler.LIMITS, ProfileCache()))
    assert ProfileCache().read(tasks) == {tasks[0]: Answer(0.1, stage="forward", reason="no")}


def test_pytorch_stays_out_of_the_asking_process():
    script = ("import sys; from nngpt_perfclf.profiling.profiler import profile; from nngpt_perfclf.types import *; "
              f"profile([Candidate('net', {PLAIN!r})], 'cifar-10'); print('torch' in sys.modules)")
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert finished.stdout == "False\n", finished.stderr


def _fill(file, start):
    cache = ProfileCache(file)
    for number in range(start, start + 40):
        cache.write({Task(f"code {number}", Shapes(3, 32, 10)): Answer(0.0, stage="import", reason=str(number))})


def test_several_processes_share_the_cache(tmp_path):
    file = tmp_path / "profiles.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(file, start)) for start in (0, 20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tasks = [Task(f"code {number}", Shapes(3, 32, 10)) for number in range(60)]
    found = ProfileCache(file).read(tasks)
    assert [found[task].reason for task in tasks] == [str(number) for number in range(60)]


def test_a_package_that_was_missing_is_looked_for_again(tmp_path):
    cache, task = ProfileCache(tmp_path / "profiles.sqlite"), Task("import einops", Shapes(3, 32, 10))
    cache.write({task: Answer(0.1, stage="import", reason="ModuleNotFoundError: No module named 'einops'")})
    assert cache.read([task]) == {}


@pytest.mark.parametrize("package", ["torchvision", "einops"])
def test_only_code_that_names_a_package_depends_on_its_version(monkeypatch, package):
    def keys(installed):
        monkeypatch.setattr(profile_cache, "_installed", lambda name: installed if name == package else "2")
        return [key_of(Task(code, Shapes(3, 32, 10))) for code in ("import torch", f"import {package}")]

    without, with_it = keys("none"), keys("0.28")
    assert without[0] == with_it[0]
    assert without[1] != with_it[1]
