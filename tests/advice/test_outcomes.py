"""Accuracies of a user's own runs are checked, read, and change the scores of what is like them."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nngpt_perfclf import Candidate, PerfclfError, Question, Recipe, advise, rank, score, select
from nngpt_perfclf.advice import load_advisor, load_pair_adviser
from nngpt_perfclf.advice.dataset_model import MIDDLES
from nngpt_perfclf.advice.outcomes import InformedPairs, checked, informed, informed_adviser
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Observation

CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text(encoding="utf-8")
UNKNOWN = "fashion: {images: 60000, size: 28, channels: 1, classes: 10}\n"


def candidate(lr, name=None):
    return Candidate(name or f"lr {lr}", CODE, Recipe(lr=lr, batch=64, transform="norm_64_flip"))


@pytest.fixture
def config(tmp_path):
    known = tmp_path / "datasets.yaml"
    known.write_text(UNKNOWN)
    return load_config(None, ["advice.profile=never", f"datasets={known}"])


@pytest.mark.parametrize(("accuracy", "complaint"), [
    (math.nan, "not a number"), (True, "not a number"), ("0.5", "not a number"), (71.0, "as a share: 0.71"),
    (-0.1, "not in 0..1"), (math.inf, "not in 0..1")])
def test_an_impossible_accuracy_is_reported_and_left_out(accuracy, complaint):
    good, complaints = checked([Observation(candidate(0.1), accuracy), Observation(candidate(0.2), 0.5)], epoch=1)
    assert [entry.accuracy for entry in good] == [0.5]
    assert len(complaints) == 1
    assert complaint in complaints[0]


def test_an_outcome_of_another_epoch_is_left_out():
    good, complaints = checked([Observation(candidate(0.1), 0.5, epoch=3)], epoch=1)
    assert good == []
    assert "epoch 3" in complaints[0]


def test_of_two_outcomes_of_one_candidate_the_last_counts():
    good, complaints = checked([Observation(candidate(0.1), 0.4), Observation(candidate(0.1, "again"), 0.6)], epoch=1)
    assert [entry.accuracy for entry in good] == [0.6]
    assert "observed before" in complaints[0]


def test_outcomes_move_the_recipe_that_did_well_above_the_one_that_failed(config):
    high, low = candidate(0.3), candidate(0.003)
    near_high = [Observation(candidate(lr), 0.85) for lr in (0.28, 0.29, 0.31, 0.32)]
    near_low = [Observation(candidate(lr), 0.15) for lr in (0.0028, 0.0029, 0.0031, 0.0032)]

    def difference(outcomes):
        values = {row.candidate.name: row.score.value
                  for row in rank([high, low], "fashion", config=config, outcomes=outcomes)}
        return values[high.name] - values[low.name]

    without = difference([])
    assert difference([*near_high, *near_low]) > without
    swapped = [Observation(one.candidate, 1 - one.accuracy) for one in (*near_high, *near_low)]
    assert difference(swapped) < without


def test_with_outcomes_a_score_tells_the_accuracy_to_expect(config):
    outcomes = [Observation(candidate(lr), 0.9) for lr in (0.01, 0.02, 0.05)]
    row, = rank([candidate(0.03)], "fashion", config=config, outcomes=outcomes)
    accuracy = row.score.accuracy
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    before = rank([candidate(0.03)], "fashion", config=config, outcomes=[
        Observation(one.candidate, 0.3) for one in outcomes])[0].score.accuracy
    assert before.value < accuracy.value


def test_the_order_of_outcomes_changes_nothing(config):
    outcomes = [Observation(candidate(lr), lr) for lr in (0.1, 0.2, 0.4)]
    asked = [candidate(0.3), candidate(0.15)]
    first = rank(asked, "fashion", config=config, outcomes=outcomes)
    second = rank(asked, "fashion", config=config, outcomes=outcomes[::-1])
    assert [row.score.value for row in first] == pytest.approx([row.score.value for row in second], rel=1e-6)


def test_a_scorer_without_a_usable_outcome_is_the_scorer_itself(config, capsys):
    scorer = object()
    assert informed(scorer, {"fashion": [Observation(candidate(0.1), 87.0)]}, config) is scorer
    assert "outcome of lr 0.1: its accuracy 87 is above 1" in capsys.readouterr().err


def test_scores_keep_the_order_of_the_candidates_and_selecting_reads_outcomes_too(config):
    asked = [candidate(lr) for lr in (0.3, 0.003, 0.03)]
    outcomes = [Observation(candidate(lr), 0.85) for lr in (0.0028, 0.0029, 0.0031)]
    values = [one.value for one in score(asked, "fashion", config=config, outcomes=outcomes)]
    ranked = rank(asked, "fashion", config=config, outcomes=outcomes)
    assert sorted(values, reverse=True) == [row.score.value for row in ranked]
    assert [asked[place].name for place in sorted(range(3), key=lambda at: -values[at])] == [
        row.candidate.name for row in ranked]
    assert select(asked, "fashion", 0.3, config=config, outcomes=outcomes)[0] == ranked[0].candidate


def question(ds_a, ds_b, lr=0.03):
    recipe = Recipe(lr=lr, batch=64, transform="norm_64_flip")
    return Question(CODE, ds_a, ds_b, recipe, recipe)


def test_advice_about_recorded_datasets_without_outcomes_is_that_of_the_adviser_alone(config):
    plain = load_pair_adviser("pointwise", config)
    assert isinstance(plain, InformedPairs)
    asked = [question("svhn", "cifar-100"), question("mnist", "svhn")]
    assert advise(asked, config=config) == list(plain.adviser.advise_many(asked))


def test_outcomes_on_an_unknown_dataset_turn_advice_towards_it_when_they_are_high(config):
    asked = [question("cifar-10", "fashion")]

    def probability(accuracies):
        outcomes = {"fashion": [Observation(candidate(0.01 * place + 0.01), accuracy)
                                for place, accuracy in enumerate(accuracies)]}
        advice, = advise(asked, config=config, outcomes=outcomes)
        return advice.probability if advice.better == "fashion" else 1 - advice.probability

    assert probability([0.97, 0.98, 0.975]) > probability([]) > probability([0.12, 0.11, 0.5])


@given(st.sampled_from(["cifar-10", "mnist"]), st.floats(0.001, 0.5), st.lists(st.floats(0.05, 1), max_size=4))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exchanging_the_datasets_of_a_question_exchanges_the_answer(config, other, lr, accuracies):
    outcomes = {"fashion": [Observation(candidate(0.01 + 0.01 * place), accuracy)
                            for place, accuracy in enumerate(accuracies)]}
    asked = question("fashion", other, lr)
    first, second = advise([asked, asked.swapped()], config=config, outcomes=outcomes)
    assert first.better == second.better
    assert first.probability == pytest.approx(second.probability, abs=2e-6)


@pytest.mark.parametrize("label", ["normalized", "rank"])
def test_the_chances_of_both_sides_add_up_to_one_for_either_label(config, label):
    asked = question("fashion", "svhn")
    first, second = advise([asked, asked.swapped()], config=replace(config, label=label))
    assert first.better == second.better
    assert 0.5 <= first.probability < 1
    assert first.probability == pytest.approx(second.probability, abs=2e-6)


def test_outcomes_that_were_all_better_than_expected_move_no_rank_but_the_accuracy(config):
    outcomes = [Observation(candidate(lr), 0.97) for lr in (0.01, 0.011)]
    told = informed_adviser(load_advisor("pointwise", config), {"fashion": outcomes}, replace(config, label="rank"))
    plain = replace(told, observations={}, _learned={})
    asked = [candidate(0.0105)]
    told_mean, plain_mean = ((one.expected(asked, "fashion") @ MIDDLES).item() for one in (told, plain))
    assert told_mean == pytest.approx(plain_mean, abs=0.02)
    assert told.score(asked, "fashion")[0].accuracy.value > plain.score(asked, "fashion")[0].accuracy.value


def test_a_question_that_cannot_be_asked_costs_no_other(config):
    unknown, same, good = advise([question("fashion", "nonesuch"), question("fashion", "fashion"),
                                  question("fashion", "svhn")], config=config)
    assert unknown is None
    assert same is None
    assert good.better in ("fashion", "svhn")


def test_an_adviser_that_only_compares_pairs_refuses_outcomes(config):
    with pytest.raises(PerfclfError, match="pairwise only compares pairs and cannot use outcomes"):
        advise([question("svhn", "mnist")], "pairwise", config, {"mnist": [Observation(candidate(0.1), 0.9)]})
    assert len(advise([question("svhn", "mnist")], "pairwise", config)) == 1
