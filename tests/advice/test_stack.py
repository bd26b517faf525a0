import json
from dataclasses import replace

import numpy as np
import pytest
from little_world import SETTINGS
from made_advisers import FixedScorer, TableAdviser

from nngpt_perfclf import AdviserSpec
from nngpt_perfclf.advice import load_advisor, registry, stack
from nngpt_perfclf.advice.registry import trained_once
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.advice.stack import StackAdviser
from nngpt_perfclf.advice.weights import FILE, Weights
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import PerfclfError, Question, Recipe

CONFIG = load_config()
QUESTION = Question("class Net: pass", "mnist", "svhn", Recipe(lr=0.01), Recipe(lr=0.5))
SURE = {("mnist", "svhn"): 1.0, ("svhn", "mnist"): -1.0}


def weights(**by_name):
    return dict.fromkeys(("with_recipe", "code_only"), by_name)


@pytest.fixture
def folder(tmp_path):
    """The run folder of a stack of two advisers in the package."""
    (tmp_path / "run.json").write_text(json.dumps({"kind": "stack"}))
    (tmp_path / FILE).write_text(json.dumps({"normalized": weights(prior=0.5, pairwise=0.75)}))
    (tmp_path / "prior.json").write_text((PRETRAINED / "prior.json").read_text())
    return tmp_path


def test_its_log_odds_are_the_weighted_sum_of_those_of_its_parts_in_either_order(folder):
    joined = load_advisor(folder, CONFIG)
    assert isinstance(joined, StackAdviser)
    prior, pairwise = (load_advisor(name, CONFIG).log_odds([QUESTION])[0] for name in ("prior", "pairwise"))
    assert joined.log_odds([QUESTION])[0] == pytest.approx(0.5 * prior + 0.75 * pairwise)
    assert joined.log_odds([QUESTION.swapped()])[0] == -joined.log_odds([QUESTION])[0]


def test_each_part_is_asked_once_about_all_questions():
    parts = [TableAdviser(table=SURE), TableAdviser("other", table=SURE)]
    joined = StackAdviser("stack", parts[0].prior, parts[0].datasets, parts=parts, weights=Weights((1, 2), (1, 2)))
    assert joined.log_odds([QUESTION, QUESTION])[0] == 3
    assert [len(part.asked) for part in parts] == [1, 1]


def test_a_part_without_an_opinion_adds_nothing_and_without_any_there_is_none():
    silent = TableAdviser("other", otherwise=np.nan)
    for parts, log_odds in (([TableAdviser(table=SURE), silent], 1.0), ([silent, silent], np.nan)):
        joined = StackAdviser("stack", silent.prior, silent.datasets, parts=parts, weights=Weights((1, 1), (1, 1)))
        assert joined.log_odds([QUESTION])[0] == pytest.approx(log_odds, nan_ok=True)
    assert joined.advise_many([QUESTION]) == [None]


def test_what_a_part_cannot_be_asked_the_stack_cannot_and_the_reason_holds_each_note_once():
    class Picky(TableAdviser):
        def check(self, question):
            super().check(question)
            if "tangled" in question.arch_code:
                raise PerfclfError("too tangled for me")

        def note(self, question):
            return "read twice"

    parts = [Picky(table=SURE), Picky("other", table=SURE)]
    joined = StackAdviser("stack", parts[0].prior, parts[0].datasets, parts=parts, weights=Weights((1, 1), (1, 1)))
    good, bad = joined.advise_many([QUESTION, replace(QUESTION, arch_code="tangled")])
    assert bad is None
    assert good.reason.count("read twice") == 1


def test_a_label_without_weights_and_a_missing_part_are_clear_errors(folder):
    with pytest.raises(PerfclfError, match="no weights for label=rank"):
        load_advisor(folder, load_config(overrides=["label=rank"]))
    (folder / FILE).write_text(json.dumps({"normalized": weights(**{"prior": 0.5, "../gone": 0.75})}))
    with pytest.raises(PerfclfError, match="no adviser"):
        load_advisor(folder, CONFIG)


