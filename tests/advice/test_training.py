"""`train` with gradient boosting and with a stack, in the little world, through the command line."""

import json

import pytest

from nngpt_perfclf.advice import load_advisor, pairwise, stack
from nngpt_perfclf.cli import main
from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.types import Question, Recipe

SPLIT = ["split.by=network", "split.test=0.2", "split.validation=0.3", "threads=1"]
GOOD, WILD = (Recipe(lr, 0.9, 64, None, "norm_64_flip") for lr in (0.01, 0.9))


@pytest.fixture
def little(world, tmp_path, monkeypatch):
    trials, codes, _ = world
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    trials = trials.drop(columns=["norm", "rank"]).assign(task="img-classification", metric="acc", duration=1.0)
    for module in (pairwise, stack):
        monkeypatch.setattr(module, "load_corpus", lambda config: Corpus(trials, codes, "made", "f00d", (), 0))
    return next(iter(codes.values()))


def test_seeds_then_a_stack_of_them(little, tmp_path, capsys):
    runs, joined = tmp_path / "runs", tmp_path / "stack"
    assert main(["train", "model=pairwise", f"out={runs}", "seeds=[0,1]", "train.labels=[rank]", "--json", *SPLIT]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["seed"] for row in told["seeds"]] == [0, 1]
    validation = next(row for row in told["over_seeds"] if row["figure"] == "validation_rank")
    assert 0.8 < validation["mean"] <= 1
    assert validation["deviation"] is not None

    parts = f"advice.parts=[prior,{runs}/seed-0,{runs}/seed-1]"
    assert main(["train", "model=stack", f"out={joined}", parts, "train.labels=[rank]", "--json", *SPLIT]) == 0
    figures = {row["adviser"]: row for row in json.loads(capsys.readouterr().out)["validation"]}
    assert figures["stack"]["validation_accuracy"] >= figures["prior"]["validation_accuracy"]
    for folder in (runs / "seed-0", joined):
        adviser = load_advisor(folder, load_config(overrides=["label=rank"]))
        first, second = adviser.advise_many([Question(little, "svhn", "cifar-10", GOOD, WILD),
                                             Question(little, "svhn", "cifar-10", WILD, GOOD)])
        assert (first.better, second.better) == ("svhn", "cifar-10")
    assert str(tmp_path) not in (joined / "stack.json").read_text()


def test_strengths_weighed_against_the_prior(little, tmp_path, capsys):
    run, joined = tmp_path / "run", tmp_path / "stack"
    assert main(["train", "model=strength", f"out={run}", "train.labels=[rank]", "--json", *SPLIT]) == 0
    assert 0.8 < json.loads(capsys.readouterr().out)["validation_rank"] <= 1
    parts = f"advice.parts=[prior,{run}]"
    assert main(["train", "model=stack", f"out={joined}", parts, "train.labels=[rank]", *SPLIT]) == 0
    for folder in (run, joined):
        advice, bare = load_advisor(folder, load_config(overrides=["label=rank"])).advise_many(
            [Question(little, "svhn", "cifar-10", GOOD, WILD), Question(little, "svhn", "cifar-10")])
        assert advice.better == "svhn"
        assert "without recipes" in bare.reason


def test_a_finished_run_is_not_overwritten(little, tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_text("{}")
    assert main(["train", "model=pairwise", f"out={out}"]) == 1
    assert "already holds a run" in capsys.readouterr().err
    assert (out / "run.json").read_text() == "{}"


def test_a_stack_of_one_is_refused(little, tmp_path, capsys):
    assert main(["train", "model=stack", f"out={tmp_path / 'run'}", "advice.parts=[prior]"]) == 1
    assert "at least two" in capsys.readouterr().err
