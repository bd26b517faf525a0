"""How long an epoch takes: learned from recorded trials, and relative to the machine on which some were timed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from little_world import CODES, DATASETS, SETTINGS, little_corpus, made_profiles, made_trials, replace_corpus

from nngpt_perfclf.advice import load_advisor, seconds, seconds_training
from nngpt_perfclf.advice.seconds import Clock, factor_of, gain_per_second, pace_of, timed_candidates, warn_of_slow
from nngpt_perfclf.advice.seconds_model import SecondsModel
from nngpt_perfclf.advice.training import train
from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe, Score

PROPERTIES = dataset_properties(None)
RATIOS = st.lists(st.floats(-5, 5), min_size=1, max_size=9)


def true_seconds(candidate, dataset):
    """In this world an epoch takes as long as there are images, and twice as long with batches of 16."""
    return PROPERTIES[dataset].images / 1000 * (2 if candidate.recipe.batch == 16 else 1)


def candidate(number, batch=64, **changes):
    return Candidate(f"net-{number}", CODES[f"net-{number}"], Recipe(batch=batch, transform="norm_64_flip"), **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of `train model=seconds` on the little world."""
    random, trials = np.random.default_rng(0), made_trials()
    batches = random.choice([16.0, 64.0], len(trials))
    duration = [true_seconds(candidate(0, batch), row.dataset) * random.uniform(0.9, 1.1)
                for batch, row in zip(batches, trials.itertuples(), strict=True)]
    out = tmp_path_factory.mktemp("runs") / "seconds"
    with pytest.MonkeyPatch.context() as patch:
        replace_corpus(patch, replace(little_corpus(), trials=trials.assign(batch=batches, duration=duration)))
        patch.setattr(seconds_training, "profiles_of", made_profiles)
        train(load_config(None, [*SETTINGS, "model=seconds", f"out={out}"]))
    return out


@pytest.fixture
def clock(folder, monkeypatch):
    monkeypatch.setattr(seconds, "profiles_of", made_profiles)
    return Clock(SecondsModel.load(folder), PROPERTIES)


@pytest.mark.parametrize("profile", [True, False])
def test_what_decides_the_seconds_is_learned_with_a_profile_and_without(profile, clock):
    asked = [candidate(1, batch) for batch in (16, 64)]
    for dataset in DATASETS:
        expected = replace(clock, profile=profile).seconds(asked, dataset)
        assert expected == pytest.approx([true_seconds(one, dataset) for one in asked], rel=0.15)


def test_timed_candidates_move_the_others_to_their_machine(clock):
    timed = [(candidate(number), 20 * true_seconds(candidate(number), "svhn")) for number in range(2, 5)]
    alone, there = clock.seconds([candidate(1)], "svhn"), clock.seconds([candidate(1)], "svhn", timed)
    assert there / alone == pytest.approx(20, rel=0.2)


def test_a_candidate_that_was_trained_for_a_while_keeps_its_pace(clock):
    begun = candidate(1, seen={1: 0.1, 2: 0.2}, seconds={1: 5.0, 2: 8.0})
    assert clock.seconds([begun], "svhn").tolist() == [4.0]
    assert pace_of(begun) == 4.0
    assert pace_of(candidate(1)) is None
    assert timed_candidates([candidate(2), begun], [Observation(candidate(3), 0.5, 2, 30.0),
                                                    Observation(candidate(4), 0.5)]) == [(begun, 4.0),
                                                                                         (candidate(3), 15.0)]


@given(RATIOS)
def test_the_factor_lies_between_1_and_the_median_ratio(ratios):
    middle, factor = np.median(ratios), np.log(factor_of(np.exp(ratios), np.ones(len(ratios))))
    assert min(0, middle) - 1e-9 <= factor <= max(0, middle) + 1e-9


@given(RATIOS, st.floats(-1e6, 1e6))
def test_fewer_than_half_of_the_timings_cannot_move_the_factor_beyond_the_others(ratios, wild):
    ratios = np.array(ratios)
    with_wild = np.concatenate([ratios, [np.clip(wild, -300, 300)] * (len(ratios) // 2)])
    assert abs(np.log(factor_of(np.exp(with_wild), np.ones(len(with_wild))))) <= np.abs(ratios).max() + 1e-9


def test_nothing_timed_and_little_difference_change_nothing():
    assert factor_of(np.zeros(0), np.zeros(0)) == 1.0
    assert factor_of(np.array([1.2]), np.array([1.0])) == 1.0
    assert factor_of(np.array([100.0]), np.array([1.0])) > 80


def test_the_gain_per_second_falls_by_one_unit_of_score_where_an_epoch_takes_e_times_as_long():
    quick, slow = (Score(1.0, 0.5, 0.1, 0.9, True, "", seconds=seconds) for seconds in (10.0, 10.0 * np.e))
    assert gain_per_second(quick) - gain_per_second(slow) == pytest.approx(1.0)
    assert np.isnan(gain_per_second(Score(1.0, 0.5, 0.1, 0.9, True, "")))


def test_slow_candidates_are_named_in_one_line(capsys):
    warn_of_slow([(candidate(1), 59.0), (candidate(2), 61.0), (candidate(3), None)], 60.0, "loop.time_limit")
    assert capsys.readouterr().err.split("\n")[:-1] == [
        "net-2: an epoch is expected to take 61 s, more than loop.time_limit=60"]
    warn_of_slow([(candidate(2), 61.0)], None, "loop.time_limit")
    assert capsys.readouterr().err == ""


def test_the_adviser_of_a_run_gives_its_scorers_scores_with_the_seconds(folder, clock):
    given = load_advisor(folder, load_config(None, ["advice.profile=never"]))
    plain = given.scorer.score([candidate(1)], "svhn")
    [timed] = given.score([candidate(1)], "svhn")
    assert replace(timed, seconds=None) == plain[0]
    assert timed.seconds == pytest.approx(true_seconds(candidate(1), "svhn"), rel=0.15)


def test_damaged_medians_are_refused(folder, tmp_path):
    (tmp_path / "medians.json").write_text('{"svhn": -1}')
    with pytest.raises(PerfclfError, match="positive number of seconds"):
        SecondsModel.load(tmp_path)
