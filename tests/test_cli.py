import json
import pkgutil
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

import nngpt_perfclf
from nngpt_perfclf import __version__, cli
from nngpt_perfclf.types import PerfclfError

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "lightgbm", "sklearn", "scipy", "matplotlib",
         "pandas", "pyarrow")
ROOMS = [f"nngpt_perfclf.{module.name}" for module in pkgutil.iter_modules(nngpt_perfclf.__path__) if module.ispkg]
NETWORK = str(Path(__file__).parents[1] / "examples" / "network.py")


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True)


def loaded_after(code):
    """Which heavy libraries a new interpreter has loaded once it has run the code."""
    done = python("-c", f"{code}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


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


def test_importing_every_room_loads_no_heavy_library():
    assert len(ROOMS) > 15
    assert loaded_after(f"import nngpt_perfclf.cli, {', '.join(ROOMS)}") == "[]"


@pytest.mark.parametrize("words", [
    ["rank", NETWORK, "--target", "svhn", "recipe.lr=0.01", "--json"],
    ["rank", NETWORK, "--target", "svhn", "--json"],
    ["advise", NETWORK, "mnist", "svhn", "adviser=pairwise", "recipe.lr=0.01"],
    ["advise", NETWORK, "mnist", "svhn", "adviser=pointwise"],
], ids=["rank with a recipe", "rank", "advise pairwise", "advise pointwise"])
def test_asking_the_tree_advisers_loads_neither_torch_nor_any_other_heavy_library(words):
    assert loaded_after(f"from nngpt_perfclf.cli import main\nassert main({words}) == 0") == "[]"


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


@pytest.mark.parametrize("words", [["epohc=1"], ["--config", "nowhere.yaml"], ["model=gema"], ["train.lr=many"]])
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


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_a_help_page_and_names_functions_that_exist(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    assert "key=value" in capsys.readouterr().out
    for call in filter(None, (cli.VERBS[name].call, cli.VERBS[name].table)):
        module, function = call.split(":")
        assert callable(getattr(import_module(f"nngpt_perfclf.{module}"), function))


def test_words_may_come_before_and_after_options(capsys):
    for words in (["models", "model=pairwise", "--json"], ["models", "--json", "model=pairwise"]):
        assert cli.main(words) == 0
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first == second


def test_an_unknown_option_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["models", "--nonsense"])
    assert stopped.value.code == 2
    assert "--nonsense" in capsys.readouterr().err
