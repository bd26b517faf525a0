"""The preset passes NNGPT's own options to NNGPT's own programs."""

import os
import sys
import types

import pytest

from nngpt_perfclf.config import conf_folder
from nngpt_perfclf.nngpt import hook, preset
from nngpt_perfclf.types import PerfclfError

PROMPTS = ("code.json", "metadata.json")


def tuning(num_train_epochs=3, learning_rate=1e-6, target_modules=("q", "k"), llm_conf="a.json", peft=None,
           use_agents=True, save_llm_output=True, tune_layers=range(0, 24), cycles=5, test_nn=10):
    """Arguments as those of NNGPT's `main`."""


@pytest.fixture
def nngpt(monkeypatch):
    """NNGPT's tuning module, whose `main` notes what it is called with and whether evaluations would prune."""
    calls = []
    module, tune = types.ModuleType("made_up.Tune"), types.ModuleType("ab.gpt.util.Tune")

    def main(**settings):
        tune.tune()
        calls.append((settings, os.environ.get(hook.PRUNE)))

    module.main = main
    tune.tune = lambda num_cycles=100: calls.append(num_cycles)
    for name in ("ab", "ab.gpt", "ab.gpt.util"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, tune.__name__, tune)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def start(*words):
    preset.main("made_up.Tune", conf_folder() / "nngpt.yaml", PROMPTS, "a key", words)


def test_generate_prunes_and_hands_options_on(nngpt):
    start("generate", "--llm_conf", "b.json", "--test_nn", "4", "--no-use_agents", "--cycles=2")
    assert nngpt[0] == 2, "NNGPT's loop ends after the cycles that were asked for"
    settings, setting = nngpt[1]
    assert settings == {"llm_conf": "b.json", "test_nn": 4, "use_agents": False, "cycles": 2}
    assert setting.endswith("conf/nngpt.yaml")
    assert hook.PRUNE not in os.environ


def test_keep_and_target_are_settings_of_the_pruning(nngpt):
    start("generate", "--keep", "0.3", "--target", "svhn")
    assert nngpt[1][0] == {}
    assert nngpt[1][1].endswith("nngpt.yaml 'loop.keep=[0.3]' nngpt.target=svhn")


def test_compare_uses_the_repaired_prompts_and_prunes_nothing(nngpt):
    start("compare", "--prompt", "metadata.json", "--llm_conf", "b.json")
    settings, setting = nngpt[1]
    assert settings == {"llm_tune_conf": "metadata.json", "nn_gen_conf": "metadata.json", "nn_gen_conf_id": "a key",
                        "llm_conf": "b.json", **preset.COMPARE}
    assert setting is None


def test_a_dry_run_of_compare_is_one_short_cycle(nngpt):
    start("compare", "--dry-run")
    assert nngpt[0] == 1
    settings = nngpt[1][0]
    assert {name: settings[name] for name in preset.SHORT} == preset.SHORT
    assert settings["max_prompts"] == 3


def test_any_other_program_of_nngpt_runs_with_its_own_command_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "campaign.py").write_text(f"import os, sys; print(sys.argv[1:], os.environ.get({hook.PRUNE!r}))")
    monkeypatch.syspath_prepend(tmp_path)
    start("run", "campaign", "--cycles", "3", "--keep", "0.25")
    words, _, setting = capsys.readouterr().out.partition("] ")
    assert words == "['--cycles', '3'"
    assert "loop.keep=[0.25]" in setting


@pytest.mark.parametrize(("words", "line"), [
    (["generate", "--keep", "2"], "keep must lie in"), (["generate", "--keep", "half"], "half"),
    (["run"], "run needs a module"), (["generate", "stray"], "no option stray"),
])
def test_a_wrong_word_ends_with_one_clear_line(nngpt, words, line, capsys):
    with pytest.raises(SystemExit) as stopped:
        start(*words)
    assert line in f"{stopped.value.code} {capsys.readouterr().err}"


@pytest.mark.parametrize(("words", "settings"), [
    (["--num_train_epochs", "5"], {"num_train_epochs": 5}), (["--learning_rate", "1e-5"], {"learning_rate": 1e-5}),
    (["--learning_rate", "1"], {"learning_rate": 1.0}), (["--target_modules", "q,v"], {"target_modules": ("q", "v")}),
    (["--llm_conf", "123"], {"llm_conf": "123"}), (["--peft", "out/a dir"], {"peft": "out/a dir"}),
    (["--use_agents", "--test_nn", "3"], {"use_agents": True, "test_nn": 3}),
    (["--no-save_llm_output"], {"save_llm_output": False}),
    (["--start_layer", "2", "--end_layer", "9"], {"tune_layers": range(2, 9)}), (["--num_cycles", "3"], {"cycles": 3}),
    ([], {}),
])
def test_options_get_the_type_of_their_default(words, settings):
    found = preset.settings_of(words, tuning)
    assert found == settings
    assert [type(value) for value in found.values()] == [type(value) for value in settings.values()]


@pytest.mark.parametrize(("words", "line"), [
    (["--test_n", "3"], "no option --test_n; did you mean --test_nn?"), (["-n", "3"], "no option -n"),
    (["--start_layer", "2"], "--start_layer and --end_layer go together"),
])
def test_an_option_that_nngpt_does_not_have_is_named(words, line):
    with pytest.raises(PerfclfError, match=line):
        preset.settings_of(words, tuning)
