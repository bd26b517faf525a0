"""Every example does what it says, on the real data, with a tiny model where a real one would take minutes."""

import importlib.util
import io
import json
import math
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace

import in_process
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import make_tiny_model

from nngpt_perfclf.budget import Rates

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words, cwd):
    done = subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_asking_from_python_answers_each_question(tmp_path):
    lines = run(EXAMPLES / "ask.py", "prior", cwd=tmp_path).strip().splitlines()
    asked = [line.split(":")[0] for line in lines]
    assert asked == [f"cifar-10 or {other}" for other in ("cifar-100", "mnist", "svhn")]


def test_training_stops_early_in_a_plain_loop(tmp_path):
    *trained, last = run(EXAMPLES / "stop_early.py", cwd=tmp_path).strip().splitlines()
    assert len(trained) == 8
    assert sum("after epoch 5" in line for line in trained) == int(last.split()[0]) < 8


@pytest.fixture(scope="module")
def demo(plan, tmp_path_factory):
    """The demo with a tiny model that reads code views; its commands run in this process."""
    folder, said = tmp_path_factory.mktemp("demo"), io.StringIO()
    model = make_tiny_model(folder / "model")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr(plan, "subprocess", SimpleNamespace(run=in_process.python, PIPE=subprocess.PIPE))
        assert plan.main(["--quick", "--out", str(folder / "out"), f"model={model}", "advice.profile=never"]) == 0
    return folder / "out", said.getvalue()


def test_the_demo_starts_as_a_script(tmp_path):
    assert "--minutes" in run(EXAMPLES / "demo.py", "--help", cwd=tmp_path)


def test_the_demo_says_what_it_does_and_how_long_is_left(demo):
    _, said = demo
    assert said.count("$ nngpt-perfclf") == 7
    assert said.count(" left)") == 7
    assert "64 labels to learn from" in said


@pytest.fixture(scope="module")
def plan():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["demo"]


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_more_work_never_lasts_shorter(plan, few, more):
    few, more = sorted((few, more))
    speed = Rates(100.0, 50.0)
    for work in (plan.training, plan.calibrating, plan.asking, lambda count: plan.asking(count, 2)):
        assert work(few).lasts(speed) <= work(more).lasts(speed)


@given(st.floats(0, 1.2))
def test_the_largest_share_that_fits_is_found(plan, limit):
    found = plan.largest(lambda share: share <= limit)
    assert found <= limit
    assert found == pytest.approx(min(limit, 1.0), abs=1e-9)
    assert plan.largest(lambda share: False) == 0


@given(st.integers(0, 100), st.integers(0, 1000), st.floats(0, 1), st.integers(1, 50))
def test_a_size_is_between_its_bounds(plan, least, more, share, multiple):
    size = plan.between(least, least + more, share, multiple)
    assert least <= size <= least + more
    assert (size - least) % multiple == 0


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_the_pace_lies_between_1_and_what_was_seen(plan, estimated, taken):
    found = plan.pace(estimated, taken)
    seen = taken / estimated if estimated else math.inf
    assert min(1, seen) - 1e-9 <= found <= max(1, seen) + 1e-9
    assert plan.pace(0, 0) == 1


@given(read=st.floats(120, 1e6), train=st.floats(40, 1e6), faster=st.floats(1, 100))
def test_the_demos_sizes_fit_into_the_time_at_any_rate_and_grow_with_it(plan, read, train, faster):
    seconds = 60 * plan.MINUTES
    slow, fast = Rates(read, train), Rates(read * faster, train * faster)
    few, many = plan.choose(slow, seconds), plan.choose(fast, seconds)
    assert few.seconds(slow) <= seconds
    assert many.seconds(fast) <= seconds
    assert all(low <= high for low, high in zip(astuple(few), astuple(many), strict=True))


def test_what_took_longer_than_estimated_makes_the_rest_smaller_and_its_estimate_longer(plan, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(plan.time, "monotonic", lambda: now[0])
    clock = plan.Clock(Rates(500.0, 200.0), 0.0, 60 * plan.MINUTES)
    before = clock.choose(2)
    left = clock.left(before, 2)
    now[0] = 200.0
    clock.did(before, 0)
    assert clock.choose(2).labels < before.labels
    assert clock.left(before, 2) > left


def test_the_demo_ends_with_an_honest_verdict(demo):
    out, said = demo
    found = json.loads((out / "evaluation" / "evaluation.json").read_text())
    word = "above" if found["accuracy"] > found["prior"] else "below" if found["accuracy"] < found["prior"] else "level"
    assert f"points {word}" in said
    assert f"On {found['n']} held-out pairs" in said


def test_the_demo_leaves_runs_and_a_page_with_pictures(demo):
    out, _ = demo
    for file in ("pairs.parquet", "adviser/run.json", "adviser/adapter/adapter_model.safetensors", "loop/loop.json"):
        assert (out / file).is_file(), file
    page = (out / "report.html").read_text()
    assert page.count("<svg") + page.count("data:image") >= 4
