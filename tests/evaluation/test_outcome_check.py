"""An adviser is compared with the shipped one on outcomes that it has not seen."""

import json
from pathlib import Path

import pytest

from nngpt_perfclf import Score
from nngpt_perfclf.config import load_config
from nngpt_perfclf.evaluation import evaluate, outcome_check
from nngpt_perfclf.types import PerfclfError

CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text(encoding="utf-8")


class ByRate:
    """Scores by the learning rate, times `sign`."""

    def __init__(self, sign):
        self.sign = sign

    def score(self, candidates, target):
        return [Score(self.sign * one.recipe.lr, 0.5, 0.0, 1.0, True, "made up") for one in candidates]


@pytest.fixture
def compared(monkeypatch):
    scorers = {"good": ByRate(1), "bad": ByRate(-1)}
    monkeypatch.setattr(outcome_check, "load_scorer", lambda name, config: scorers[name])

    def compare(run, scorer, file):
        return evaluate(load_config(None, [f"scorer={scorer}"]), run, str(file))
    return compare


def outcomes(folder, count=30):
    file = folder / "outcomes.jsonl"
    file.write_text("\n".join(json.dumps({
        "name": f"n{place}", "arch_code": CODE, "dataset": "svhn", "recipe": {"lr": 0.001 * (place + 1)},
        "accuracy": 0.02 * place + 0.1}) for place in range(count)))
    return file


def test_the_better_adviser_is_better_and_not_the_other_way_round(tmp_path, compared):
    file = outcomes(tmp_path)
    found = compared("good", "bad", file)
    assert (found["right_order"], found["right_order_against"], found["better"]) == (1.0, 0.0, True)
    assert (found["outcomes"], found["datasets"]) == (30, ["svhn"])
    assert not compared("bad", "good", file)["better"]


def test_an_equal_adviser_is_not_better(tmp_path, compared):
    found = compared("good", "good", outcomes(tmp_path))
    assert (found["difference"], found["better"]) == (0.0, False)


def test_too_few_outcomes_decide_nothing(tmp_path, compared):
    with pytest.raises(PerfclfError, match="fewer than 10 usable outcomes on every dataset"):
        compared("good", "bad", outcomes(tmp_path, 5))


def test_outcomes_that_the_adviser_was_trained_on_are_refused(tmp_path, compared):
    file = outcomes(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"config": {"corpus": {"outcomes": [str(file)]}}}))
    with pytest.raises(PerfclfError, match="was trained on"):
        compared(str(run), "good", file)
