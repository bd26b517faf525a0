"""The evaluation of the repository's head, as the contract describes it, with pruning before it."""

import importlib
import inspect
import json
import os
import re
import sys
from pathlib import Path

import pytest
from nngpt_head import EVAL
from nngpt_stubs import JUNK, NETWORK
from nngpt_world import environment, for_the_plugin, make_candidate, run

from nngpt_perfclf.config import conf_folder
from nngpt_perfclf.nngpt import hook, wrap
from nngpt_perfclf.nngpt.enable import STARTER, _write_starter
from nngpt_perfclf.nngpt.evaluating import epochs_of, evaluation_of
from nngpt_perfclf.nngpt.folders import PRM, Evaluation

MODULE = "ab.gpt.act.eval.Eval"


@pytest.fixture
def root(tmp_path):
    """A checkout of the head with two generations of four candidates each, one of them junk."""
    file = (tmp_path / MODULE.replace(".", "/")).with_suffix(".py")
    file.parent.mkdir(parents=True)
    file.write_text(EVAL)
    for package in ("ab", "ab/gpt", "ab/gpt/act", "ab/gpt/act/eval"):
        (tmp_path / package / "__init__.py").touch()  # else the installed LEMUR would be imported, and fill a database
    for epoch in range(2):
        for place in range(4):
            code = JUNK if place == 3 else NETWORK.format(width=10 * epoch + place)
            make_candidate(tmp_path / "out" / "nngpt" / "llm" / "epoch" / f"A{epoch}" / "synth_nn" / f"B{place}", code)
    configuration = for_the_plugin((conf_folder() / "nngpt.yaml").read_text())
    (tmp_path / "perfclf.yaml").write_text(configuration)
    return tmp_path


@pytest.fixture
def inside(root, monkeypatch):
    """This process is in the checkout, with the scripted adviser as its plugin."""
    for name, value in environment(root).items():
        if name in ("NNGPT_WORLD", "PYTHONDONTWRITEBYTECODE"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [str(root), str(root / "start"), *sys.path])
    for name in [name for name in sys.modules if name.partition(".")[0] == "ab"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    yield root
    for name in [name for name in sys.modules if name.partition(".")[0] == "ab"]:
        del sys.modules[name]


def trained(root):
    return (root / "trained").read_text().split()


def records(root):
    return sorted(root.glob("out/nngpt/perfclf/*/A*.json"))


def test_an_evaluation_trains_what_was_kept_and_leaves_a_line_a_record_and_a_page(inside, capfd):
    with wrap(inside / "perfclf.yaml"):
        evaluation = importlib.import_module(MODULE)
        evaluation.main(only_epoch=0)
    assert trained(inside) == ["A0/B1", "A0/B2"]
    [record] = records(inside)
    content = json.loads(record.read_text())
    assert [row.get("accuracy") for row in content["candidates"]] == [None, 0.5, 0.5, None]
    assert content["evaluation_seconds"] >= 0
    assert (record.parent / "report.html").is_file()
    line = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("nngpt_perfclf: A0"))
    assert re.search(r"4 asked, 2 kept, 2 pruned \(1 broken\), \d\.\d s asking, about -?0\.00 h saved", line)


def test_every_generation_that_an_evaluation_looks_at_is_pruned(inside):
    with wrap(inside / "perfclf.yaml"):
        importlib.import_module(MODULE).main()
    assert trained(inside) == ["A0/B1", "A0/B2", "A1/B1", "A1/B2"]
    assert len(records(inside)) == 2


def test_a_folder_that_is_named_is_pruned_beside_itself(inside):
    make_candidate(inside / "cycle_1" / "nneval" / "gen_0001", NETWORK.format(width=1))
    make_candidate(inside / "cycle_1" / "nneval" / "gen_0002", NETWORK.format(width=2))
    with wrap(inside / "perfclf.yaml"):
        importlib.import_module(MODULE).main(custom_synth_dir=str(inside / "cycle_1" / "nneval"), cycle=1)
    assert trained(inside) == ["cycle_1/gen_0002"]
    assert (inside / "cycle_1" / "pruned_nneval" / "gen_0001").is_dir()


