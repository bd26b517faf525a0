"""Scoring through the hooks of a real plugin manager, whatever an adviser does."""

import shutil
from dataclasses import replace

import pytest
from loop_world import Scoring, make_candidates, score_for

from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop import asking
from nngpt_perfclf.loop.asking import NOBODY, ask, key_of, manager_of
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Advice, PerfclfError


def asked(plugin, candidates, runs=None, adviser="made up"):
    return ask(get_plugin_manager(plugin, installed=False), runs, adviser, candidates, "svhn")


def fail(candidates):
    raise RuntimeError("out of\nmemory")


def refuse(candidates):
    raise PerfclfError("no dataset 'svhn'")


@pytest.mark.parametrize(("answer", "reason"), [
    (fail, "the adviser failed: RuntimeError: out of memory"),
    (lambda candidates: None, "the adviser has no opinion"),
    (lambda candidates: [None] * len(candidates), "the adviser has no opinion"),
    (lambda candidates: [], "the adviser failed: 0 answers about 6 candidates"),
    (lambda candidates: "scores", "the adviser failed: str answers about 6 candidates"),
    (lambda candidates: [0.5] * len(candidates), "the adviser has no opinion"),
    (lambda candidates: [score_for(one, value=float("nan")) for one in candidates], "the adviser has no opinion"),
    (lambda candidates: [score_for(one, percentile="high") for one in candidates], "the adviser has no opinion"),
], ids=["fails", "silent", "no opinions", "too few", "no list", "no scores", "no number", "no percentile"])
def test_whatever_an_adviser_does_is_a_score_or_no_opinion_with_a_reason(answer, reason):
    scored = asked(Scoring(answer=answer), make_candidates(6))
    assert [(given.score, given.reason, given.broken) for given in scored] == [(None, reason, False)] * 6


def test_a_wrong_configuration_is_an_error_and_not_silence():
    with pytest.raises(PerfclfError, match="no dataset 'svhn'"):
        asked(Scoring(answer=refuse), make_candidates(2))


def test_each_candidate_gets_its_own_score_in_order_and_the_seconds_are_shared():
    candidates = make_candidates(45)
    scored = asked(Scoring(), candidates)
    assert [given.score for given in scored] == [score_for(candidate) for candidate in candidates]
    assert all(given.seconds > 0 for given in scored)


def test_candidates_are_asked_about_a_few_at_a_time():
    sizes = []
    asked(Scoring(answer=lambda candidates: sizes.append(len(candidates)) or [None] * len(candidates)),
          make_candidates(45))
    assert sizes == [20, 20, 5]


def test_a_broken_candidate_is_not_asked_about_and_says_why():
    good, *_ = make_candidates(1)
    broken = replace(good, name="junk", arch_code='print("hi")')
    names = []
    scored = asked(Scoring(lambda candidate: names.append(candidate.name) or score_for(candidate)), [broken, good])
    assert names == ["net-0"]
    assert [(given.score, given.broken) for given in scored] == [(None, True), (score_for(good), False)]
    assert scored[0].reason == "no class Net"


def test_nobody_is_never_asked():
    class Loud:
        @hookimpl
        def score(self, candidates, target):
            raise AssertionError("asked")

    assert {given.score for given in asked(Loud(), make_candidates(3), adviser=NOBODY)} == {None}


def test_what_was_asked_once_is_read_from_the_record_with_its_seconds(tmp_path):
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        first = asked(Scoring(), make_candidates(25), runs)
        again = asked(Scoring(answer=fail), make_candidates(25), runs)
        assert first == again
        assert {given.score for given in asked(Scoring(answer=fail), make_candidates(2), runs, "another")} == {None}


@pytest.mark.parametrize(("policy", "same"), [("ask", False), ("naive", True)])
def test_a_pair_adviser_is_asked_with_the_references_anchors_or_naively_with_one_recipe_on_both_sides(
        policy, same, monkeypatch):
    questions = []

    class Pairs:
        def advise_many(self, asked):
            questions.extend(asked)
            return [Advice(question.ds_a, 0.8, 0.5, True, "") for question in asked]

    for module in ("nngpt_perfclf.advice", "nngpt_perfclf.loop.asking"):
        monkeypatch.setattr(f"{module}.load_advisor", lambda name, config: Pairs())
    config = load_config(None, ["advice.references=[mnist,cifar-10]"])
    manager = manager_of(config, "pairwise", policy=policy)
    [scored] = ask(manager, None, "pairwise", make_candidates(1), "svhn")
    assert scored.score is not None
    assert [(question.ds_a, question.ds_b) for question in questions] == [("svhn", "mnist"), ("svhn", "cifar-10")]
    assert all((question.recipe_a == question.recipe_b) == same for question in questions)


def test_a_scoring_adviser_is_never_asked_about_references(monkeypatch):
    class Scorer:
        def score(self, candidates, target):
            assert target == "svhn"
            return [score_for(candidate) for candidate in candidates]

    monkeypatch.setattr("nngpt_perfclf.loop.asking.load_advisor", lambda name, config: Scorer())
    manager = manager_of(load_config(), "pointwise")
    assert [given.score for given in ask(manager, None, "pointwise", make_candidates(3), "svhn")] == [
        score_for(candidate) for candidate in make_candidates(3)]


@pytest.mark.parametrize("adviser", [asking.NOBODY, asking.INSTALLED])
def test_nothing_is_loaded_for_those_who_are_not_named(adviser, monkeypatch):
    monkeypatch.setattr("nngpt_perfclf.loop.asking.load_advisor", lambda *_: pytest.fail("loaded"))
    manager_of(load_config(), adviser)
    assert key_of(load_config(), adviser) == adviser


def test_an_adviser_of_the_same_name_that_learned_anew_is_asked_again(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(PRETRAINED / "pairwise", run)
    config = load_config()
    before = key_of(config, str(run))
    assert before == key_of(config, str(run))
    (run / "normalized-with_recipe.npz").write_bytes((run / "rank-with_recipe.npz").read_bytes())
    assert key_of(config, str(run)) != before
    assert key_of(config, "prior") != key_of(load_config(None, ["label=rank"]), "prior")
    assert key_of(config, "prior", "naive") != key_of(config, "prior", "ask")
