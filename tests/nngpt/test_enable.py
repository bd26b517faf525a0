"""A checkout is enabled and disabled without a trace, and nothing of a person's is overwritten or removed."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from nngpt_world import NNGPT

from nngpt_perfclf import cli
from nngpt_perfclf.config import load_config
from nngpt_perfclf.nngpt import enable as enabling
from nngpt_perfclf.nngpt import hook
from nngpt_perfclf.nngpt.enable import LAYOUTS, PROMPTS, STARTER, disable, enable
from nngpt_perfclf.types import PerfclfError

YAML = "nngpt_perfclf.yaml"


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """The folder of Python packages, which `enable` writes one file into."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(enabling.sysconfig, "get_path", lambda name: str(folder))
    monkeypatch.setattr(enabling.site, "ENABLE_USER_SITE", False)
    return folder


@pytest.fixture(params=LAYOUTS, ids=["head", "release"])
def checkout(request, tmp_path):
    """The released prompts, with the module where the release or the repository's head has it."""
    root = tmp_path / "nn-gpt"
    shutil.copytree(NNGPT / PROMPTS, root / PROMPTS)
    main = root / request.param.file
    main.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(NNGPT / "ab/gpt/TuneNNGen.py", main)
    return root


def snapshot(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_enable_then_disable_leaves_no_trace(checkout, environment):
    before = snapshot(checkout.parent)
    written = enable(checkout)["written"]
    assert len(written) == 8
    preset = next(path for path in written if path.endswith("PerfClf.py"))
    subprocess.run([sys.executable, "-m", "compileall", "-q", str((checkout / preset).parent)], check=True)
    result = disable(checkout)
    assert sorted(result["removed"]) == sorted(written)
    assert result["kept"] == []
    for folder in checkout.rglob("__pycache__"):  # of the checkout's own modules
        assert not list(folder.glob("PerfClf.*"))
        shutil.rmtree(folder)
    assert snapshot(checkout.parent) == before


def test_nothing_that_stood_there_changes_and_a_second_call_changes_nothing(checkout):
    before = snapshot(checkout)
    first = enable(checkout)
    after = snapshot(checkout)
    assert {path: after[path] for path in before} == before
    second = enable(checkout)
    assert second["written"] == []
    assert sorted(second["unchanged"]) == sorted(first["written"])
    assert snapshot(checkout) == after


def test_an_edited_configuration_stays_when_it_is_enabled_again_and_when_it_is_disabled(checkout):
    enable(checkout)
    edited = (checkout / YAML).read_text().replace("keep: [0.5]", "keep: [0.25]")
    (checkout / YAML).write_text(edited)
    result = enable(checkout)
    assert (result["written"], result["kept"]) == ([], [YAML])
    assert disable(checkout)["kept"] == [YAML]
    assert (checkout / YAML).read_text() == edited
    assert enable(checkout)["kept"] == [YAML], "a configuration from before is a person's too"


def test_what_an_earlier_version_wrote_is_replaced(checkout):
    first = enable(checkout)
    preset = next(path for path in first["written"] if path.endswith("PerfClf.py"))
    written = json.loads((checkout / enabling.WRITTEN).read_text())
    (checkout / preset).write_text("an earlier preset")
    written[preset] = enabling._digest(b"an earlier preset")
    (checkout / enabling.WRITTEN).write_text(json.dumps(written))
    assert enable(checkout)["written"] == [preset]


def test_each_prompt_is_the_checkouts_own_with_the_two_keys_set(checkout):
    enable(checkout)
    repaired = sorted(checkout.glob(f"{PROMPTS}/*/*_perfclf.json"))
    assert len(repaired) == 6
    for path in repaired:
        own = json.loads(path.with_name(path.name.replace("_perfclf", "")).read_text())
        for key, settings in json.loads(path.read_text()).items():
            assert settings == {**own[key], "dataset": None, "nn_prefixes": [""]}


def test_the_configuration_is_one_that_this_library_reads(checkout):
    enable(checkout)
    assert load_config(checkout / YAML).loop.keep == (0.5,)


def test_the_preset_names_the_checkouts_own_program_prompts_and_configuration(checkout, monkeypatch):
    told = enable(checkout)
    module = told["next"].split()[2]
    preset = checkout / (module.replace(".", "/") + ".py")
    calls = []
    monkeypatch.setattr("nngpt_perfclf.nngpt.preset.main", lambda *args, **named: calls.append((args, named)))
    exec(compile(preset.read_text(), preset, "exec"), {"__name__": "__main__", "__file__": str(preset)})
    (tune, configuration), named = calls.pop()
    assert (checkout / (tune.replace(".", "/") + ".py")).is_file()
    assert configuration == checkout / YAML
    for name in named["prompts"]:
        for part in ("train", "test"):
            assert named["key"] in json.loads((checkout / PROMPTS / part / name).read_text())
    assert "code_based" in named["prompts"][0]


def test_python_starts_the_hook_in_new_processes_where_the_variable_is_set(checkout, environment):
    enable(checkout)
    code = "import sys; print('nngpt_perfclf' in sys.modules, any('hook' in str(type(f)) for f in sys.meta_path))"
    start = f"import site; site.addsitedir({str(environment)!r}); {code}"
    for variables, said in (({}, "False False"), ({hook.PRUNE: str(checkout / YAML)}, "True True")):
        done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": str(cli.__file__).rpartition("/nngpt_perfclf/")[0],
                                   **variables})
        assert (done.stdout.strip(), done.stderr) == (said, "")


def test_the_starter_stays_until_the_last_checkout_is_disabled(checkout, environment, tmp_path):
    other = tmp_path / "another"
    shutil.copytree(checkout, other)
    enable(checkout)
    enable(other)
    disable(checkout)
    assert f"# {other}" in (environment / STARTER).read_text()
    disable(other)
    assert list(environment.iterdir()) == []


def test_an_environment_that_cannot_be_written_is_named_before_anything_is_written(checkout, monkeypatch):
    monkeypatch.setattr(enabling.os, "access", lambda *_: False)
    before = snapshot(checkout)
    with pytest.raises(PerfclfError, match="child processes could not be hooked"):
        enable(checkout)
    assert snapshot(checkout) == before


@pytest.mark.parametrize("name", [YAML, f"{PROMPTS}/test/NN_dataset_compare_code_based_perfclf.json"])
def test_a_file_of_the_users_is_not_overwritten_and_nothing_else_is_written(checkout, name, capsys):
    (checkout / name).write_text("mine")
    before = snapshot(checkout)
    assert cli.main(["nngpt", "enable", str(checkout)]) == 1
    assert f"{checkout / name} exists with another content" in capsys.readouterr().err
    assert snapshot(checkout) == before


def test_a_folder_that_is_no_checkout_or_is_not_enabled_is_named(tmp_path):
    with pytest.raises(PerfclfError, match="is no NNGPT checkout"):
        enable(tmp_path)
    with pytest.raises(PerfclfError, match="is not enabled"):
        disable(tmp_path)


def test_prompts_that_are_missing_or_no_json_are_named(checkout):
    for path in checkout.glob(f"{PROMPTS}/train/NN_dataset_compare_*.json"):
        path.write_text("[]" if "code_based" in path.name else "{")
    with pytest.raises(PerfclfError, match="is no NNGPT prompt file"):
        enable(checkout)
    shutil.rmtree(checkout / PROMPTS / "train")
    with pytest.raises(PerfclfError, match="no NN_dataset_compare"):
        enable(checkout)
