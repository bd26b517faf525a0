import ast
import importlib
import json
import shutil
import sys
import types

import pytest

from nngpt_perfclf import cli
from nngpt_perfclf.config import home, load_config
from nngpt_perfclf.nngpt import wrap as nngpt_wrap
from nngpt_perfclf.nngpt.enable import LAYOUTS, PROMPTS, enable
from nngpt_perfclf.types import PerfclfError

NNGPT = home() / "nn-gpt-1.0.6"


@pytest.fixture(params=LAYOUTS, ids=["head", "release"])
def checkout(request, tmp_path):
    """The released prompts, with the module where the release or the repository's head has it."""
    shutil.copytree(NNGPT / PROMPTS, tmp_path / PROMPTS)
    main = tmp_path / request.param.file
    main.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(NNGPT / "ab/gpt/TuneNNGen.py", main)
    return tmp_path


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_that_stood_there_changes_and_a_second_call_changes_nothing(checkout):
    before = snapshot(checkout)
    first = enable(checkout)
    after = snapshot(checkout)
    assert {path: after[path] for path in before} == before
    assert {str(path.relative_to(checkout)) for path in after.keys() - before.keys()} == set(first["written"])
    second = enable(checkout)
    assert second["written"] == []
    assert sorted(second["unchanged"]) == sorted(first["written"])
    assert snapshot(checkout) == after


def test_each_prompt_is_the_checkouts_own_with_the_two_keys_set(checkout):
    enable(checkout)
    repaired = sorted(checkout.glob(f"{PROMPTS}/*/*_perfclf.json"))
    assert len(repaired) == 6
    for path in repaired:
        own = json.loads(path.with_name(path.name.replace("_perfclf", "")).read_text())
        for key, settings in json.loads(path.read_text()).items():
            assert settings["dataset"] is None
            assert settings["nn_prefixes"] == [""]
            assert settings == {**own[key], "dataset": None, "nn_prefixes": [""]}


def test_the_preset_calls_nngpts_main_with_what_it_takes(checkout, monkeypatch):
    told = enable(checkout)
    module = told["next"].split()[2]
    preset = checkout / (module.replace(".", "/") + ".py")
    calls = []
    main_of = types.ModuleType(next(layout.module for layout in LAYOUTS if layout.preset_module == module))
    main_of.main = lambda **settings: calls.append(settings)
    for name in ("ab", "ab.gpt", "ab.gpt.act", "ab.gpt.act.tune"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, main_of.__name__, main_of)
    monkeypatch.setattr(sys, "argv", ["preset", "compare", "--dry-run"])
    exec(compile(preset.read_text(), preset, "exec"), {"__name__": "__main__", "__file__": str(preset)})
    settings = calls.pop()
    source = ast.parse((NNGPT / "ab/gpt/TuneNNGen.py").read_text())
    taken = next(node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "main").args
    assert set(settings) <= {argument.arg for argument in taken.args}
    assert settings["max_prompts"] == 3
    for folder, name in (("train", settings["llm_tune_conf"]), ("test", settings["nn_gen_conf"])):
        assert settings["nn_gen_conf_id"] in json.loads((checkout / PROMPTS / folder / name).read_text())

    tune = types.ModuleType("tune")
    tune.nn_gen = original = lambda epoch, out_path: None
    monkeypatch.setattr(nngpt_wrap, "_tuning_module", lambda: tune)
    main_of.main = lambda **settings: calls.append(tune.nn_gen is not original)
    monkeypatch.setattr(sys, "argv", ["preset", "generate"])
    exec(compile(preset.read_text(), preset, "exec"), {"__name__": "__main__", "__file__": str(preset)})
    assert calls == [True]
    assert tune.nn_gen is original


def test_the_configuration_is_one_that_this_library_reads(checkout):
    enable(checkout)
    assert load_config(checkout / "nngpt_perfclf.yaml").loop.keep == (0.5,)


@pytest.mark.parametrize("name", ["nngpt_perfclf.yaml", f"{PROMPTS}/test/NN_dataset_compare_code_based_perfclf.json"])
def test_a_file_of_the_users_is_not_overwritten_and_nothing_else_is_written(checkout, name, capsys):
    (checkout / name).write_text("mine")
    before = snapshot(checkout)
    assert cli.main(["nngpt", "enable", str(checkout)]) == 1
    assert f"{checkout / name} exists with another content" in capsys.readouterr().err
    assert snapshot(checkout) == before


def test_a_folder_that_is_no_checkout_is_named(tmp_path):
    with pytest.raises(PerfclfError, match="is no NNGPT checkout"):
        enable(tmp_path)


def test_prompts_that_are_missing_or_no_json_are_named(checkout):
    for path in checkout.glob(f"{PROMPTS}/train/NN_dataset_compare_*.json"):
        path.write_text("[]" if "code_based" in path.name else "{")
    with pytest.raises(PerfclfError, match="is no NNGPT prompt file"):
        enable(checkout)
    shutil.rmtree(checkout / PROMPTS / "train")
    with pytest.raises(PerfclfError, match="no NN_dataset_compare"):
        enable(checkout)


def test_the_wrapper_finds_the_tuning_module_of_release_and_head(monkeypatch, tmp_path):
    for name in nngpt_wrap.MODULES:
        file = tmp_path / name.replace("ab.", "abx.", 1).replace(".", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".py").write_text("def nn_gen(epoch, out_path): pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(nngpt_wrap, "MODULES", ("abx.nowhere.Tune", name.replace("ab.", "abx.", 1)))
        importlib.invalidate_caches()
        assert nngpt_wrap._tuning_module().__name__ == name.replace("ab.", "abx.", 1)