def test_after_the_block_nothing_of_the_hook_is_left(inside):
    before = list(sys.meta_path), dict(os.environ)
    with wrap(inside / "perfclf.yaml"):
        evaluation = importlib.import_module(MODULE)
    assert (list(sys.meta_path), dict(os.environ)) == before
    evaluation.main(only_epoch=0)
    assert len(trained(inside)) == 4
    assert not records(inside)


def test_an_evaluation_that_is_imported_already_is_hooked_too(inside):
    evaluation = importlib.import_module(MODULE)
    with wrap(inside / "perfclf.yaml"):
        evaluation.main(only_epoch=1)
    assert trained(inside) == ["A1/B1", "A1/B2"]


def test_settings_may_follow_the_configuration(inside):
    with wrap(inside / "perfclf.yaml", "loop.keep=[1.0]", f"out={inside / 'elsewhere'}"):
        importlib.import_module(MODULE).main(only_epoch=0)
    assert trained(inside) == ["A0/B0", "A0/B1", "A0/B2"]
    assert len(list((inside / "elsewhere").glob("A0-*.json"))) == 1


@pytest.mark.parametrize("damage", ["scorer: nonesuch\n", "not: a key\n"])
def test_a_failure_in_the_pruning_never_stops_nngpt(inside, damage, caplog):
    with wrap(inside / "perfclf.yaml"):
        (inside / "perfclf.yaml").write_text(damage)
        importlib.import_module(MODULE).main(only_epoch=0)
    assert len(trained(inside)) == 4
    assert "NNGPT goes on without" in caplog.text


def test_a_wrapper_around_the_evaluation_sees_its_own_signature_and_lines(inside):
    """As the pipeline for edge devices does, which drops the arguments that the signature does not have."""
    with wrap(inside / "perfclf.yaml"):
        evaluation = importlib.import_module(MODULE)
        assert "custom_synth_dir" in inspect.signature(evaluation.main).parameters
        first = next(number for number, line in enumerate(EVAL.splitlines(), 1) if line.startswith("def main"))
        assert evaluation.main.__wrapped__.__code__.co_firstlineno == first


def test_child_processes_inherit_the_hook_and_write_no_compiled_files(root):
    environment(root)
    _write_starter(root / "site" / STARTER, {str(root)})
    words = f"[sys.executable, '-m', {MODULE!r}, '--only_epoch', '1']"
    parent = f"import subprocess, sys; subprocess.run({words}, check=True)"
    hooked = {hook.PRUNE: str(root / "perfclf.yaml"), "PYTHONDONTWRITEBYTECODE": ""}
    done = run(root, "-c", parent, **hooked)
    assert done.returncode == 0, done.stderr
    assert trained(root) == ["A1/B1", "A1/B2"]
    assert "nngpt_perfclf: A1: 4 asked, 2 kept" in done.stdout
    assert not list((root / "ab").rglob("Eval.*.pyc"))
    done = run(root, "-c", parent)
    assert done.returncode == 0, done.stderr
    assert len(trained(root)) == 4, "without the variable all that stands there is evaluated"


def test_the_evaluations_arguments_say_how_it_trains():
    arguments = {"dataset": "svhn", "nn_train_epochs": 3, "lr": 0.5, "batch": 16, "prm_json": {"lr": 0.7}}
    assert evaluation_of(arguments, {"__file__": "Eval.py"}) == Evaluation(
        "svhn", {**PRM, "lr": 0.5, "batch": 16}, {"lr": 0.7}, 3)
    assert not evaluation_of(arguments, {"__file__": "x/NNEvalAnalog.py"}).seed_row_wins


def test_generations_that_do_not_exist_are_not_looked_for(tmp_path):
    module = {"epoch_dir": lambda *numbers: tmp_path.joinpath(*(f"A{number}" for number in numbers)),
              "synth_dir": lambda folder: Path(folder) / "synth_nn"}
    for arguments in ({"only_epoch": 7}, {"only_epoch": None, "nn_alter_epochs": 3},
                      {"only_epoch": None, "nn_alter_epochs": None}):
        assert epochs_of(arguments, module) == []
