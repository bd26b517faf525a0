"""NNGPT's released code itself: its `main`, `tune`, `nn_gen`, evaluation and files, with a scripted language model and
a scripted training worker."""

import json
import shutil

import pytest
from nngpt_world import ask_the_plugin, make_checkout, run

from nngpt_perfclf import cli
from nngpt_perfclf.config import load_config
from nngpt_perfclf.nngpt import enable as enabling
from nngpt_perfclf.nngpt.folders import Evaluation, open_epoch, read_folder
from nngpt_perfclf.types import Recipe

GENERATE = ("-m", "ab.gpt.PerfClf", "generate", "--test_nn", "4", "--no-use_agents")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Enabled, with a configuration that a person edited."""
    root = make_checkout(tmp_path_factory.mktemp("nn-gpt"))
    (root / "site").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enabling.sysconfig, "get_path", lambda name: str(root / "site"))
        assert cli.main(["nngpt", "enable", str(root)]) == 0
    ask_the_plugin(root)
    return root


@pytest.fixture(scope="module")
def two_epochs(checkout):
    """What `generate` for two epochs said."""
    done = run(checkout, *GENERATE, "--cycles", "2")
    assert done.returncode == 0, done.stderr
    return done


def seen(root):
    """What the training worker was given: epoch, candidate, dataset, hyperparameters and process."""
    return [json.loads(line) for line in (root / "seen.jsonl").read_text().splitlines()]


def test_evaluation_sees_what_was_kept_in_every_epoch(checkout, two_epochs):
    given = [(one["epoch"], one["candidate"]) for one in seen(checkout)]
    assert given[:4] == [("A0", "B1"), ("A0", "B2"), ("A1", "B1"), ("A1", "B2")]
    for epoch in ("A0", "A1"):
        folder = checkout / "out/nngpt/llm/epoch" / epoch
        assert sorted(path.name for path in (folder / "pruned_nn").iterdir()) == ["B0", "B3"]


def test_candidates_were_asked_about_as_they_were_trained(checkout, two_epochs):
    epoch = open_epoch(checkout / "out/nngpt/llm/epoch/A0")
    for one in [one for one in seen(checkout) if one["epoch"] == "A0"][:2]:
        found = read_folder(epoch.synth / one["candidate"], Evaluation())
        prm = one["prm"]
        assert found.target == one["dataset"]
        assert found.candidate.recipe == Recipe(prm["lr"], prm["momentum"], prm["batch"], prm["dropout"],
                                                prm["transform"])


def test_nngpts_own_figures_are_of_those_that_were_trained(checkout, two_epochs):
    figures = json.loads((checkout / "out/nngpt/cycle_results.json").read_text())
    assert figures["generation"]["total_generated"] == figures["evaluation"]["models_trained"] == 2
    assert figures["evaluation"]["success_rate"] == 1.0
    tracker = json.loads((checkout / "out/nngpt/epoch_tracker.json").read_text())
    assert [row["models_generated"] for row in tracker[:2]] == [4, 4]


def test_the_operator_gets_a_line_an_epoch_and_a_page_for_the_run(checkout, two_epochs):
    lines = [line for line in two_epochs.stdout.splitlines() if line.startswith("nngpt_perfclf: A")]
    assert len(lines) == 2
    assert "A1: 4 asked, 2 kept, 2 pruned (1 broken)" in lines[1]
    assert "2 generations: about" in lines[1]
    page = next(checkout.glob("out/nngpt/perfclf/*/report.html")).read_text()
    assert "<td class=\"t\">A0</td>" in page
    assert "B1" in page


def test_the_comparison_task_runs_one_short_cycle_and_nothing_is_pruned(checkout, two_epochs):
    before = len(list(checkout.glob("out/nngpt/perfclf/*")))
    done = run(checkout, "-m", "ab.gpt.PerfClf", "compare", "--dry-run")
    assert done.returncode == 0, done.stderr
    answers = sorted(checkout.glob("out/nngpt/llm/epoch/*/synth_nn/*/full_output.txt"))
    assert [path.parent.name for path in answers] == ["B0", "B1"]
    assert {path.parents[2].name for path in answers} == {"A0"}
    assert "[ClassificationEval] Accuracy: 0/2" in done.stdout
    assert len(list(checkout.glob("out/nngpt/perfclf/*"))) == before


def test_where_evaluation_is_a_child_process_it_is_pruned_there(checkout, two_epochs):
    before = len(seen(checkout))
    done = run(checkout, *GENERATE, "--cycles", "1", "--keep", "0.3", CUDA_VISIBLE_DEVICES="0")
    assert done.returncode == 0, done.stderr
    given = seen(checkout)[before:]
    assert [(one["epoch"], one["candidate"]) for one in given] == [("A0", "B2")]
    assert given[0]["pid"] not in {one["pid"] for one in seen(checkout)[:before]}
    assert len(list(checkout.glob("out/nngpt/perfclf/*"))) == 2, "one folder of records for each run"


def test_all_of_it_can_be_taken_back(checkout, two_epochs, capsys):
    assert cli.main(["nngpt", "undo", str(checkout / "out/nngpt/llm/epoch/A0"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["restored"] == ["B0", "B1", "B3"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enabling.sysconfig, "get_path", lambda name: str(checkout / "site"))
        assert cli.main(["nngpt", "disable", str(checkout), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (len(told["removed"]), told["kept"]) == (7, ["nngpt_perfclf.yaml"])
    assert load_config(checkout / "nngpt_perfclf.yaml").scorer == "installed"
    assert not list((checkout / "site").iterdir())
    assert not list((checkout / "ab").rglob("*erf*lf*"))
    shutil.rmtree(checkout / "out")
