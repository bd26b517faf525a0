"""The paper's protocol: its settings, its rows, its rounds, and the spread of the best round."""

import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little_world import replace_corpus

from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.evaluation import evaluate
from nngpt_perfclf.evaluation.paper_protocol import paper_rows, peak_spread, run_rounds
from nngpt_perfclf.tasks import Task, load_task
from nngpt_perfclf.tasks.pairs import PAIR_COLUMNS
from nngpt_perfclf.types import PerfclfError

TASK = Task("tiny", 1, "img-classification", "acc", ("mnist", "svhn", "cifar-10"))


def corpus(networks=12, seed=0):
    random = np.random.default_rng(seed)
    rows = [("img-classification", dataset, "acc", f"n{number}", "norm_64", epoch, random.random(), 1.0, 0.1, 0.9, 64.0,
             np.nan, f"t{number}-{dataset}-{trial}")
            for number in range(networks) for dataset in TASK.datasets for trial in range(3) for epoch in (1, 5)]
    columns = ["task", "dataset", "metric", "nn", "transform", "epoch", "accuracy", "duration", "lr", "momentum",
               "batch", "dropout", "trial"]
    trials = pd.DataFrame(rows, columns=columns)
    return Corpus(trials, dict.fromkeys(trials["nn"].unique(), "pass"), "here", "0", (), 0)


def test_the_settings_are_those_of_the_reference():
    config = load_config(overrides=["protocol=paper"])
    evaluate, train, lora = config.evaluate, config.train, config.lora
    assert (evaluate.answer, evaluate.prompts, evaluate.rounds, config.epoch) == ("generated", 30, 15, 5)
    assert (evaluate.temperature, evaluate.top_k, evaluate.top_p, evaluate.new_tokens) == (0.8, 70, 0.9, 150)
    assert (lora.rank, lora.alpha, lora.dropout, lora.layers) == (32, 32, 0.05, 24)
    assert set(lora.targets) == {f"{name}_proj" for name in ("q", "k", "v", "o", "up", "down", "gate")}
    assert (train.lr, train.schedule, train.warmup, train.clip, train.labels_count) == (1e-6, "cosine", 0.05, 1.0, 1024)
    assert (train.batch, train.accumulate, train.loss, train.max_tokens) == (1, 8, "full", 4096)


def test_overrides_win_over_a_protocol():
    config = load_config(overrides=["evaluate.prompts=5", "protocol=paper", "model=qwen2.5-coder-1.5b"])
    assert (config.evaluate.prompts, config.model.name) == (5, "qwen2.5-coder-1.5b")


def test_a_thousand_rows_of_lemur_come_from_about_fifty_networks_and_a_test_from_a_few():
    rows = paper_rows(load_corpus(load_config()), load_task("img_classification"), 1024, seed=0, best=False)
    assert len(rows) == 1024
    assert list(rows.columns) == list(PAIR_COLUMNS)
    assert 30 <= rows["nn"].nunique() <= 65
    assert rows.head(30)["nn"].nunique() <= 5
    assert rows["epoch"].nunique() > 3


def test_labels_are_normalised_by_the_best_at_epoch_five_whatever_the_rows_epoch():
    trials = corpus().trials
    best = trials[trials["epoch"] == 5].groupby("dataset")["accuracy"].max()
    for row in paper_rows(corpus(), TASK, 200, seed=1, best=False).itertuples():
        assert row.norm_a == round(row.acc_a / best[row.ds_a], 4)
        assert row.better == (row.ds_a if row.norm_a >= row.norm_b else row.ds_b)
        assert row.ds_a != row.ds_b


def test_a_dataset_without_trials_at_the_label_epoch_is_named():
    with pytest.raises(PerfclfError, match="cifar-10, mnist, svhn has no accuracy above zero at epoch 7"):
        paper_rows(corpus(), TASK, 10, 0, best=False, label_epoch=7)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.booleans())
def test_no_pair_of_trials_is_drawn_twice_in_either_order(seed, best):
    rows = paper_rows(corpus(), TASK, 30, seed, best)
    pairs = [(row.epoch, *sorted((row.trial_a, row.trial_b))) for row in rows.itertuples()]
    assert len(set(pairs)) == 30
    again = paper_rows(corpus(), TASK, 30, seed, best)
    pd.testing.assert_frame_equal(rows, again)


def test_the_whole_join_has_every_pair_of_trials_once_and_no_more():
    count = 12 * 2 * 3 * 9
    assert len(paper_rows(corpus(), TASK, count, 0, best=False)) == count
    with pytest.raises(PerfclfError, match=f"only {count} rows, not {count + 1}"):
        paper_rows(corpus(), TASK, count + 1, 0, best=False)


