"""`accelerate launch` shares training and evaluation over processes, and nothing that is reported changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import in_process
import pytest
from tiny import make_tiny_model

SMALL = ["train.labels_count=64", "train.eval_samples=8", "train.batch=2", "train.questions_per_code=2",
         "train.checkpoint_steps=50", "train.precision=float32", "train.offset=prior", "template=code_recipe",
         "code_only_template=code", "train.lr=1e-3", "threads=1"]


LAUNCH = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1",
          "--mixed_precision", "no", "--dynamo_backend", "no"]


def run(*words, processes=1):
    """What the command says on standard output: one process is this one, two are launched."""
    if processes == 1:
        done = in_process.command(words, Path.cwd())
    else:
        done = subprocess.run([sys.executable, *LAUNCH, "-m", "nngpt_perfclf", *words], capture_output=True, text=True,
                              env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False, timeout=400)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    model = make_tiny_model(folder / "model")
    for processes in (1, 2):
        run("train", f"model={model}", f"out={folder / f'train-{processes}'}", *SMALL, processes=processes)
    return folder


def test_training_takes_the_same_steps(runs):
    losses = []
    for processes in (1, 2):
        log = (runs / f"train-{processes}" / "log.jsonl").read_text().splitlines()
        losses.append([entry["loss"] for entry in map(json.loads, log) if "loss" in entry])
    assert len(losses[0]) > 2
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)


def test_an_evaluation_prints_once_and_has_the_same_figures(runs):
    found = []
    for processes in (1, 2):
        said = run("evaluate", str(runs / "train-1"), f"out={runs / f'evaluation-{processes}'}", "evaluate.pairs=160",
                   "evaluate.baselines=[]", "evaluate.resamples=50", "advice.answer_cache=false", "--json",
                   processes=processes)
        assert len(said.strip().splitlines()) == 1
        found.append(json.loads(said))
    assert found[0]["n"] == found[1]["n"] == 160
    for figure in ("accuracy", "accuracy_low", "accuracy_high", "prior"):
        assert found[0][figure] == pytest.approx(found[1][figure], abs=1e-9)
