"""The contract, through the real host: built-ins, failing advisers, and a third party's package, installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nngpt_perfclf import Advice, Question, hookimpl
from nngpt_perfclf.advice import plugin
from nngpt_perfclf.plugins import get_plugin_manager, registered

CODE = "class Net: pass"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Lets the built-in plugin use another adviser."""
    def use(adviser):
        file = tmp_path / "plugin.yaml"
        file.write_text(f"adviser: '{adviser}'\n")
        monkeypatch.setenv(plugin.CONFIG, str(file))
        plugin._adviser.cache_clear()
    yield use
    plugin._adviser.cache_clear()


def test_the_built_in_adviser_answers_through_the_entry_point(configured):
    configured("prior")
    hook = get_plugin_manager().hook
    assert hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn").better == "mnist"
    one, bad, two = hook.advise_many(questions=[Question(CODE, "mnist", "svhn"), Question("", "mnist", "svhn"),
                                                Question(CODE, "svhn", "mnist")])
    assert one == two
    assert bad is None


@pytest.mark.parametrize("adviser", ["null", "no-such-adviser"])
def test_no_opinion_and_a_broken_configuration_are_both_none(adviser, configured, caplog):
    configured(adviser)
    hook = get_plugin_manager().hook
    assert hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn") is None
    assert hook.advise_many(questions=[Question(CODE, "mnist", "svhn")]) is None
    assert ("no adviser 'no-such-adviser'" in caplog.text) == (adviser != "null")


def test_an_adviser_that_raises_is_logged_and_no_opinion(monkeypatch, caplog):
    def broken(config_file):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(plugin, "_adviser", broken)
    assert get_plugin_manager().hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn") is None
    assert "out of memory" in caplog.text


def test_a_third_party_is_asked_before_the_built_in_one(configured):
    configured("prior")

    class Other:
        @hookimpl
        def advise(self, ds_a):
            return Advice(ds_a, 1.0, 0.5, True, "because") if ds_a == "svhn" else None

    hook = get_plugin_manager(Other()).hook
    assert hook.advise(arch_code=CODE, ds_a="svhn", ds_b="mnist").reason == "because"
    assert hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn").reason != "because"


def test_built_in_tasks_and_prompts_come_through_the_hooks():
    assert any(Path(task).stem == "img_classification" for task in registered("register_tasks"))
    assert any((Path(folder) / "code.yaml").is_file() for folder in registered("register_prompts"))


def test_an_installed_plugin_adds_a_prompt_and_an_adviser(tmp_path):
    source, place = tmp_path / "source", tmp_path / "place"
    shutil.copytree(ROOT / "examples" / "plugin_example", source)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
                    "--no-index", "--target", place, source], check=True)
    asked = """
from nngpt_perfclf import Question, Recipe
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.prompts import templates
assert "code_classes" in templates() and "code" in templates()
few = [Question("class Net: pass", "svhn", "mnist", Recipe(lr=a), Recipe(lr=b)) for a, b in ((0.01, 1.0), (0.01, 0.01))]
print(get_plugin_manager().hook.advise_many(questions=few))
"""
    told = subprocess.run([sys.executable, "-c", asked], env={**os.environ, "PYTHONPATH": str(place)}, check=True,
                          capture_output=True, text=True, cwd=tmp_path).stdout
    assert "better='svhn'" in told
    assert told.rstrip().endswith("None]")
