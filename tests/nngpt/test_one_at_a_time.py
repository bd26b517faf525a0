"""Pipelines of NNGPT that train one candidate at a time, through `check_nn`."""

import inspect

import pytest
from made_scorers import ByRate
from nngpt_stubs import JUNK, NETWORK

from nngpt_perfclf import Gate
from nngpt_perfclf.nngpt import NotTrainedError, gated


def check_nn(nn_code, task, dataset, metric, prm, save_to_db=True, prefix=None):
    """As that of `ab.nn.api`: trains, and gives name, accuracy, accuracy to time and code score."""
    if prm["lr"] > 0.8:
        raise ValueError("diverged")
    return f"{prefix}-1", prm["lr"], 0.1, 1.0


@pytest.fixture
def gate():
    return Gate("svhn", keep=0.5, adviser=ByRate())


def train(check, rate, dataset="svhn", code=None, **prm):
    return check(code or NETWORK.format(width=rate), "img-classification", dataset, "acc",
                 {"lr": rate, "batch": 32, **prm}, prefix="ga")


def rewards(check, rates):
    """As a reward of two stages: accuracies over scores, and nothing for a failed training."""
    for rate in rates:
        try:
            yield 0.5 + train(check, rate)[1] / 2
        except NotTrainedError as refused:
            yield refused.reward / 2
        except ValueError:
            yield 0.0


def test_what_is_let_through_is_trained_as_before_and_the_gate_learns_the_accuracy(gate):
    check = gated(check_nn, gate)
    assert train(check, 0.5, epoch=2) == ("ga-1", 0.5, 0.1, 1.0)
    assert (gate.state.through, gate.state.outcomes) == (1, 1)
    assert inspect.signature(check) == inspect.signature(check_nn)


def test_a_score_is_a_cheap_first_stage_of_a_reward(gate):
    rates = [0.4, 0.5, 0.6, 0.7, 0.45, 0.01, 0.02, 0.03, 0.75, 0.04]
    given = list(rewards(gated(check_nn, gate), rates))
    refused = [(rate, reward) for rate, reward in zip(rates, given, strict=True) if reward < 0.5]
    assert len(refused) >= 3
    assert sorted(refused) == sorted(refused, key=lambda pair: pair[1]), "a better score is a better reward"


def test_broken_code_is_never_trained_and_gets_no_reward(gate):
    with pytest.raises(NotTrainedError, match="not trained: broken") as refused:
        train(gated(check_nn, gate), 0.5, code=JUNK)
    assert (refused.value.reward, refused.value.decision.train) == (0.0, False)


def test_a_training_that_fails_is_told_to_the_gate_and_fails_as_before(gate):
    with pytest.raises(ValueError, match="diverged"):
        train(gated(check_nn, gate), 0.9)
    assert gate.state.through == 1
    assert gate.state.outcomes == 0


def test_another_dataset_than_the_gates_is_trained_without_a_decision(gate):
    assert train(gated(check_nn, gate), 0.2, dataset="mnist")[1] == 0.2
    assert gate.state.decided == 0


def test_nngpts_own_callers_find_it_in_their_module(gate):
    """They call it as an attribute of the module, so that a script may replace it there."""
    class api:  # noqa: N801 - stands for the module ab.nn.api
        check_nn = staticmethod(check_nn)

    api.check_nn = gated(api.check_nn, gate)
    assert train(api.check_nn, 0.5)[1] == 0.5
    assert gate.state.decided == 1
