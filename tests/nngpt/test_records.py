"""What NNGPT has trained corrects the scores of the next generation."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from loop_world import score_for
from nngpt_stubs import NETWORK
from nngpt_world import evaluate, make_candidate

from nngpt_perfclf.config import conf_folder, load_config
from nngpt_perfclf.loop import asking
from nngpt_perfclf.nngpt.folders import Epoch, Evaluation
from nngpt_perfclf.nngpt.prune import prune
from nngpt_perfclf.nngpt.records import add_outcomes, observed
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Recipe


@pytest.fixture
def config(tmp_path):
    return load_config(conf_folder() / "nngpt.yaml", [f"out={tmp_path / 'perfclf' / '20260101-000000'}",
                                                      "advice.profile=never"])


@pytest.fixture
def root(tmp_path):
    return tmp_path / "llm" / "epoch"


def generation(root, number, accuracies, width=0):
    """Candidates of ``A{number}`` for svhn; those with an accuracy are trained."""
    for place, accuracy in enumerate(accuracies):
        folder = make_candidate(root / f"A{number}" / "synth_nn" / f"B{place}", NETWORK.format(width=width + place))
        if accuracy is not None:
            evaluate(folder, accuracy)
    return Epoch(root / f"A{number}" / "synth_nn")


def accuracies(found):
    return {target: [seen.accuracy for seen in outcomes] for target, outcomes in found.items()}


def test_outcomes_are_those_of_the_generations_beside_and_of_this_one_with_the_recipe_that_trained_them(root, tmp_path):
    generation(root, 0, [0.1, None, 0.3])
    epoch = generation(root, 1, [0.4], width=10)
    found = observed(epoch, tmp_path / "none", Evaluation(), 200)
    assert accuracies(found) == {"svhn": [0.1, 0.3, 0.4]}
    assert found["svhn"][0].candidate.recipe == Recipe(0.1, 0.9, 32, 0.2, "norm_32")


def test_they_are_remembered_when_nngpt_has_emptied_its_folders_and_by_a_later_run(root, config, tmp_path):
    first = generation(root, 0, [None] * 4)
    record = Path(prune(config, first.synth, asker=in_turn)["record"])
    for folder in first.synth.iterdir():
        evaluate(folder, 0.7)
    add_outcomes(record, 60.0)
    (root / "A0").rename(tmp_path / "gone")
    epoch = generation(root, 0, [None] * 4, width=10)
    later = tmp_path / "perfclf" / "20260102-000000"
    assert accuracies(observed(epoch, later, Evaluation(), 200)) == {"svhn": [0.7, 0.7]}
    assert observed(epoch, tmp_path / "another" / "folder", Evaluation(), 200) == {}


def in_turn(candidates, target):
    return [asking.Scored(score_for(candidate, value=-float(candidate.name[1:])), 0.0) for candidate in candidates]


def test_an_accuracy_after_another_number_of_epochs_or_that_is_none_does_not_count(root, tmp_path):
    epoch = generation(root, 0, [0.1, 7.0, float("nan"), 0.2])
    told = epoch.synth / "B0" / "eval_info.json"
    told.write_text(json.dumps({"eval_args": {"epoch": 5}, "eval_results": {"accuracy": 0.1}}))
    assert accuracies(observed(epoch, tmp_path / "none", Evaluation(), 200)) == {"svhn": [0.2]}
    assert accuracies(observed(epoch, tmp_path / "none", Evaluation(epochs=5), 1)) == {"svhn": [0.2]}


def test_the_newest_count_and_of_a_candidate_that_was_trained_again_the_last(root, tmp_path):
    generation(root, 0, [0.1, 0.2])
    generation(root, 2, [0.5])  # the same as B0 of A0
    epoch = generation(root, 10, [0.6], width=10)
    assert accuracies(observed(epoch, tmp_path / "none", Evaluation(), 200)) == {"svhn": [0.2, 0.5, 0.6]}
    assert accuracies(observed(epoch, tmp_path / "none", Evaluation(), 2)) == {"svhn": [0.5, 0.6]}
    assert observed(epoch, tmp_path / "none", Evaluation(), 0) == {}


def test_a_damaged_record_of_an_earlier_run_is_named_and_the_others_are_used(root, config, tmp_path, capsys):
    epoch = generation(root, 0, [0.4])
    damaged = tmp_path / "perfclf" / "20250101-000000" / "A0.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    assert accuracies(observed(epoch, Path(config.out), Evaluation(), 200)) == {"svhn": [0.4]}
    assert f"the outcomes in {damaged.parent} are not used" in capsys.readouterr().err


def test_the_scorer_is_told_and_the_result_says_of_how_many(root, config, monkeypatch):
    class Scoring:
        def score(self, candidates, target):
            return [score_for(candidate, value=0.0, percentile=0.5) for candidate in candidates]

    monkeypatch.setattr("nngpt_perfclf.nngpt.prune.manager_of", lambda config, adviser: get_plugin_manager(
        asking.ScorerPlugin(Scoring()), installed=False))
    generation(root, 0, [0.2, 0.9])
    epoch = generation(root, 1, [None] * 4, width=10)
    told = prune(config, epoch.synth, dry_run=True)
    assert told["outcomes"] == 2
    untold = prune(replace(config, nngpt=replace(config.nngpt, outcomes=0)), epoch.synth, dry_run=True)
    assert untold["outcomes"] == 0
    assert [row["score"] for row in told["candidates"]] != [row["score"] for row in untold["candidates"]]
