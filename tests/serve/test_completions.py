"""NNGPT's accuracy predictor can ask the server in the words in which it asks its own language model."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scorers import SOUND

from nngpt_perfclf.config import load_config
from nngpt_perfclf.serve.completions import best, completion, curve_advisers, read_message
from nngpt_perfclf.types import PerfclfError


class Silent:
    def score(self, candidates, target):
        return [None] * len(candidates)


ADVISERS = curve_advisers(Silent(), load_config())


def message(accuracies, dataset="cifar-10", budget=50, code=SOUND):
    """The lines of NNGPT's message that are read."""
    lines = ["INPUT", "task: img-classification", f"dataset: {dataset}", "metric: acc", "", f"max_epochs: {budget}", "",
             *(f"epoch_{epoch}_accuracy: {accuracy}" for epoch, accuracy in enumerate(accuracies, 1)), "",
             "```python", code.strip(), "```", "", "OUTPUT (JSON ONLY):"]
    return "\n".join(lines)


def test_the_message_is_read():
    request = read_message(message([61.2, 72.4, 78.1], budget=20))
    assert (request.dataset, request.budget) == ("cifar-10", 20)
    assert request.candidate.seen == pytest.approx({1: 0.612, 2: 0.724, 3: 0.781})
    assert request.candidate.arch_code.strip() == SOUND.strip()
    assert read_message(message([0.612, 0.724])).candidate.seen == {1: 0.612, 2: 0.724}


def test_what_the_code_says_about_itself_does_not_count():
    code = f'{SOUND}\n"""\ndataset: mnist\nepoch_3_accuracy: 99.9\n"""\n'
    request = read_message(message([10.0, 12.0], code=code))
    assert request.dataset == "cifar-10"
    assert request.candidate.seen == {1: 0.1, 2: 0.12}


@pytest.mark.parametrize(("text", "complaint"), [
    ("hello", "no code"), (message([1.0]).replace("dataset:", "data:"), "dataset: NAME"),
    (message([]), "epoch_1_accuracy"), (message(["much"]), "not a number"), (message(["nan"]), "accuracy is nan"),
    (message([-3.0]), "epoch_1_accuracy is -3.0"), (message([1.0], budget=0), "max_epochs is 0"),
    (message([1.0], budget="inf"), "max_epochs is inf"),
])
def test_other_messages_are_refused_in_words(text, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        read_message(text)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1.5, 100), min_size=1, max_size=5), st.integers(1, 60))
def test_the_best_accuracy_is_never_below_one_that_was_seen(accuracies, budget):
    request = read_message(message(accuracies, budget=budget))
    accuracy, epoch = best(request, ADVISERS)
    assert accuracy >= max(request.candidate.seen.values())
    assert 1 <= epoch <= max(budget, len(accuracies))


def test_a_better_start_promises_no_less():
    promised = [best(read_message(message([start, 2 * start, 2.5 * start])), ADVISERS)[0]
                for start in (2.0, 10.0, 20.0, 35.0)]
    assert promised == sorted(promised)


def test_the_answer_ends_before_a_stop_text():
    whole = completion(0.91234, 20, "accuracy", None)["choices"][0]["message"]["content"]
    assert json.loads(whole) == {"best_accuracy": 91.23, "best_epoch": 20}
    cut = completion(0.91234, 20, "accuracy", ["}", "<|im_end|>"])["choices"][0]["message"]["content"]
    assert json.loads(cut + "}") == json.loads(whole)


def test_the_server_answers_it(tmp_path):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    from made_server import ask, started

    server, thread, service, port = started(tmp_path)
    try:
        body = {"model": "accuracy", "temperature": 0.0, "stop": ["}"],
                "messages": [{"role": "system", "content": "JSON only"},
                             {"role": "user", "content": message([61.2, 72.4, 78.1])}]}
        status, answer = ask(port, "POST", "/v1/chat/completions", body)
        assert status == 200
        told = json.loads(answer["choices"][0]["message"]["content"] + "}")
        assert 78.1 <= told["best_accuracy"] <= 100
        assert 3 <= told["best_epoch"] <= 50
        body["messages"][1]["content"] = message([61.2], dataset="nowhere")
        status, answer = ask(port, "POST", "/v1/chat/completions", body)
        assert (status, "nowhere" in answer["error"]) == (422, True)
    finally:
        server.should_exit = True
        thread.join(10)
        service.close()
