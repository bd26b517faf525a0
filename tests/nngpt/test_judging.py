"""Candidates are compared within their dataset, or across datasets with few of them."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from loop_world import score_for

from nngpt_perfclf.loop.policies import Rule
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.nngpt.folders import Found
from nngpt_perfclf.nngpt.judging import POOLED_BELOW, judge
from nngpt_perfclf.types import Candidate, Recipe

HALF = Rule(keep=0.5)


def found_for(targets):
    """One candidate for each target; the later, the better on its own dataset."""
    return [Found(Path(f"B{place}"), Candidate(f"B{place}", "code", Recipe(lr=place + 1.0)), target)
            for place, target in enumerate(targets)]


def by_rate(candidates, target):
    return [Scored(score_for(candidate, percentile=candidate.recipe.lr / 100), 0.1) for candidate in candidates]


def kept(verdicts):
    return sorted(folder.name for folder, verdict in verdicts.items() if verdict.keep)


def test_the_share_is_taken_of_each_dataset_with_enough_candidates():
    verdicts = judge(found_for(["svhn"] * 4 + ["mnist"] * 4), by_rate, HALF, 0)
    assert kept(verdicts) == ["B2", "B3", "B6", "B7"]


def test_datasets_with_few_candidates_are_decided_on_together_by_percentile():
    percentiles = {"svhn": 0.9, "mnist": 0.2, "cifar-10": 0.5, "cifar-100": 0.4}

    def ask(candidates, target):
        # A score may mean anything on another dataset.
        return [Scored(score_for(one, value=-100 * percentiles[target], percentile=percentiles[target]), 0.1)
                for one in candidates]

    verdicts = judge(found_for(percentiles), ask, HALF, 0)
    assert kept(verdicts) == ["B0", "B2"]
    assert verdicts[Path("B1")].reason.startswith("score -1.386 is number 4 of 4")


def test_a_dataset_with_enough_candidates_is_not_mixed_with_the_few():
    verdicts = judge(found_for(["svhn"] * POOLED_BELOW + ["mnist", "cifar-10"]), by_rate, HALF, 0)
    assert kept(verdicts) == ["B2", "B3", "B5"]


def test_one_dataset_with_few_candidates_is_compared_by_score():
    verdicts = judge(found_for(["svhn"] * 2), by_rate, HALF, 0)
    assert kept(verdicts) == ["B1"]


def test_what_cannot_be_judged_gets_no_verdict():
    left = replace(found_for(["svhn"])[0], left="unknown dataset")
    assert judge([left, Found(Path("B9"), left="no new_nn.py")], by_rate, HALF, 0) == {}


def test_why_there_is_no_score_is_the_reason():
    scores = iter([Scored(None, 0.1, "the adviser failed"), Scored(None, 0.1),
                   Scored(replace(score_for(found_for([1])[0].candidate), decided=False, reason="wide"), 0.1)])
    verdicts = judge(found_for(["svhn"] * 3), lambda candidates, target: [next(scores) for _ in candidates], HALF, 0)
    assert [(verdict.keep, verdict.reason) for verdict in verdicts.values()] == [
        (True, "the adviser failed"), (True, "no opinion"), (True, "undecided: wide")]


kinds = st.sampled_from(["read as broken", "broken", "no opinion", "undecided"]) | st.floats(0.01, 0.99)


@given(st.lists(st.tuples(kinds, st.sampled_from(["svhn", "mnist", "cifar-10"])), min_size=1, max_size=16),
       st.sampled_from([None, 0.1, 0.5, 1.0]))
def test_a_broken_candidate_is_never_kept_and_takes_nobodys_place(given_kinds, keep):
    found = [replace(one, candidate=None, target="", broken="no text") if kind == "read as broken" else one
             for one, (kind, _) in zip(found_for([target for _, target in given_kinds]), given_kinds, strict=True)]
    kind_of = {one.folder.name: kind for one, (kind, _) in zip(found, given_kinds, strict=True)}

    def ask(candidates, target):
        return [_scored(candidate, kind_of[candidate.name]) for candidate in candidates]

    verdicts = judge(found, ask, Rule(keep=keep), 0)
    broken = {folder for folder, verdict in verdicts.items() if "broken" in str(kind_of[folder.name])}
    assert not any(verdicts[folder].keep for folder in broken)
    assert all(verdicts[folder].reason.startswith("broken: ") for folder in broken)
    sound = [one for one in found if one.folder not in broken]
    assert judge(sound, ask, Rule(keep=keep), 0) == {folder: verdict for folder, verdict in verdicts.items()
                                                     if folder not in broken}
    assert all(verdicts[one.folder].keep for one in sound if isinstance(kind_of[one.folder.name], str))
    ranked = [one for one in sound if not isinstance(kind_of[one.folder.name], str)]
    assert not ranked or any(verdicts[one.folder].keep for one in ranked)


def _scored(candidate, kind) -> Scored:
    if kind == "broken":
        return Scored(None, 0.0, "no class Net", broken=True)
    if kind == "no opinion":
        return Scored(None, 0.1, "no opinion")
    share = 0.5 if kind == "undecided" else kind
    return Scored(score_for(candidate, value=share, percentile=share, decided=kind != "undecided"), 0.1)
