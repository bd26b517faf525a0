from dataclasses import replace

import numpy as np
import pytest
from curve_world import made_adviser, made_curves
from hypothesis import given
from hypothesis import strategies as st
from little_world import CODES, replace_corpus

from nngpt_perfclf.advice import curves, load_advisor
from nngpt_perfclf.advice.curve_model import EPOCHS
from nngpt_perfclf.advice.ranking import rank
from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.types import Candidate, Interval, PerfclfError, Recipe

SHARE = st.floats(0, 1)
CODE = CODES["net-0"]


def after(*accuracies, **changes) -> Candidate:
    return Candidate("a", CODE, seen=dict(enumerate(accuracies, 1)), **changes)


def scored(*accuracies, dataset="svhn", **world):
    return made_adviser(**world).score([after(*accuracies)], dataset)[0]


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=4), SHARE, SHARE, st.sampled_from(["svhn", "cifar-10"]))
def test_a_better_curve_never_scores_lower_nor_does_a_network_that_was_expected_to_do_better(pairs, one, two, dataset):
    worse, better = ([choose(pair) for pair in pairs] for choose in (min, max))
    low = scored(*worse, percentile=min(one, two), dataset=dataset)
    high = scored(*better, percentile=max(one, two), dataset=dataset)
    for name in ("value", "percentile", "low", "high"):
        assert getattr(low, name) <= getattr(high, name) + 1e-12
    for name in ("value", "low", "high"):
        assert getattr(low.accuracy, name) <= getattr(high.accuracy, name) + 1e-12


@given(st.lists(SHARE, max_size=4), SHARE)
def test_percentile_and_accuracy_lie_in_their_intervals(accuracies, percentile):
    score = scored(*accuracies, percentile=percentile)
    assert 0 <= score.low <= score.percentile <= score.high <= 1
    assert 0.1 <= score.accuracy.low <= score.accuracy.value <= score.accuracy.high <= 1


def test_the_more_epochs_were_seen_the_narrower_is_the_interval():
    widths = [score.accuracy.high - score.accuracy.low for score in (scored(*[0.5] * seen) for seen in range(5))]
    assert widths == sorted(widths, reverse=True)
    assert scored(0.5).deviation < scored(0.5, epoch=50).deviation


def test_an_epoch_that_was_reached_is_known():
    score = scored(0.1, 0.2, 0.3, epoch=2)
    assert score.accuracy == Interval(0.2, 0.2, 0.2)
    assert score.low == score.percentile == score.high
    assert score.reason == "reached 20.0% at epoch 2"


def test_without_an_opinion_the_curve_alone_counts():
    assert scored(0.5, opinion=False).decided
    assert scored(opinion=False) is None


def test_the_time_that_is_left_follows_the_pace_so_far():
    adviser = made_adviser()
    timed, untimed = adviser.score([after(0.1, 0.2, seconds={1: 10.0, 2: 30.0}), after(0.1, 0.2)], "svhn")
    assert timed.remaining == 45.0
    assert untimed.remaining is None


@pytest.mark.parametrize(("seen", "fault"), [({1: 41.0}, "must lie in 0..1"), ({0: 0.5}, "no epoch"),
                                             ({1: float("nan")}, "must lie in 0..1"), ({"1": 0.5}, "no epoch")])
def test_what_is_no_accuracy_is_refused(seen, fault):
    with pytest.raises(PerfclfError, match=fault):
        made_adviser().score([Candidate("a", CODE, seen=seen)], "svhn")


def test_candidates_with_other_accuracies_are_other_candidates():
    assert after(0.5) != after(0.6)
    assert len({after(0.5), after(0.6), after(0.5)}) == 2


def test_steps_are_learned_from_recorded_curves_and_a_ranking_goes_by_them(world, tmp_path, monkeypatch):
    corpus = Corpus(made_curves(), CODES, "made", "f00d", (), 0)
    replace_corpus(monkeypatch, corpus)
    config = replace(world.config, epoch=5, scorer="prior")

    class ByRate:
        def score(self, candidates, target):
            rates = [float(np.clip(1 - abs(np.log10(one.recipe.lr) + 2) / 2, 0, 1)) for one in candidates]
            return [replace(scored(), percentile=rate, low=rate / 2, high=(1 + rate) / 2) for rate in rates]

    with monkeypatch.context() as patch:
        patch.setattr("nngpt_perfclf.advice.curves.load_scorer", lambda adviser, config=None: ByRate())
        result = curves.train(config, tmp_path / "run")
    assert result["validation_r2_epoch_5_after_1"] > 0.8
    assert set(EPOCHS) == {int(folder.name.split("-")[1]) for folder in (tmp_path / "run").glob("epoch-*")}
    adviser = curves.going_on(ByRate(), config, tmp_path / "run")
    recipe = Recipe(lr=0.01)
    candidates = [Candidate("new", CODE, recipe), Candidate("worse", CODE, recipe, seen={1: 0.3}),
                  Candidate("better", CODE, recipe, seen={1: 0.6})]
    rows = rank(candidates, "svhn", adviser, config)
    assert [row.candidate.name for row in rows][-1] == "worse"
    assert rows[0].score.accuracy.value > rows[-1].score.accuracy.value


def test_the_shipped_steps_answer_for_every_epoch_that_is_recorded():
    for epoch in (1, 2, 3, 4, 5, 7, 50):
        config = load_config(overrides=[f"epoch={epoch}", "advice.profile=never"])
        new, seen = load_advisor("curve", config).score([after(), after(0.4)], "cifar-10")
        assert new.accuracy.low < new.accuracy.value < new.accuracy.high
        assert seen.accuracy.value == 0.4 if epoch == 1 else seen.accuracy.value > 0.4
    with pytest.raises(PerfclfError, match="epochs 1 to 50"):
        load_advisor("curve", load_config(overrides=["epoch=51"]))
