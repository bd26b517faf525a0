"""What the figures of a replay mean."""

import numpy as np
import pytest
from loop_world import NETWORK, score_for
from replay_world import make_pool, measured, scored_by_rate

from nngpt_perfclf.loop.policies import Rule, build_policy
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.replay import regret
from nngpt_perfclf.replay.pools import Pool
from nngpt_perfclf.types import Candidate, Recipe


def test_no_pruning_loses_and_saves_nothing():
    figures = measured(make_pool(), "nop", [Rule()])[0]
    assert not figures["regret_points"].any()
    assert figures["time_saved"] == pytest.approx(0)
    assert figures["kept"] == pytest.approx(1)


def test_the_oracle_loses_nothing_and_keeps_the_share():
    figures = measured(make_pool(), "oracle", [Rule(keep=0.1)])[0]
    assert not figures["regret_points"].any()
    assert (figures["best_kept"] == 1).all()
    assert figures["kept"][0] == pytest.approx(0.1)
    assert figures["spearman"][0] == pytest.approx(1)


def test_a_random_half_keeps_the_best_half_of_the_time():
    figures = measured(make_pool(), "random", [Rule(keep=0.5)], resamples=400)[0]
    assert figures["best_kept"][0] == pytest.approx(0.5, abs=0.08)
    assert figures["spearman"][0] == pytest.approx(0, abs=0.05)


def test_good_scores_lie_between_random_and_the_oracle():
    lost = {policy: measured(make_pool(), policy, [Rule(keep=0.25)], resamples=100)[0]["regret_points"][0]
            for policy in ("random", "ask", "oracle")}
    assert lost["oracle"] == 0 < lost["ask"] < lost["random"]


def test_the_time_spent_asking_is_not_saved():
    pool = make_pool()
    free, paid = (measured(pool, "ask", [Rule(keep=0.5)], seconds=seconds)[0] for seconds in (0.0, 2.0))
    assert paid["regret_points"][0] == free["regret_points"][0]
    drawn = [pool.seconds[pool.draw(20, seed)].sum() for seed in range(12)]
    assert free["time_saved"][0] - paid["time_saved"][0] == pytest.approx(np.mean([40 / total for total in drawn]))


def test_a_broken_candidate_is_never_kept():
    pool, rule = make_pool(), Rule(keep=0.25)
    draws = regret.draw_generations([pool], 20, 12, 0)[pool.target]
    scored = [Scored(None, 0.0, "no class Net", broken=True)] * len(pool.candidates)
    figures = regret.measure(draws, build_policy("ask", rule), scored, [rule])[0]
    assert not figures["kept"].any()
    assert figures["time_saved"] == pytest.approx(1)
    assert figures["regret_points"][0] == pytest.approx(
        100 * np.mean([pool.accuracy[pool.draw(20, seed)].max() for seed in range(12)]))


def test_every_figure_has_an_interval_and_all_is_the_mean_of_the_targets():
    two = [measured(make_pool(), "ask", [Rule(keep=share)])[0] for share in (0.5, 0.25)]
    row = regret.summarise(regret.mean_over_targets(two))
    mean = (two[0]["regret_points"][0] + two[1]["regret_points"][0]) / 2
    assert row["regret_points"] == pytest.approx(mean, abs=1e-4)
    assert all(row[f"{name}_low"] <= row[f"{name}_high"] for name in regret.METRICS)


def test_what_has_no_score_stands_in_the_middle_of_the_rank_correlation():
    scores = np.array([[1.0, 2, 3, np.nan], [np.nan] * 4, [1, 1, 1, 1], [4, 3, 2, 1]])
    accuracy = np.tile([0.1, 0.2, 0.3, 0.15], (4, 1))
    found = regret._spearman(scores, accuracy)
    assert found[0] > 0.8
    assert np.isnan(found[1:3]).all()
    assert -1 < found[3] < 0


def test_the_inverse_temperature_is_recovered_from_generations_that_follow_the_choice_axiom(monkeypatch):
    monkeypatch.setattr(regret, "BOOTSTRAPS", 1)
    rng = np.random.default_rng(1)
    rates = rng.normal(size=400)
    candidates = tuple(Candidate(f"net-{place}", NETWORK.format(width=place), Recipe(lr=float(rate)))
                       for place, rate in enumerate(rates))
    worth = 2.0 * rates + rng.gumbel(size=len(rates))
    pool = Pool("svhn", candidates, worth, np.ones(len(rates)), np.arange(len(rates)).astype(str))
    draws = regret.draw_generations([pool], 20, 500, 0)
    scored = [Scored(score_for(candidate, percentile=0.5), 0.0) for candidate in candidates]
    fitted = regret.fit_inverse_temperature(draws, {"svhn": build_policy("ask", Rule())}, {"svhn": scored})
    assert fitted["inverse_temperature"] == pytest.approx(2.0, abs=0.7)
    assert fitted["inverse_temperature_low"] <= fitted["inverse_temperature_high"]


def test_without_any_score_the_inverse_temperature_is_zero():
    pool = make_pool()
    draws = regret.draw_generations([pool], 20, 12, 0)
    policies = {"svhn": build_policy("nop", Rule())}
    fitted = regret.fit_inverse_temperature(draws, policies, {"svhn": scored_by_rate(pool)})
    assert fitted["inverse_temperature"] == 0
