"""One generation: proposed, scored, decided and trained once each, wherever the process dies."""

import random
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_world import Scoring, World, make_candidates, play, score_for
from made_profiles import FAILING, failing_networks_are_found

from nngpt_perfclf.advice.faults import BuildFaults
from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.asking import NOBODY
from nngpt_perfclf.loop.policies import ASKING, POLICIES, Rule, build_policy
from nngpt_perfclf.loop.run_database import FILE, RunDatabase, Scored
from nngpt_perfclf.loop.search import Search, decide
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Recipe

TESTS = Path(__file__).parents[1]
LOOP = textwrap.dedent("""
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])
    from loop_world import play
    play(Path(sys.argv[1]), None if sys.argv[2] == "-" else int(sys.argv[2]))
""")


def search_in(folder, *plugins, keep=0.1, policy="ask", world=World):
    runs = RunDatabase(folder / FILE, load_config(None, ["loop=local"]))
    manager = get_plugin_manager(world(folder / "calls"), *plugins, installed=False)
    adviser = "made up" if policy in ASKING else NOBODY
    return Search("a search", "svhn", adviser, build_policy(policy, Rule(keep=keep)), manager, runs)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def fail(candidates):
    raise RuntimeError("out of memory")


@pytest.mark.parametrize("adviser", [
    Scoring(answer=fail), Scoring(lambda candidate: None), Scoring(answer=lambda candidates: []),
    Scoring(lambda candidate: score_for(candidate, decided=False)),
    Scoring(lambda candidate: score_for(candidate, value=float("nan"))), Scoring(lambda candidate: 0.9),
], ids=["fails", "no opinion", "too few answers", "undecided", "not a number", "no score"])
def test_nothing_is_pruned_without_a_decided_score(adviser, tmp_path):
    generation = search_in(tmp_path, adviser).generation(10, 0)
    assert len(generation.outcomes) == 10
    assert all(decision.kept and decision.score is None for decision in generation.decisions)


def test_nothing_is_pruned_without_any_adviser(tmp_path):
    class Mute(World):
        score = None

    assert len(search_in(tmp_path, world=Mute).generation(10, 0).outcomes) == 10


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - set(ASKING) - {"oracle"}))
def test_policies_that_do_not_ask_ask_nobody(policy, tmp_path):
    generation = search_in(tmp_path, policy=policy, keep=0.5).generation(10, 0)
    assert len(generation.outcomes) == (10 if policy == "nop" else 5)
    assert "asked" not in calls(tmp_path)
    assert generation.asking == 0


def test_a_candidate_without_an_opinion_is_kept_besides_the_share(tmp_path):
    unknown = make_candidates(10)[3].name
    adviser = Scoring(lambda candidate: None if candidate.name == unknown else score_for(candidate))
    generation = search_in(tmp_path, adviser).generation(10, 0)
    assert {outcome.candidate for outcome in generation.outcomes} >= {unknown}
    assert len(generation.outcomes) == 2


def test_a_candidate_that_fails_when_it_is_built_is_pruned_as_broken_and_never_trained(tmp_path, monkeypatch):
    failing_networks_are_found(monkeypatch)
    candidates = [*make_candidates(3), Candidate("failing", FAILING, Recipe(lr=0.9))]

    class Given(World):
        @hookimpl
        def propose(self, target, count, seed):
            return candidates

    search, other = search_in(tmp_path, Scoring(), keep=1.0, world=Given), tmp_path / "replay"
    other.mkdir()
    generation = replace(search, faults=BuildFaults(load_config())).generation(4, 0)
    assert [decision.kept for decision in generation.decisions] == [True] * 3 + [False]
    assert generation.decisions[3].reason == "broken: forward: RuntimeError: shapes do not fit"
    assert [outcome.candidate for outcome in generation.outcomes] == ["net-0", "net-1", "net-2"]
    replayed = search_in(other, Scoring(), keep=1.0, world=Given).generation(4, 0)
    assert len(replayed.outcomes) == 4, "in a replay only the text decides"


def test_a_broken_candidate_is_pruned_and_takes_no_place_in_the_share(tmp_path):
    class Careless(World):
        @hookimpl
        def propose(self, target, count, seed):
            return [replace(one, arch_code="print('hi')") if place % 2 else one
                    for place, one in enumerate(make_candidates(count))]

    generation = search_in(tmp_path, world=Careless, keep=0.4).generation(10, 0)
    kept = [decision.name for decision in generation.decisions if decision.kept]
    assert len(kept) == 2  # 0.4 of the five that work
    assert not {f"net-{place}" for place in range(1, 10, 2)} & set(kept)
    assert sum(decision.reason == "broken: no class Net" for decision in generation.decisions) == 5


given_to = st.one_of(st.just("broken"), st.none(), st.floats(-5, 5), st.tuples(st.floats(-5, 5), st.just("undecided")))


