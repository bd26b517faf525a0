"""Every example does what it says, on the real data, with a tiny model where a real one would take minutes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import make_tiny_model

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words, cwd):
    done = subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_asking_from_python_answers_each_question(tmp_path):
    lines = run(EXAMPLES / "ask.py", "prior", cwd=tmp_path).strip().splitlines()
    asked = [line.split(":")[0] for line in lines]
    assert asked == [f"cifar-10 or {other}" for other in ("cifar-100", "mnist", "svhn")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    model = make_tiny_model(folder / "model")
    said = run(EXAMPLES / "demo.py", "--quick", "--out", folder / "out", f"model={model}", cwd=folder)
    return folder / "out", said


def test_the_demo_says_what_it_does_and_how_long_is_left(demo):
    _, said = demo
    assert said.count("$ nngpt-perfclf") == 7
    assert said.count("min left") == 7


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
