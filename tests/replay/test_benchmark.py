"""Recorded trials stand in for training, and the resampled figures are those of the loop itself."""

import json

import numpy as np
import pytest
from loop_world import ANCHORS, REFERENCES, advice_for

from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.asking import AdviserPlugin, ask
from nngpt_perfclf.loop.policies import Rule, build_policy
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.loop.search import Search
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.replay import regret
from nngpt_perfclf.replay.pools import Pool, Replay, load_replay
from nngpt_perfclf.simulate import anchors_of
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

GENERATIONS = 12


class Knowing:
    """Its advice follows the learning rate, which half tells the accuracy."""

    def advise_many(self, questions):
        return [advice_for(question) for question in questions]


def make_pool(target="svhn", size=40) -> Pool:
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.1, 0.9, size)
    return Pool(target, tuple(Candidate(f"net-{i}", f"class Net{i}: pass", Recipe(lr=float(rate)))
                              for i, rate in enumerate(rates)),
                accuracy=(rates + rng.uniform(0, 3, size)) / 4, seconds=rng.lognormal(3, 1, size),
                groups=np.array([f"group-{i // 2}" for i in range(size)]))


@pytest.fixture
def replay():
    return Replay([make_pool()], ANCHORS)


def measured(pool, name, rules, resamples=GENERATIONS, asking=0.0, seed=0):
    policy = build_policy(name, rules[0], references=REFERENCES, anchors=ANCHORS, outcomes=pool.outcomes)
    advice = [[advice_for(question) for question in policy.questions(one, pool.target)] for one in pool.candidates]
    draws = regret.draw_generations([pool], 20, resamples, seed)[pool.target]
    return regret.measure(draws, policy, advice, np.full(len(pool.candidates), asking), rules)


@pytest.mark.parametrize("name", ["nop", "anchored", "random", "oracle"])
def test_the_resampled_figures_are_those_of_the_loop_through_the_hooks(name, replay, tmp_path):
    pool, rule = replay.pools["svhn"], Rule(keep=0.25)
    policy = build_policy(name, rule, references=REFERENCES, anchors=ANCHORS, outcomes=pool.outcomes)
    manager = get_plugin_manager(AdviserPlugin(Knowing()), replay, installed=False)
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        search = Search("a search", "svhn", "knowing", policy, manager, runs)
        played = [search.generation(20, seed) for seed in range(GENERATIONS)]
    best = [max(pool.outcomes[one.name] for one in each.candidates) for each in played]
    lost = np.mean([100 * (top - each.best.accuracy) for top, each in zip(best, played, strict=True)])
    saved = np.mean([1 - each.training / sum(pool.seconds[pool.index[one.name]] for one in each.candidates)
                     for each in played])
    figures = measured(pool, name, [rule])[0]
    assert figures["regret_points"][0] == pytest.approx(lost)
    assert figures["time_saved"][0] == pytest.approx(saved)


def test_no_pruning_loses_and_saves_nothing_and_the_oracle_loses_nothing():
    nop, oracle = measured(make_pool(), "nop", [Rule()])[0], measured(make_pool(), "oracle", [Rule(keep=0.1)])[0]
    assert not nop["regret_points"].any()
    assert nop["time_saved"] == pytest.approx(0)
    assert not oracle["regret_points"].any()
    assert (oracle["best_kept"] == 1).all()
    assert oracle["kept"][0] == pytest.approx(0.1)
    assert oracle["spearman"][0] == pytest.approx(1)


def test_a_random_half_keeps_the_best_half_of_the_time():
    figures = measured(make_pool(), "random", [Rule(keep=0.5)], resamples=400)[0]
    assert figures["best_kept"][0] == pytest.approx(0.5, abs=0.08)
    assert figures["spearman"][0] == pytest.approx(0, abs=0.05)


def test_good_advice_lies_between_random_and_the_oracle():
    lost = {name: measured(make_pool(), name, [Rule(keep=0.25)], resamples=100)[0]["regret_points"][0]
            for name in ("random", "anchored", "oracle")}
    assert lost["oracle"] == 0 < lost["anchored"] < lost["random"]


def test_the_time_spent_asking_is_not_saved():
    free, paid = (measured(make_pool(), "anchored", [Rule(keep=0.5)], asking=asking)[0] for asking in (0.0, 2.0))
    assert paid["regret_points"][0] == free["regret_points"][0]
    assert paid["time_saved"][0] < free["time_saved"][0]


