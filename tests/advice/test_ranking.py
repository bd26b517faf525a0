import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_advisers import BROKEN, FixedScorer, TableAdviser, candidate, network, score_of

import nngpt_perfclf
from nngpt_perfclf import hookimpl
from nngpt_perfclf.advice import ranking
from nngpt_perfclf.advice.ranking import rank, select
from nngpt_perfclf.config import load_config
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

FIRST, SECOND, THIRD = (candidate(name, lr) for name, lr in (("first", 0.9), ("second", 0.5), ("third", 0.1)))


class Answering:
    """A scorer that gives what it was made with."""

    def __init__(self, *scores):
        self.scores = scores

    def score(self, candidates, target):
        return list(self.scores)


def names(rows):
    return [row.candidate.name for row in rows]


def test_the_best_comes_first_then_those_without_a_score_then_the_broken():
    broken, unknown = candidate("broken", 1.0, BROKEN), candidate("unknown")
    rows = rank([THIRD, broken, FIRST, unknown, SECOND], "svhn", FixedScorer())
    assert names(rows) == ["first", "second", "third", "unknown", "broken"]
    assert [row.status for row in rows] == ["ok"] * 3 + ["unknown", "broken"]
    assert [row.score is None for row in rows] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(("code", "reason"), [
    (BROKEN, "no class Net"), ("class Net(:", "does not parse"), ("", "is empty"), ("(" * 1000, "nests brackets"),
    (network().replace("def learn", "def lern"), "Net has no learn"),
    (network().replace("supported_hyperparameters", "hyperparameters"), "no function supported_hyperparameters")])
def test_a_candidate_that_cannot_be_trained_is_broken_and_never_asked_about(code, reason):
    scorer = FixedScorer()
    row, = rank([candidate("a", 1.0, code)], "svhn", scorer)
    assert (row.status, row.score, scorer.asked) == ("broken", None, [])
    assert reason in row.reason


def test_equal_scores_are_ordered_by_name():
    rows = rank([candidate(name, 0.5) for name in "cab"], "svhn", FixedScorer())
    assert names(rows) == ["a", "b", "c"]


def test_a_less_certain_candidate_takes_the_place_of_one_that_scores_hardly_better():
    candidates = [candidate(name) for name in ("best", "certain", "uncertain")]
    scores = [replace(score_of(value), deviation=deviation) for value, deviation in ((2, 0.1), (1, 0.1), (0.9, 1.0))]
    assert names(rank(candidates, "svhn", Answering(*scores))) == ["best", "certain", "uncertain"]
    assert [one.name for one in select(candidates, "svhn", 0.5, Answering(*scores))] == ["best", "uncertain"]
    by_gain = load_config(overrides=["advice.rank_by=gain_per_second"])
    timed = [replace(score, seconds=1.0) for score in scores]
    assert [one.name for one in select(candidates, "svhn", 0.5, Answering(*timed), by_gain)] == ["best", "certain"]


made = st.builds(lambda number, lr, broken, decided: (number, lr, broken, decided), st.integers(0, 10**6),
                 st.sampled_from([None, 0.1, 0.2, 0.3]), st.booleans(), st.booleans())
pools = st.lists(made, max_size=12, unique_by=lambda one: one[0])


@given(pools, st.sampled_from([0.01, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 1.0]), st.randoms())
def test_a_share_of_the_decided_is_kept_and_every_other_that_works(pool, keep, random):
    candidates = [candidate(f"net-{number}", lr, BROKEN if broken else None) for number, lr, broken, _ in pool]
    undecided = tuple(f"net-{number}" for number, _, _, decided in pool if not decided)
    scorer = FixedScorer(undecided)
    rows, kept = rank(candidates, "svhn", scorer), select(candidates, "svhn", keep, scorer)
    working = [row for row in rows if row.status != "broken"]
    decided = [row.candidate for row in working if row.score is not None and row.score.decided]
    unsure = [row.candidate for row in working if row.score is None or not row.score.decided]
    assert len(kept) == math.ceil(round(keep * len(decided), 6)) + len(unsure)
    assert set(unsure) <= set(kept)
    assert [one for one in kept if one in decided] == decided[:len(kept) - len(unsure)]
    assert kept == [row.candidate for row in rows if row.candidate in kept], "best first"
    assert not any(one.arch_code == BROKEN for one in kept)
    random.shuffle(candidates)
    assert select(candidates, "svhn", keep, scorer) == kept, "the order of the candidates does not matter"


