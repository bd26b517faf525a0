"""Through the hooks of a real plugin manager, whatever an adviser does."""

import sqlite3
from collections import Counter

import pytest
from loop_world import ANCHORS, REFERENCES, World, advice_for, make_candidates

from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import Rule, build_policy
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.loop.search import Search
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Advice, Outcome, PerfclfError


class Adviser:
    def __init__(self, answer):
        self.answer = answer

    @hookimpl(tryfirst=True)
    def advise_many(self, questions):
        return self.answer(questions)


def fail(questions):
    raise RuntimeError("out of memory")


def search_in(folder, *plugins, keep=0.1, policy="anchored"):
    runs = RunDatabase(folder / FILE, load_config(None, ["loop=local"]))
    manager = get_plugin_manager(World(folder / "calls"), *plugins, installed=False)
    chosen = build_policy(policy, Rule(keep=keep), references=REFERENCES, anchors=ANCHORS)
    return Search("a search", "svhn", "made up", chosen, manager, runs)


@pytest.mark.parametrize("answer", [
    fail,
    lambda questions: [None] * len(questions),
    lambda questions: [],
    lambda questions: [advice_for(one, decided=False) for one in questions],
    lambda questions: [Advice("imagenet", 0.9, 0.5, True, "") for _ in questions],
    lambda questions: [advice_for(one, probability=float("nan")) for one in questions],
    lambda questions: ["cifar-10"] * len(questions),
], ids=["fails", "no opinion", "too few answers", "undecided", "another dataset", "not a probability", "no advice"])
def test_nothing_is_pruned(answer, tmp_path):
    generation = search_in(tmp_path, Adviser(answer)).generation(10, 0)
    assert len(generation.outcomes) == 10
    assert all(decision.kept and decision.score is None for decision in generation.decisions)


def test_nothing_is_pruned_without_any_adviser(tmp_path):
    class Mute(World):
        advise_many = None

    runs = RunDatabase(tmp_path / FILE, load_config(None, ["loop=local"]))
    manager = get_plugin_manager(Mute(tmp_path / "calls"), installed=False)
    policy = build_policy("anchored", Rule(keep=0.1), references=REFERENCES, anchors=ANCHORS)
    assert len(Search("a search", "svhn", "nobody", policy, manager, runs).generation(10, 0).outcomes) == 10


def test_a_candidate_without_an_opinion_is_kept_beside_the_share(tmp_path):
    unknown = make_candidates(10)[3].arch_code
    adviser = Adviser(lambda questions: [None if one.arch_code == unknown else advice_for(one) for one in questions])
    generation = search_in(tmp_path, adviser).generation(10, 0)
    assert {outcome.candidate for outcome in generation.outcomes} >= {"net-3"}
    assert len(generation.outcomes) == 2


def test_why_there_is_no_advice_stands_in_the_run_database(tmp_path):
    search = search_in(tmp_path, Adviser(fail))
    question = search.policy.questions(make_candidates(10)[0], "svhn")[0]
    search.generation(10, 0)
    answered = search.runs.answers("made up", [question])[question]
    assert (answered.advice, answered.reason) == (None, "the adviser failed: RuntimeError: out of memory")


def test_good_advice_prunes_the_worse_and_tells_every_listener(tmp_path):
    generation = search_in(tmp_path, keep=0.3).generation(10, 0)
    assert generation.best.accuracy == max(one.recipe.lr for one in generation.candidates)
    lines = (tmp_path / "calls").read_text().splitlines()
    told = Counter(line.split()[0] for line in lines)
    assert (told["advised"], told["pruned"], told["trained"]) == (10, 7, 3)
    assert any("keep 0.3" in line for line in lines if line.startswith("pruned"))


def test_a_trainer_that_breaks_costs_one_failed_outcome(tmp_path):
    class Fragile:
        @hookimpl(tryfirst=True)
        def train(self, candidate, target):
            if candidate.name == "net-2":
                raise MemoryError("too large")

    generation = search_in(tmp_path, Fragile(), policy="nop").generation(10, 0)
    assert generation.failed == 1
    assert generation.outcomes[2].failure == "the trainer failed: MemoryError: too large"
    assert generation.best.candidate != "net-2"


def test_a_trainer_that_reports_on_another_candidate_is_refused(tmp_path):
    class Confused:
        @hookimpl(tryfirst=True)
        def train(self, candidate, target):
            return Outcome("net-0", target, 0.5, 1.0)

    with pytest.raises(PerfclfError, match=r"asked to train 'net-1' .* reported on 'net-0'"):
        search_in(tmp_path, Confused(), policy="nop").generation(10, 0)


def test_a_generator_must_give_its_candidates_different_names(tmp_path):
    class Twins:
        @hookimpl(tryfirst=True)
        def propose(self, target, count, seed):
            return make_candidates(2) * 2

    with pytest.raises(PerfclfError, match="two candidates called 'net-0'"):
        search_in(tmp_path, Twins()).generation(4, 0)


def test_nobody_to_propose_or_to_train_is_said_clearly(tmp_path):
    class Idle(World):
        propose = None

    runs = RunDatabase(tmp_path / FILE, load_config(None, ["loop=local"]))
    manager = get_plugin_manager(Idle(tmp_path / "calls"), installed=False)
    with pytest.raises(PerfclfError, match="no plugin proposes candidates for 'svhn'"):
        Search("a search", "svhn", "nobody", build_policy("nop", Rule()), manager, runs).generation(3, 0)


def test_failed_outcomes_are_no_trials_and_successful_ones_are(tmp_path):
    search = search_in(tmp_path, policy="nop")
    search.generation(4, 0)
    search.runs.add_outcome(make_candidates(9)[8], Outcome("net-8", "svhn", None, 3.0, "out of memory"))
    columns = "task, dataset, metric, nn, epoch, accuracy, lr, batch, code"
    rows = sqlite3.connect(tmp_path / FILE).execute(f"SELECT {columns} FROM trial").fetchall()
    assert len(rows) == 4
    assert rows[0] == ("img-classification", "svhn", "acc", "net-0", 1, 0.01, 0.01, None, "class Net0: pass")