def test_every_figure_has_an_interval_and_all_is_the_mean_of_the_targets():
    two = [measured(make_pool(), "anchored", [Rule(keep=share)])[0] for share in (0.5, 0.25)]
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


def test_sharpness_is_recovered_from_generations_that_follow_the_choice_axiom(monkeypatch):
    monkeypatch.setattr(regret, "BOOTSTRAPS", 1)
    rng = np.random.default_rng(1)
    rates = rng.uniform(0.2, 0.8, 400)
    policy = build_policy("anchored", Rule(), references=REFERENCES, anchors=ANCHORS)
    candidates = tuple(Candidate(f"net-{i}", "code", Recipe(lr=float(rate))) for i, rate in enumerate(rates))
    advice = [[advice_for(question) for question in policy.questions(one, "svhn")] for one in candidates]
    score = np.array([policy.score(answers, "svhn") for answers in advice])
    worth = 2.0 * score + rng.gumbel(size=len(rates))
    pool = Pool("svhn", candidates, worth, np.ones(len(rates)), np.arange(len(rates)).astype(str))
    draws = regret.draw_generations([pool], 20, 500, 0)
    fitted = regret.fit_inverse_temperature(draws, {"svhn": policy}, {"svhn": advice})
    assert fitted["inverse_temperature"] == pytest.approx(2.0, abs=0.7)
    assert fitted["inverse_temperature_low"] <= fitted["inverse_temperature_high"]


def test_a_generation_is_the_same_for_the_same_seed_and_never_holds_a_candidate_twice(replay):
    first, again, other = (replay.propose("svhn", 20, seed) for seed in (3, 3, 4))
    assert first == again != other
    assert len({one.name for one in first}) == 20
    with pytest.raises(PerfclfError, match="its pool has 40"):
        replay.propose("svhn", 41, 0)


def test_other_targets_and_candidates_are_left_to_other_plugins(replay):
    assert replay.propose("digits", 5, 0) is None
    assert replay.train(Candidate("unheard-of", ""), "svhn") is None


def test_what_was_asked_about_the_pool_is_asked_once_and_its_time_is_kept(replay, tmp_path):
    policy = build_policy("anchored", Rule(), references=REFERENCES, anchors=ANCHORS)
    manager = get_plugin_manager(AdviserPlugin(Knowing()), installed=False)
    nobody, candidates = get_plugin_manager(installed=False), replay.pools["svhn"].candidates
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        first = ask(manager, runs, "knowing", policy, candidates, "svhn")
        again = ask(nobody, runs, "knowing", policy, candidates, "svhn")
    assert first == again
    assert all(answer.seconds > 0 and answer.advice for answers in first for answer in answers)


@pytest.fixture(scope="module")
def lemur():
    return load_replay(load_config(None, ["loop=replay", "evaluate.part=validation", "loop.targets=[cifar-10,svhn]"]))


def test_the_pools_of_lemur_hold_a_hundred_candidates_that_no_adviser_has_trained_on(lemur):
    from nngpt_perfclf.corpus import load_corpus
    from nngpt_perfclf.tasks import codes_of, load_task, split_networks

    config = load_config()
    part = split_networks(codes_of(load_corpus(config), load_task(config.task)), config.split)["part"]
    assert list(lemur.pools) == ["cifar-10", "svhn"]
    for pool in lemur.pools.values():
        assert len(pool.candidates) == len(pool.index) == 100
        assert {part[one.meta["nn"]] for one in pool.candidates} == {"validation"}
        assert all(one.recipe.lr and one.recipe.batch and one.arch_code for one in pool.candidates)
        assert ((pool.accuracy >= 0) & (pool.accuracy <= 1) & (pool.seconds > 0)).all()
    assert set(lemur.anchors) == {"celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn"}
    json.dumps([one.meta for one in lemur.pools["svhn"].candidates])


@pytest.mark.parametrize(("overrides", "complaint"), [
    (["loop.targets=[imagenet]"], "unknown target 'imagenet'"),
    (["loop.pool=100000"], "lower loop.pool"),
    (["split.by=pairs"], "holds no network out"),
])
def test_a_replay_that_cannot_be_is_refused(overrides, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        load_replay(load_config(None, ["loop=replay", *overrides]))


def test_a_dataset_that_is_left_out_has_no_anchor():
    config = load_config(None, ["split.by=dataset", "split.left_out=svhn"])
    anchors, _ = anchors_of(config)
    assert "svhn" not in anchors
    assert "cifar-10" in anchors