def test_best_rows_are_of_the_most_accurate_trials():
    trials = corpus().trials
    best = trials.groupby(["nn", "epoch", "dataset"])["accuracy"].max()
    for row in paper_rows(corpus(), TASK, 40, 3, best=True).itertuples():
        assert row.acc_a == best[(row.nn, row.epoch, row.ds_a)]
        assert row.acc_b == best[(row.nn, row.epoch, row.ds_b)]


def test_the_peak_of_equal_rounds_is_what_chance_gives():
    hits = (np.random.default_rng(0).random((15, 30)) < 0.7).astype(float)
    found = peak_spread(hits, 2000)
    assert found["peak"] == hits.mean(axis=1).max() > found["mean"]
    assert found["peak_by_luck"] == pytest.approx(found["peak"], abs=0.08)
    assert found["peak_low"] <= found["peak"] <= found["peak_high"]
    assert (found["first"], found["last"]) == (hits[0].mean(), hits[-1].mean())


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6))
def test_the_peak_is_never_below_a_round_and_its_interval_is_within_0_and_1(hits):
    found = peak_spread(np.array(hits, float), 100)
    assert found["peak"] >= max(found["first"], found["last"], found["mean"] - 1e-9)
    assert 0 <= found["peak_low"] <= found["peak_high"] <= 1


@dataclass(frozen=True)
class Asked:
    options: tuple


class MadeTuner:
    """Gives one more right answer for each fine-tuning, and no dataset's name otherwise."""

    def __init__(self, better):
        self.better, self.done = better, []

    def generate(self, adapter, prompts):
        known = 0 if adapter is None else json.loads((adapter / "known").read_text())
        self.done.append(("generate", known))
        return [f"It is {name}." if place < known else "I cannot say" for place, name in enumerate(self.better)]

    def fine_tune(self, adapter, prompts, answers, out):
        known = 0 if adapter is None else json.loads((adapter / "known").read_text())
        self.done.append(("fine-tune", known))
        out.mkdir()
        (out / "known").write_text(str(known + 1))


def rounds(tmp_path, tuner, count=3):
    prompts = [Asked(("mnist", "svhn"))] * 4
    return run_rounds(count, (prompts, ["svhn"] * 4), prompts, tuner.better, np.array([1, 1, 1, 0.0]), tuner.generate,
                      tuner.fine_tune, tmp_path, resamples=50)


def test_each_round_generates_then_fine_tunes_except_the_last(tmp_path):
    tuner = MadeTuner(["svhn", "mnist", "svhn", "mnist"])
    found = rounds(tmp_path, tuner)
    assert tuner.done == [("generate", 0), ("fine-tune", 0), ("generate", 1), ("fine-tune", 1), ("generate", 2)]
    assert [row["accuracy"] for row in found["rounds"]] == [0, 0.25, 0.5]
    assert [row["unparsed"] for row in found["rounds"]] == [4, 3, 2]
    assert all(row["n"] == 4 and row["prior"] == 0.75 for row in found["rounds"])
    assert (found["peak"], found["last"], found["prior"]) == (0.5, 0.5, 0.75)


def test_a_stopped_run_repeats_no_finished_round(tmp_path):
    better = ["svhn", "mnist", "svhn", "mnist"]
    first = rounds(tmp_path, MadeTuner(better), count=2)
    tuner = MadeTuner(better)
    found = rounds(tmp_path, tuner, count=3)
    assert tuner.done == [("fine-tune", 1), ("generate", 2)]
    assert found["rounds"][:2] == first["rounds"]


def test_the_verb_follows_the_protocol_with_a_tiny_model_and_resumes(tiny_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    replace_corpus(monkeypatch, corpus())
    words = ["protocol=paper", f"model={tiny_folder}", f"out={tmp_path / 'run'}", "evaluate.rounds=2",
             "evaluate.prompts=4", "evaluate.new_tokens=4", "evaluate.resamples=50", "train.labels_count=8",
             "train.accumulate=1", "train.precision=float32", "lora.layers=null", "lora.rank=2"]
    result = evaluate(load_config(overrides=words))
    announced = re.compile(r"evaluation takes about \d+ s on this machine: (.*)\n")
    assert announced.search(capsys.readouterr().err)[1] == (
        "2 times 4 answers of at most 4 tokens, 1 times 8 rows to learn from")
    assert [row["round"] for row in result["rounds"]] == [0, 1]
    assert all(row["n"] == 4 for row in result["rounds"])
    assert (tmp_path / "run" / "adapter-01" / "adapter_model.safetensors").is_file()
    (tmp_path / "run" / "evaluation.json").unlink()
    (tmp_path / "run" / "round-01.json").unlink()
    assert evaluate(load_config(overrides=[*words, "resume=true"])) == result
    assert announced.search(capsys.readouterr().err)[1] == (
        "1 times 4 answers of at most 4 tokens, 0 times 8 rows to learn from")
