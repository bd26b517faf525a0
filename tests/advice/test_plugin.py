"""The contract through the real host: the built-in plugin, failing advisers, and a third party's installed package."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from little_world import SETTINGS
from made_advisers import candidate, network, score_of

from nngpt_perfclf import Advice, Candidate, Question, Recipe, hookimpl, rank
from nngpt_perfclf.advice import load_advisor, plugin
from nngpt_perfclf.cli import main
from nngpt_perfclf.plugins import get_plugin_manager, registered

CODE = "class Net: pass"
EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_example"
FIRST, SECOND = candidate("first", 0.01), candidate("second", 0.9)


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Lets the built-in plugin use other settings."""
    def use(**settings):
        file = tmp_path / "plugin.yaml"
        file.write_text(json.dumps(settings))
        monkeypatch.setenv(plugin.CONFIG, str(file))
        forget()

    def forget():
        plugin._adviser.cache_clear()
        plugin._scorer.cache_clear()

    yield use
    forget()


def test_the_built_in_adviser_answers_through_the_entry_point(configured):
    configured(adviser="prior")
    hook = get_plugin_manager().hook
    assert hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn").better == "mnist"
    first, bad, turned = hook.advise_many(questions=[
        Question(CODE, "mnist", "svhn"), Question("", "mnist", "svhn"), Question(CODE, "svhn", "mnist")])
    assert first == turned
    assert bad is None


def test_the_built_in_scorer_scores_through_the_entry_point(configured):
    configured(scorer="pointwise")
    scores = get_plugin_manager().hook.score(candidates=[FIRST, SECOND], target="svhn")
    assert scores == load_advisor("pointwise").score([FIRST, SECOND], "svhn")


@pytest.mark.parametrize("name", ["null", "no-such-adviser"])
def test_no_opinion_and_a_broken_configuration_are_both_none(name, configured, caplog):
    configured(adviser=name, scorer=name)
    hook = get_plugin_manager().hook
    assert hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn") is None
    assert hook.advise_many(questions=[Question(CODE, "mnist", "svhn")]) is None
    assert hook.score(candidates=[FIRST], target="svhn") is None
    assert ("no adviser 'no-such-adviser'" in caplog.text) == (name != "null")


def test_an_adviser_that_raises_is_logged_and_no_opinion(monkeypatch, caplog):
    def broken(config_file):
        raise RuntimeError("out of memory")

    for name in ("_adviser", "_scorer"):
        monkeypatch.setattr(plugin, name, broken)
    assert get_plugin_manager().hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn") is None
    assert get_plugin_manager().hook.score(candidates=[FIRST], target="svhn") is None
    assert caplog.text.count("RuntimeError: out of memory") == 2


def test_a_third_party_is_asked_before_the_built_in_one(configured):
    configured(adviser="prior", scorer="pointwise")

    class Other:
        @hookimpl
        def advise(self, ds_a):
            return Advice(ds_a, 1.0, 0.5, True, "because") if ds_a == "svhn" else None

        @hookimpl
        def score(self, candidates, target):
            return [score_of(7)] * len(candidates) if target == "svhn" else None

    hook = get_plugin_manager(Other()).hook
    assert hook.advise(arch_code=CODE, ds_a="svhn", ds_b="mnist").reason == "because"
    assert hook.advise(arch_code=CODE, ds_a="mnist", ds_b="svhn").reason != "because"
    assert hook.score(candidates=[FIRST], target="svhn") == [score_of(7)]
    assert hook.score(candidates=[FIRST], target="mnist")[0].reason != "made up"


def test_built_in_tasks_and_prompts_come_through_the_hooks():
    assert any(Path(task).stem == "img_classification" for task in registered("register_tasks"))
    assert any((Path(folder) / "code.yaml").is_file() for folder in registered("register_prompts"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder that the example's package is installed into."""
    place = tmp_path_factory.mktemp("place")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
                    "--no-index", "--target", place, EXAMPLE], check=True)
    return place


@pytest.fixture
def installed(place, monkeypatch):
    """The example's package is on the path, as after its installation."""
    monkeypatch.syspath_prepend(place)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "perfclf_example"]:
        del sys.modules[name]


def done(capsys, *words):
    status = main([*map(str, words), "--json"])
    out, error = capsys.readouterr()
    assert status == 0, error
    return json.loads(out)


def test_the_examples_template_and_adviser_can_be_named(installed, capsys, tmp_path):
    from nngpt_perfclf.prompts import templates

    assert {"code_classes", "code"} <= set(templates())
    usual, wild = (Candidate(f"{lr:g}", network(), Recipe(lr, 0.9, 64)) for lr in (0.05, 0.0001))
    assert [row.candidate for row in rank([wild, usual], "cifar-10", "ridge")] == [usual, wild]
    (tmp_path / "net.py").write_text(network())
    row, = done(capsys, "rank", tmp_path / "net.py", "--target", "svhn", "scorer=ridge", "recipe.lr=0.01")["rows"]
    assert row["status"] == "ok"
    assert "ridge regression" in row["reason"]
    found = done(capsys, "advise", tmp_path / "net.py", "mnist", "svhn", "adviser=ridge", "recipe.lr=0.01")
    assert (found["adviser"], found["reason"]) == ("ridge", "difference of two scores")


def test_the_examples_adviser_is_trained_evaluated_replayed_and_stacked_by_name(installed, little, runs, tmp_path,
                                                                                 capsys):
    run = tmp_path / "ridge"
    trained = done(capsys, "train", "model=ridge", f"out={run}", *SETTINGS)
    assert trained["validation_error"] < 0.25
    assert load_advisor(run).score([FIRST, SECOND], "svhn")[0].percentile > 0.6

    evaluated = done(capsys, "evaluate", run, f"out={tmp_path / 'evaluated'}", "evaluate.baselines=[ridge]",
                     "evaluate.resamples=50", *SETTINGS)
    assert evaluated["adviser"] == "ridge"
    assert evaluated["accuracy"] > 0.7 > evaluated["prior"]
    by_name = done(capsys, "evaluate", "ridge", f"out={tmp_path / 'by_name'}", "evaluate.baselines=[]",
                   "evaluate.resamples=50", *SETTINGS)
    assert by_name["n"] == evaluated["n"]

    replayed = done(capsys, "loop", "loop=replay", f"out={tmp_path / 'loop'}", f"loop.advisers=[{run},ridge]",
                    "loop.policies=[ask]", "loop.keep=[0.5]", "loop.targets=[svhn]", "loop.resamples=30",
                    "loop.candidates=10", "loop.pool=40", "evaluate.part=validation", *SETTINGS)
    regret = {row["adviser"]: row["regret_points"] for row in replayed["rows"] if row["target"] == "svhn"}
    assert set(regret) == {str(run), "ridge"}
    assert regret[str(run)] < 3

    stacked = done(capsys, "train", "model=stack", f"out={tmp_path / 'stack'}",
                   f"advice.parts=[prior,{run},{runs['pairwise']}]", *SETTINGS)
    weights = {row["adviser"]: row["weight"] for row in stacked["validation"] if row["mode"] == "with_recipe"}
    assert weights[str(run)] > 0
    assert load_advisor(tmp_path / "stack", little.config).advise_many(
        [Question(little.codes["net-0"], "svhn", "cifar-10", FIRST.recipe, SECOND.recipe)])[0].better == "svhn"
