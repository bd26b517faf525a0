"""`accelerate launch` shares training and evaluation over processes, and nothing that is reported changes."""

import json
import os
import shutil
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
# Processes that are started once run all commands, as `python -m nngpt_perfclf` would.
COMMANDS = """
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv = ["nngpt_perfclf", *words]
    try:
        runpy.run_module("nngpt_perfclf", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
"""


def training(folder, processes):
    return ["train", f"model={folder / 'model'}", f"out={folder / f'train-{processes}'}", *SMALL]


def evaluation(folder, processes):
    return ["evaluate", str(folder / "train-1"), f"out={folder / f'evaluation-{processes}'}", "evaluate.pairs=160",
            "evaluate.baselines=[]", "evaluate.resamples=50", "advice.answer_cache=false", "--json"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder, and by number of processes what training and evaluating said on standard output: one process is this
    one, two are launched."""
    folder = tmp_path_factory.mktemp("processes")
    make_tiny_model(folder / "model")
    for command in (training(folder, 1), evaluation(folder, 1)):
        done = in_process.command(command, Path.cwd())
        assert done.returncode == 0, done.stderr[-2000:]
    (folder / "train-2").mkdir()
    shutil.copy(folder / "train-1" / "neighbours.npz", folder / "train-2")  # the same, and slow to learn
    script = folder / "commands.py"
    script.write_text(COMMANDS)
    both = json.dumps([training(folder, 2), evaluation(folder, 2)])
    launched = subprocess.run([sys.executable, *LAUNCH, str(script), both], capture_output=True, text=True, check=False,
                              timeout=400, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert launched.returncode == 0, launched.stderr[-2000:]
    return folder, {1: done.stdout, 2: launched.stdout}


def test_training_takes_the_same_steps(runs):
    folder, _ = runs
    losses = []
    for processes in (1, 2):
        log = (folder / f"train-{processes}" / "log.jsonl").read_text().splitlines()
        losses.append([entry["loss"] for entry in map(json.loads, log) if "loss" in entry])
    assert len(losses[0]) > 2
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)


def test_an_evaluation_prints_once_and_has_the_same_figures(runs):
    _, said = runs
    *trained, last = said[2].strip().splitlines()
    assert said[1].strip().splitlines() == [said[1].strip()]
    assert not any(line.startswith("{") for line in trained)
    one, two = json.loads(said[1]), json.loads(last)
    assert one["n"] == two["n"] == 160
    for figure in ("accuracy", "accuracy_low", "accuracy_high", "prior"):
        assert one[figure] == pytest.approx(two[figure], abs=1e-9)