@given(st.lists(given_to, min_size=1, max_size=20), st.sampled_from([None, 0.1, 0.5, 1.0]), st.integers(0, 5))
def test_broken_candidates_never_change_the_decisions_on_the_others_and_are_never_kept(kinds, keep, seed):
    candidates = make_candidates(len(kinds))
    scored = [_given(candidate, kind) for candidate, kind in zip(candidates, kinds, strict=True)]
    policy = build_policy("ask", Rule(keep=keep))
    decisions = decide(policy, candidates, scored, seed)
    sound = [place for place, given in enumerate(scored) if not given.broken]
    assert [decisions[place] for place in sound] == decide(
        policy, [candidates[place] for place in sound], [scored[place] for place in sound], seed)
    assert not any(decision.kept for decision, given in zip(decisions, scored, strict=True) if given.broken)
    assert all(decision.kept for decision, given in zip(decisions, scored, strict=True)
               if not given.broken and (given.score is None or not given.score.decided))


def _given(candidate, kind) -> Scored:
    if kind == "broken":
        return Scored(None, 0.1, "no class Net", broken=True)
    if kind is None:
        return Scored(None, 0.1, "no opinion")
    value, decided = (kind[0], False) if isinstance(kind, tuple) else (kind, True)
    return Scored(score_for(candidate, value=value, decided=decided), 0.1)


def test_good_scores_prune_the_worse_and_every_listener_is_told(tmp_path):
    generation = search_in(tmp_path, keep=0.3).generation(10, 0)
    assert generation.best.accuracy == max(candidate.recipe.lr for candidate in generation.candidates)
    events = Counter(line.split()[0] for line in calls(tmp_path))
    assert (events["advised"], events["pruned"], events["trained"]) == (10, 7, 3)
    assert any("keep 0.3" in line for line in calls(tmp_path) if line.startswith("pruned"))


def test_a_trainer_that_breaks_costs_one_failed_outcome(tmp_path):
    class Fragile:
        @hookimpl(tryfirst=True)
        def train(self, candidate, target):
            if candidate.name == "net-2":
                raise MemoryError("too large")

    generation = search_in(tmp_path, Fragile(), policy="nop").generation(10, 0)
    assert generation.summary()["failed"] == 1
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


@pytest.mark.parametrize(("missing", "complaint"), [("propose", "no plugin proposes candidates for 'svhn'"),
                                                    ("train", "no plugin trains candidates for 'svhn'")])
def test_nobody_to_propose_or_to_train_is_said_clearly(missing, complaint, tmp_path):
    idle = type("Idle", (World,), {missing: None})
    with pytest.raises(PerfclfError, match=complaint):
        search_in(tmp_path, policy="nop", world=idle).generation(3, 0)


def start(folder: Path, die_at: int | None = None) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    where = "-" if die_at is None else str(die_at)
    return subprocess.Popen([sys.executable, "-c", LOOP, folder, where, TESTS])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, play(folder)


@pytest.mark.parametrize("calls_before_death", [5, 8, 17])
def test_dying_again_and_again_changes_nothing_and_repeats_nothing(calls_before_death, tmp_path, undisturbed):
    statuses = []
    while 0 not in statuses:
        statuses.append(start(tmp_path, die_at=calls_before_death).wait())
    assert set(statuses) == {0, -signal.SIGKILL}
    folder, generations = undisturbed
    for generation, again in zip(generations, play(tmp_path), strict=True):
        assert (generation.candidates, generation.decisions, generation.outcomes) == (
            again.candidates, again.decisions, again.outcomes)
    once = Counter(line for line in calls(tmp_path) if line.startswith(("train ", "propose ")))
    assert once == Counter(line for line in calls(folder) if line.startswith(("train ", "propose ")))
    assert set(Counter((tmp_path / "calls.asked").read_text().splitlines()).values()) == {1}


def test_kills_at_random_moments_cost_at_most_the_call_they_hit(tmp_path, undisturbed):
    rng, kills = random.Random(0), 0
    for _ in range(6):
        process = start(tmp_path)
        try:
            process.wait(rng.uniform(0.3, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert [again.outcomes for again in play(tmp_path)] == [generation.outcomes for generation in undisturbed[1]]
    trained = Counter(line for line in calls(tmp_path) if line.startswith("train "))
    assert sum(trained.values()) <= len(trained) + kills


def test_a_finished_loop_does_nothing_when_it_is_run_again(tmp_path):
    play(tmp_path)
    before = calls(tmp_path)
    play(tmp_path)
    assert calls(tmp_path) == before


def test_the_second_round_does_not_train_again_what_the_first_trained(tmp_path):
    first, second = play(tmp_path)
    assert first.outcomes == second.outcomes
    assert len([line for line in calls(tmp_path) if line.startswith("train ")]) == len(first.outcomes) == 5
