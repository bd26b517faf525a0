"""`train` through the command line, in the little world."""

import json

import pytest
from little_world import SETTINGS

from nngpt_perfclf import AdviserSpec
from nngpt_perfclf.advice import load_advisor, registry
from nngpt_perfclf.cli import main
from nngpt_perfclf.config import load_config, loading
from nngpt_perfclf.types import PerfclfError


@pytest.fixture
def learner(monkeypatch):
    """An adviser brought by a plugin, whose training notes what it was given and says what the test wants."""
    def train(config, out):
        learner.runs.append((config.seed, config.seeds, config.out, str(out)))
        if config.seed in learner.fails:
            raise PerfclfError("no luck")
        out.mkdir(parents=True, exist_ok=True)
        result = {"accuracy": 0.5 + config.seed / 10, "n": 9, "note": "words are no figure", "sure": True}
        (out / "run.json").write_text(json.dumps({"kind": "learner", "status": "done", "result": result}))
        return {"run": str(out), **result}

    learner = AdviserSpec("learner", lambda config: None, train)
    object.__setattr__(learner, "runs", [])
    object.__setattr__(learner, "fails", ())
    known = registry.registered
    for module in (registry, loading):
        monkeypatch.setattr(module, "registered", lambda hook: [*known(hook), learner], raising=False)
    monkeypatch.setattr("nngpt_perfclf.plugins.registered", lambda hook: [*known(hook), learner])
    return learner


def trained(capsys, *words):
    assert main(["train", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_any_registered_adviser_can_be_trained_by_name(learner, tmp_path, capsys):
    found = trained(capsys, "model=learner", f"out={tmp_path / 'run'}", "seed=3")
    assert found["accuracy"] == 0.8
    assert learner.runs == [(3, (), str(tmp_path / "run"), str(tmp_path / "run"))]


def test_without_a_name_a_run_gets_a_folder_of_its_own(learner, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = trained(capsys, "model=learner")["run"]
    assert run.startswith("runs/train-learner-")
    assert (tmp_path / run / "run.json").is_file()


def test_each_seed_has_its_folder_and_their_figures_have_mean_and_deviation(learner, tmp_path, capsys):
    found = trained(capsys, "model=learner", f"out={tmp_path / 'run'}", "seeds=[0,1,2]")
    assert [run[0] for run in learner.runs] == [0, 1, 2]
    assert [run[3] for run in learner.runs] == [str(tmp_path / "run" / f"seed-{seed}") for seed in range(3)]
    assert found["seeds"] == [{"seed": seed, "accuracy": pytest.approx(0.5 + seed / 10), "n": 9} for seed in range(3)]
    assert found["over_seeds"] == [
        {"figure": "accuracy", "mean": pytest.approx(0.6), "deviation": pytest.approx(0.1)},
        {"figure": "n", "mean": 9, "deviation": 0}]


def test_a_stopped_series_of_seeds_goes_on_with_the_seeds_that_are_not_done(learner, tmp_path, capsys):
    object.__setattr__(learner, "fails", (1,))
    words = ["model=learner", f"out={tmp_path / 'run'}", "seeds=[0,1]"]
    assert main(["train", *words]) == 1
    assert "no luck" in capsys.readouterr().err
    object.__setattr__(learner, "fails", ())
    assert main(["train", *words]) == 1
    assert "already holds a run" in capsys.readouterr().err
    found = trained(capsys, *words, "resume=true")
    assert [run[0] for run in learner.runs] == [0, 1, 1]
    assert [row["accuracy"] for row in found["seeds"]] == [0.5, 0.6]


def test_a_finished_run_is_not_overwritten(learner, tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_text("{}")
    assert main(["train", "model=learner", f"out={out}"]) == 1
    assert "already holds a run" in capsys.readouterr().err
    assert (out / "run.json").read_text() == "{}"
    assert learner.runs == []


def test_a_file_is_no_run_folder(learner, tmp_path, capsys):
    (tmp_path / "run").write_text("")
    assert main(["train", "model=learner", f"out={tmp_path / 'run'}"]) == 1
    assert "must name a folder" in capsys.readouterr().err


def test_an_adviser_that_cannot_be_trained_is_a_clear_error(capsys):
    assert main(["train", "model=prior"]) == 1
    assert "unknown model 'prior'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pairwise", "pointwise"])
def test_the_tree_advisers_are_trained_for_every_label_and_say_how_good_they_are(little, tmp_path, capsys, kind):
    labels = "train.labels=[rank,normalized]"
    found = trained(capsys, f"model={kind}", f"out={tmp_path / 'run'}", *SETTINGS, labels)
    for prefix in [""] if kind == "pairwise" else ["text_", "profile_"]:
        assert found[f"{prefix}validation_rank_with_recipe"] > 0.8 > 0.7 > found[f"{prefix}validation_rank_code_only"]
        assert found[f"{prefix}validation_normalized_n"] > 100
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (manifest["kind"], manifest["status"], manifest["data"]) == (kind, "done", "f00d")
    for label in ("rank", "normalized"):
        adviser = load_advisor(tmp_path / "run", load_config(overrides=[f"label={label}"]))
        assert adviser.advise(little.codes["net-0"], "mnist", "svhn").better in ("mnist", "svhn")


def test_with_folds_trees_learn_from_validation_too_and_cannot_be_measured_there(little, tmp_path, capsys):
    settings, runs = (*SETTINGS, "advice.profile=never", "evaluate.baselines=[]"), {}
    for folds in ("null", "3"):
        runs[folds] = tmp_path / folds
        trained(capsys, "model=pointwise", f"out={runs[folds]}", *settings, f"train.folds={folds}")
    counts = [json.loads((run / "run.json").read_text())["result"]["text_validation_rank_n"] for run in runs.values()]
    parts = [len(little.pairs("rank", 4, part, ties=False)) for part in ("train", "validation")]
    assert counts == [parts[1], sum(parts)]
    assert main(["evaluate", str(runs["3"]), *settings, "evaluate.part=validation"]) == 1
    assert "learned from the validation part" in capsys.readouterr().err
    assert main(["evaluate", str(runs["3"]), *settings, f"out={tmp_path / 'test'}"]) == 0