def test_trained_runs_scorers_and_advisers_by_name_are_weighed_by_what_they_are_worth(little, runs, tmp_path,
                                                                                      monkeypatch):
    scorer = FixedScorer()
    known = registry.registered
    monkeypatch.setattr(registry, "registered",
                        lambda hook: [*known(hook), AdviserSpec("higher-rate", lambda config: scorer)])
    parts = f"advice.parts=[prior,higher-rate,{runs['pairwise']}]"
    config = load_config(overrides=[*SETTINGS, parts])
    result = stack.train(config, tmp_path / "stack")
    figures = {(row["mode"], row["adviser"]): row for row in result["validation"]}
    told = {adviser: row for (mode, adviser), row in figures.items() if mode == "with_recipe"}
    assert set(told) == {"prior", "higher-rate", str(runs["pairwise"]), "stack"}
    assert told["stack"]["validation_accuracy"] > 0.85 > told["prior"]["validation_accuracy"]
    assert told[str(runs["pairwise"])]["weight"] > 0.5
    assert all(row["n"] > 100 for row in told.values())
    assert figures["code_only", "higher-rate"]["weight"] == 0, "it has no opinion without recipes"
    assert figures["code_only", "higher-rate"]["validation_accuracy"] == 0.5


def test_a_stack_and_its_parts_can_be_moved_together(little, runs, tmp_path):
    config = load_config(overrides=[*SETTINGS, f"advice.parts=[prior,{runs['pairwise']},{runs['pointwise']}]"])
    stack.train(config, runs["pairwise"].parent / "stack")
    moved = tmp_path / "elsewhere"
    runs["pairwise"].parent.rename(moved)
    try:
        adviser = load_advisor(moved / "stack", config)
        good, wild = (Recipe(lr, 0.9, 64, None, "norm_64_flip") for lr in (0.01, 0.9))
        code = little.codes["net-0"]
        first, second, unread = adviser.advise_many([Question(code, "svhn", "cifar-10", *recipes)
                                                     for recipes in ((good, wild), (wild, good), ())])
    finally:
        moved.rename(runs["pairwise"].parent)
    assert (first.better, second.better) == ("svhn", "cifar-10")
    assert "without recipes" in unread.reason


@pytest.mark.parametrize("parts", ["[prior]", "[prior,prior]"])
def test_a_stack_of_one_is_refused(little, tmp_path, parts):
    with pytest.raises(PerfclfError, match="at least two different"):
        stack.train(load_config(overrides=[f"advice.parts={parts}"]), tmp_path / "stack")


def test_with_folds_the_parts_of_a_stack_are_trained_without_each_fold(little, tmp_path):
    config = load_config(overrides=[*SETTINGS, "advice.parts=[prior,nearest,pairwise]",
                                    "train.folds=2"])
    figures = stack.train(config, tmp_path)["validation"]
    pairs = sum(len(little.pairs("rank", 4, part, ties=False)) for part in ("train", "validation"))
    assert {row["n"] for row in figures} == {pairs}
    assert sorted(folder.name for folder in (tmp_path / "folds").iterdir()) == [
        "nearest-0", "nearest-1", "pairwise-0", "pairwise-1"]
    with pytest.raises(PerfclfError, match="only registered advisers can be trained"):
        trained_once(str(tmp_path), config, tmp_path / "again")


def test_a_part_that_learned_from_validation_cannot_be_weighed_there(little, tmp_path):
    learned = tmp_path / "learned"
    learned.mkdir()
    (learned / "run.json").write_text(json.dumps({"kind": "nearest", "config": {"train": {"folds": 3}}}))
    config = load_config(overrides=[*SETTINGS, f"advice.parts=[prior,{learned}]"])
    with pytest.raises(PerfclfError, match="learned from the validation part"):
        stack.train(config, tmp_path / "stack")