@pytest.mark.parametrize("keep", [0, -0.5, 1.1, math.nan])
def test_a_share_that_is_none_is_refused(keep):
    with pytest.raises(PerfclfError, match=r"keep must lie in \(0, 1\]"):
        select([FIRST], "svhn", keep, FixedScorer())


def test_nothing_is_asked_about_no_candidates():
    assert rank([], "svhn", "no such adviser") == []
    assert select([], "svhn") == []


def test_an_adviser_that_never_has_an_opinion_prunes_nothing():
    assert select([FIRST, SECOND], "svhn", 0.5, "null") == [FIRST, SECOND]
    assert [row.status for row in rank([FIRST], "svhn", "null")] == ["unknown"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_no_number_counts_as_none(value):
    row, = rank([FIRST], "svhn", Answering(score_of(value)))
    assert (row.status, row.score) == ("unknown", None)
    assert select([FIRST, SECOND], "svhn", 0.5, Answering(score_of(value), score_of(1))) == [SECOND, FIRST]


@pytest.mark.parametrize("scores", [(), (score_of(1),), (score_of(1),) * 3])
def test_a_wrong_number_of_scores_is_no_opinion_that_says_why(scores):
    rows = rank([FIRST, SECOND], "svhn", Answering(*scores))
    assert [row.status for row in rows] == ["unknown"] * 2
    assert {row.reason for row in rows} == {f"the adviser failed: {len(scores)} answers about 2 candidates"}


def test_an_adviser_is_a_name_a_run_folder_or_an_object(runs, world):
    fast = Candidate("fast", network(), Recipe(lr=0.01, batch=64))
    slow = Candidate("slow", network(), Recipe(lr=1e-4, batch=64))
    for adviser in ("pointwise", runs["pointwise"], str(runs["pairwise"])):
        assert names(rank([slow, fast], "svhn", adviser, world.config)) == ["fast", "slow"]
    pairs = TableAdviser(otherwise=2.0)
    assert rank([fast], "svhn", pairs)[0].status == "unknown", "it names the first dataset in either order"


def test_candidates_with_different_recipes_are_the_normal_case():
    rates = (0.9, 0.01, 1e-4)
    rows = nngpt_perfclf.rank([Candidate(f"{lr:g}", network(), Recipe(lr, 0.9, 64)) for lr in rates], "cifar-10")
    assert names(rows)[0] == "0.01"
    assert all(row.score.decided for row in rows)
    assert nngpt_perfclf.select([row.candidate for row in rows], "cifar-10", keep=0.3) == [rows[0].candidate]


def test_without_an_adviser_the_installed_plugins_answer(monkeypatch):
    class Theirs:
        @hookimpl
        def score(self, candidates, target):
            return [score_of(7)] * len(candidates) if target == "svhn" else None

    monkeypatch.setattr("nngpt_perfclf.advice.scorers.get_plugin_manager", lambda: get_plugin_manager(Theirs()))
    theirs = score_of(7).value
    assert rank([FIRST], "svhn")[0].score.value == theirs
    assert rank([FIRST], "mnist")[0].score.value != theirs
    configured = rank([FIRST], "svhn", config=load_config())[0].score.value
    assert configured != theirs, "the configured scorer is asked itself"


@pytest.mark.parametrize("adviser", [None, "pointwise", "prior"])
def test_an_unknown_dataset_is_one_clear_error(adviser):
    with pytest.raises(PerfclfError, match="svnh"):
        rank([FIRST], "svnh", adviser)


def test_ranking_is_found_at_the_top_of_the_package():
    assert (nngpt_perfclf.rank, nngpt_perfclf.select) == (ranking.rank, ranking.select)
    with pytest.raises(AttributeError, match="no attribute 'sort'"):
        nngpt_perfclf.sort  # noqa: B018
