"""Asking needs no LEMUR: no nn-dataset is installed, and the cache folder is empty."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nngpt_stubs import NETWORK
from nngpt_world import make_candidate

ROOT = Path(__file__).parents[2]
START = """
import importlib.metadata, sys
sys.modules["ab"] = None  # no nn-dataset can be imported
from nngpt_perfclf.cli import main
sys.exit(main(sys.argv[1:]))
"""
WRAP = """
import sys
sys.modules["ab"] = None
from nngpt_perfclf.nngpt import wrap
with wrap():
    print("wrapped")
"""


@pytest.fixture
def ask(tmp_path):
    def ask(code, *words):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NNGPT_PERFCLF")}
        environment = {**kept, "NNGPT_PERFCLF_HOME": str(tmp_path / "empty"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return ask


def test_prune_rank_advise_and_wrap_work(ask, tmp_path):
    for place in range(4):
        folder = tmp_path / "A0" / "synth_nn" / f"B{place}"
        make_candidate(folder, NETWORK.format(width=place), prm={"lr": 10.0**-place})
    never = "advice.profile=never"
    pruned = json.loads(ask(START, "nngpt", "prune", "A0", "--json", never))
    assert (pruned["asked"], pruned["kept"] + pruned["pruned"]) == (4, 4)
    [kept, *_] = sorted((tmp_path / "A0" / "synth_nn").iterdir())
    [ranked] = json.loads(ask(START, "rank", str(kept / "new_nn.py"), "--target", "svhn", "--json", never))["rows"]
    assert ranked["status"] == "ok"
    advice = json.loads(ask(START, "advise", str(kept / "new_nn.py"), "svhn", "mnist", "--json", never))
    assert advice["answer"] == "mnist"
    assert ask(WRAP) == "wrapped\n"
    assert not list((tmp_path / "empty").rglob("*.whl"))
