import json
import subprocess
import sys
import time

import pytest

from nngpt_perfclf import __version__, cli
from nngpt_perfclf.types import PerfclfError

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "lightgbm", "sklearn", "matplotlib", "pandas", "pyarrow")
ROOMS = ("corpus", "tasks", "prompts", "models", "advice", "evaluation", "host")


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True)


def test_help_answers_in_under_half_a_second_and_names_every_verb():
    def once():
        start = time.perf_counter()
        done = python("-m", "nngpt_perfclf", "--help")
        return time.perf_counter() - start, done

    runs = [once() for _ in range(5)]
    assert min(seconds for seconds, _ in runs) < 0.5
    for _, done in runs:
        assert done.returncode == 0
        assert all(verb in done.stdout for verb in cli.VERBS)


@pytest.mark.parametrize("module", ["cli", *ROOMS])
def test_importing_a_room_loads_no_heavy_library(module):
    code = f"import sys, nngpt_perfclf.{module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.fixture
def verb(monkeypatch):
    """A verb that does what the test says."""
    def call(config, **_):
        return call.does(config)

    monkeypatch.setitem(cli.VERBS, "models", cli.Verb("", "config:fake"))
    monkeypatch.setattr("nngpt_perfclf.config.fake", call, raising=False)
    return call


def test_done_is_0_and_json_is_one_line_on_standard_output(verb, capsys):
    verb.does = lambda config: {"epoch": config.epoch}
    assert cli.main(["models", "--json", "epoch=3"]) == 0
    assert json.loads(capsys.readouterr().out) == {"epoch": 3}


@pytest.mark.parametrize("error", [PerfclfError("no such net.py:\n  give another"), FileNotFoundError(2, "none", "x")])
def test_a_clear_error_is_1_and_one_line_without_a_traceback(verb, capsys, error):
    def fails(_):
        raise error

    verb.does = fails
    assert cli.main(["models"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nngpt-perfclf models: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["epohc=1"], ["--config", "nowhere.yaml"], ["model=gema"], ["train.labels_count=many"]])
def test_a_bad_configuration_is_1(words, capsys):
    assert cli.main(["models", *words]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", [
    [], ["nosuch"], ["models", "--nosuch"], ["corpus", "one"], ["advise", "a", "b", "c", "d"], ["report"]])
def test_wrong_usage_is_2(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_an_interruption_is_130_and_says_how_to_go_on(verb, capsys):
    def stops(_):
        raise KeyboardInterrupt

    verb.does = stops
    assert cli.main(["models"]) == 130
    assert "resume=true" in capsys.readouterr().err


def test_the_module_runs_and_tells_its_version():
    done = python("-m", "nngpt_perfclf", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, __version__)


@pytest.mark.parametrize("verb_name", list(cli.VERBS))
def test_every_verb_has_a_help_page_and_names_a_function_that_exists(verb_name):
    done = python("-m", "nngpt_perfclf", verb_name, "--help")
    assert done.returncode == 0
    assert "key=value" in done.stdout
    module, function = cli.VERBS[verb_name].call.split(":")
    done = python("-c", f"from nngpt_perfclf.{module} import {function}")
    assert done.returncode == 0, done.stderr


def test_words_may_stand_before_and_behind_options(capsys):
    from nngpt_perfclf.cli import main

    for words in (["models", "model=pairwise", "--json"], ["models", "--json", "model=pairwise"]):
        assert main(words) == 0
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first == second


def test_an_unknown_option_is_a_matter_of_usage(capsys):
    from nngpt_perfclf.cli import main

    with pytest.raises(SystemExit) as told:
        main(["models", "--nonsense"])
    assert told.value.code == 2
    assert "--nonsense" in capsys.readouterr().err
