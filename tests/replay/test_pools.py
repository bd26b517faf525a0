"""Recorded trials stand in for generating and training."""

import json

import pytest
from replay_world import make_pool

from nngpt_perfclf.config import load_config
from nngpt_perfclf.replay.pools import Replay, load_replay
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import Candidate, PerfclfError

VALIDATION = ["loop=replay", "evaluate.part=validation", "loop.targets=[cifar-10,svhn]"]


@pytest.fixture
def replay():
    return Replay([make_pool()], {})


def test_a_generation_is_the_same_for_the_same_seed_and_never_holds_a_candidate_twice(replay):
    first, again, other = (replay.propose("svhn", 20, seed) for seed in (3, 3, 4))
    assert first == again != other
    assert len({candidate.name for candidate in first}) == 20
    with pytest.raises(PerfclfError, match="its pool has 40"):
        replay.propose("svhn", 41, 0)


def test_training_looks_the_recorded_trial_up(replay):
    pool = replay.pools["svhn"]
    outcome = replay.train(pool.candidates[7], "svhn")
    assert (outcome.candidate, outcome.target) == ("net-7", "svhn")
    assert (outcome.accuracy, outcome.seconds) == (pool.accuracy[7], pool.seconds[7])


def test_other_targets_and_candidates_are_left_to_other_plugins(replay):
    assert replay.propose("digits", 5, 0) is None
    assert replay.train(Candidate("unheard-of", ""), "svhn") is None
    assert replay.train(replay.pools["svhn"].candidates[0], "digits") is None


def test_the_pools_of_lemur_hold_a_hundred_candidates_that_no_adviser_has_trained_on():
    config = load_config(None, [*VALIDATION, "loop.advisers=[null]"])
    lemur, part = load_replay(config), TaskData.load(config).networks["part"]
    assert list(lemur.pools) == ["cifar-10", "svhn"]
    for pool in lemur.pools.values():
        assert len(pool.candidates) == len(pool.index) == 100
        assert {part[candidate.meta["nn"]] for candidate in pool.candidates} == {"validation"}
        assert all(one.recipe.lr and one.recipe.batch and one.arch_code for one in pool.candidates)
        assert ((pool.accuracy >= 0) & (pool.accuracy <= 1) & (pool.seconds > 0)).all()
    assert set(lemur.anchors) == {"celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn"}
    json.dumps([candidate.meta for candidate in lemur.pools["svhn"].candidates])


def test_an_adviser_that_learned_from_validation_is_not_measured_there():
    with pytest.raises(PerfclfError, match="pointwise learned from the validation part"):
        load_replay(load_config(None, VALIDATION))


def test_a_dataset_that_is_left_out_has_no_anchor():
    anchors = TaskData.load(load_config(None, ["split.by=dataset", "split.left_out=svhn"])).anchors
    assert "svhn" not in anchors
    assert "cifar-10" in anchors


@pytest.mark.parametrize(("overrides", "complaint"), [
    (["loop.targets=[imagenet]"], "unknown target 'imagenet'"),
    (["loop.pool=100000"], "lower loop.pool"),
    (["split.by=pairs"], "holds no network out"),
])
def test_a_replay_that_cannot_be_is_refused(overrides, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        load_replay(load_config(None, ["loop=replay", *overrides]))
