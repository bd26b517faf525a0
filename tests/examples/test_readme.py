"""What the README tells people to type works as it stands there, only smaller."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import in_process
import pytest
from tiny import make_tiny_model

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.S)
COMMANDS = [shlex.split(line, comments=True) for kind, block in BLOCKS if kind == "sh"
            for line in block.splitlines() if line.startswith("nngpt-perfclf ")]
SNIPPETS = [block for kind, block in BLOCKS if kind == "python"]
EXAMPLE = SNIPPETS[0]  # twenty networks; the README shows the first two and the last two lines that it prints
SHOWN = re.search(r"\n\n```\n(.*?)```", TEXT.split(EXAMPLE)[1], re.S)[1].splitlines()


def smaller(words, model):
    """Words that make a command quick without changing what it does."""
    if words[0] == "train":
        return [f"model={model}", "train.labels_count=48", "train.eval_samples=8", "train.checkpoint_steps=50",
                "train.calibration_pairs=16"]
    return {"loop": ["loop.resamples=2", "loop.candidates=6", "loop.targets=[mnist]", "loop.advisers=[prior]"],
            "evaluate": ["evaluate.pairs=20", "evaluate.resamples=50", "evaluate.baselines=[]"],
            "bench": [f"model={model}"]}.get(words[0], [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    make_tiny_model(folder / "model")
    (folder / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "network.py", folder / "examples")
    return folder


def test_there_is_something_to_run():
    assert {command[1] for command in COMMANDS} >= {"corpus", "pairs", "models", "train", "evaluate", "advise", "loop"}
    assert SNIPPETS


def test_every_command_runs_in_the_order_in_which_it_stands(folder):
    for command in COMMANDS:
        done = in_process.command([*command[1:], *smaller(command[1:], folder / "model")], folder)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr[-1500:]}"


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_every_python_snippet_runs(folder, number):
    done = subprocess.run([sys.executable, "-c", SNIPPETS[number]], cwd=folder, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-1500:]
    if SNIPPETS[number] == EXAMPLE:
        printed = done.stdout.splitlines()
        assert printed[:2] + printed[-2:] == SHOWN
        assert len(printed) == 20


def test_the_two_commands_are_make_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(block for kind, block in BLOCKS if kind == "sh"), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
