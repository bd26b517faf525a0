from dataclasses import replace

import pytest
from made_advisers import BROKEN, FixedScorer, candidate, network
from made_profiles import FAILING, failing_networks_are_found

from nngpt_perfclf.advice import faults, structures
from nngpt_perfclf.advice.faults import BuildFaults, text_faults
from nngpt_perfclf.advice.ranking import rank, select
from nngpt_perfclf.config import load_config
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.profiling.types import Profile, Shapes
from nngpt_perfclf.types import Candidate, Recipe

CONFIG = load_config()
NEVER = load_config(overrides=["advice.profile=never"])
GOOD, BAD = candidate("good", 0.1), candidate("bad", 0.9, FAILING)
# The linear layer of FAILING takes one channel too many.
REASON = "forward: RuntimeError: "


@pytest.fixture
def found(monkeypatch):
    failing_networks_are_found(monkeypatch)


def test_a_network_whose_forward_pass_fails_is_found_by_building_it(monkeypatch):
    monkeypatch.setattr(faults, "profiles_of", structures.profiles_of)
    found = BuildFaults(CONFIG)([GOOD, BAD, candidate("text", 0.1, BROKEN)], "svhn")
    assert found[0] is None
    assert found[1].startswith(REASON)
    assert found[2] == "no class Net"
    assert text_faults([GOOD, BAD], "svhn") == [None, None]


@pytest.mark.parametrize("profile", [
    Profile("timed out", Shapes(3, 32, 10), reason="took longer than 30 s"),
    Profile("no sandbox", Shapes(3, 32, 10), reason="no sandbox on this machine: nothing was run"),
    Profile("failed", Shapes(3, 32, 10), "import", "ModuleNotFoundError: No module named 'torchvision'"),
])
def test_what_may_lie_in_the_machine_is_no_fault(profile, monkeypatch):
    monkeypatch.setattr(faults, "profiles_of", lambda sides, datasets: [profile] * len(sides))
    assert BuildFaults(CONFIG)([GOOD], "svhn") == [None]


def test_nothing_is_built_where_profiles_are_not_wanted_or_cannot_be_made(monkeypatch):
    built = []
    monkeypatch.setattr(faults, "profiles_of", lambda sides, datasets: built.extend(sides) or [])
    assert BuildFaults(NEVER)([GOOD], "svhn") == [None]
    assert BuildFaults(CONFIG)([GOOD], "no such dataset") == [None]
    invalid = replace(GOOD, recipe=Recipe(lr=-1.0))
    assert BuildFaults(CONFIG)([invalid, candidate("a", 0.1, BROKEN)], "svhn") == [None, "no class Net"]
    assert built == []


@pytest.mark.usefixtures("found")
def test_rank_and_select_leave_a_network_that_fails_without_a_score_and_say_why():
    scorer = FixedScorer()
    first, last = rank([BAD, GOOD], "svhn", scorer)
    assert (first.candidate, first.status) == (GOOD, "ok")
    assert (last.candidate, last.status, last.score) == (BAD, "broken", None)
    assert last.reason.startswith(REASON)
    assert scorer.asked == [("good", "svhn")]
    assert select([BAD, GOOD], "svhn", 1.0, FixedScorer()) == [GOOD]
    assert select([BAD, GOOD], "svhn", 1.0, FixedScorer(), NEVER) == [BAD, GOOD]


@pytest.mark.usefixtures("found")
def test_a_gate_never_lets_a_network_that_fails_through_and_says_why():
    with Gate("svhn", adviser=FixedScorer()) as gate:
        good, bad = gate.decide([GOOD, BAD])
    assert (good.train, bad.train) == (True, False)
    assert bad.reason.startswith(f"broken: {REASON}")
    with Gate("svhn", adviser=FixedScorer(), config=NEVER) as gate:
        assert gate.should_train(BAD).train


def test_the_example_of_a_failing_network_keeps_the_interface():
    assert text_faults([Candidate("bad", FAILING)], "svhn") == [None]
    assert network() != FAILING
