"""NNGPT's released code in a checkout of its own, run for real in child processes (see `nngpt_stubs`)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from nngpt_perfclf.config import home

NNGPT = home() / "nn-gpt-1.0.6"
WHEELS = home() / "wheels"
TESTS = Path(__file__).parent
# LEMUR's own modules, without results and networks.
_DATA = ("ab/nn/stat/", "ab/nn/nn/")
_START = """import os, site, sys
sys.path.insert(0, {tests!r})
import nngpt_stubs
nngpt_stubs.install()
site.addsitedir({site!r})
"""


def make_checkout(root: Path) -> Path:
    """A folder that NNGPT's 1.0.6 runs in: its own files by link, LEMUR's modules out of its wheel."""
    assert NNGPT.is_dir(), f"no {NNGPT}: `make setup` unpacks it"
    released, gpt = NNGPT / "ab" / "gpt", root / "ab" / "gpt"
    for folder in (".", "conf", "conf/prompt", "conf/prompt/train", "conf/prompt/test"):
        (gpt / folder).mkdir(parents=True, exist_ok=True)
        for entry in (released / folder).iterdir():
            if not (gpt / folder / entry.name).exists() and entry.name not in ("conf", "prompt", "train", "test"):
                (gpt / folder / entry.name).symlink_to(entry)
    (root / "README.md").touch()  # what NNGPT takes for the root of a project
    (root / "ab" / "__init__.py").touch()
    with ZipFile(next(WHEELS.glob("nn_dataset-*.whl"))) as lemur:
        lemur.extractall(root, [name for name in lemur.namelist()
                                if name.startswith("ab/nn/") and not name.startswith(_DATA)])
    return root


def environment(root: Path, **more: str) -> dict[str, str]:
    """Variables under which each Python process finds the checkout, has the stubs, and reads ``root/site/*.pth``."""
    start = root / "start"
    start.mkdir(exist_ok=True)
    (root / "site").mkdir(exist_ok=True)
    (start / "sitecustomize.py").write_text(_START.format(tests=str(TESTS), site=str(root / "site")))
    _register(start)
    paths = [start, root, TESTS.parent, TESTS, *WHEELS.glob("radon-*.whl")]
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("NNGPT_PERFCLF_P", "NNGPT_PERFCLF_R", "AB_GPT", "CUDA_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1", "NNGPT_WORLD": str(root), **more}


def _register(folder: Path) -> None:
    """Make `nngpt_adviser` a plugin that is installed, as far as Python can tell."""
    info = folder / "scripted_adviser-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted-adviser\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nngpt_perfclf]\nscripted = nngpt_adviser\n")


def for_the_plugin(configuration: str) -> str:
    """The configuration with the scripted plugin as adviser. The scripted networks cannot be built, and are not."""
    return configuration.replace("scorer: pointwise", "scorer: installed\nadvice:\n  profile: never")


def ask_the_plugin(root: Path) -> None:
    """What a person does: edit the configuration that `enable` wrote."""
    file = root / "nngpt_perfclf.yaml"
    file.write_text(for_the_plugin(file.read_text()))


def run(root: Path, *words: str, **more: str) -> subprocess.CompletedProcess:
    """``python WORDS`` in the checkout."""
    return subprocess.run([sys.executable, *words], cwd=root, capture_output=True, text=True, timeout=300,
                          env=environment(root, **more))


def make_candidate(folder: Path, code: str, dataset: str | None = "svhn", prm: dict | None = None,
                   hp: object = None) -> Path:
    """What NNGPT's generation leaves of one candidate. `dataset`: in its seed row; None: it has no seed row."""
    import pandas as pd

    folder.mkdir(parents=True)
    (folder / "new_nn.py").write_text(code)
    if hp is not None:
        (folder / "hp.txt").write_text(hp if isinstance(hp, str) else json.dumps(hp))
    if dataset is not None:
        row = {"task": "img-classification", "dataset": dataset, "metric": "acc", "nn": "ga-1",
               "prm": {"lr": 0.1, "batch": 32, "momentum": 0.9, "dropout": 0.2, "transform": "norm_32"} | (prm or {})}
        next(pd.DataFrame([row]).iterrows())[1].to_pickle(folder / "dataframe.df")
    return folder


def evaluate(folder: Path, accuracy: float | None) -> None:
    """What NNGPT's evaluation leaves of one candidate; None: its training failed."""
    if accuracy is None:
        (folder / "error.txt").write_text("out of memory\n")
        return
    (folder / "eval_info.json").write_text(json.dumps({"eval_results": {"accuracy": accuracy}}))
    (folder / "1.json").write_text(json.dumps([{"uid": "x", "accuracy": accuracy, "duration": 36e11}]))
