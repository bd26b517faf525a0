"""Predictions are kept shard by shard, and an evaluation goes on only with what it was begun with."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_predictions import predictions

from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.config import load_config
from nngpt_perfclf.evaluation import evaluate, run
from nngpt_perfclf.evaluation.predict import SHARD, predict, predict_in_shards
from nngpt_perfclf.evaluation.run import chosen_pairs, over_seeds, seed_folders, telling
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import PerfclfError, Question, Recipe

TRIALS = ("lr", "momentum", "batch", "dropout", "transform")


class Length(Adviser):
    """Goes by the length of the code and the first dataset's name: another answer in the other order."""

    asked = 0

    def evidence(self, questions):
        self.asked += len(questions)
        return np.array([[len(question.arch_code) / 9 - len(question.ds_a) / 4] for question in questions])


def pairs_and_codes(networks=60):
    table = predictions(networks).drop(columns=["p_a", "logit_ab", "logit_ba", "prior_a"])
    table = table.assign(**{f"{name}_{side}": np.nan for name in TRIALS for side in "ab"})
    return table, {nn: f"x = {nn!r}\n" for nn in table["nn"].unique()}


def adviser(pairs):
    return Length("length", PairPrior.fit(pairs), {})


def test_predictions_keep_the_rows_and_say_both_orders_in_terms_of_side_a():
    pairs, codes = pairs_and_codes(5)
    found = predict(adviser(pairs), pairs, codes, PairPrior.fit(pairs))
    pd.testing.assert_frame_equal(found[pairs.columns], pairs)
    first = found.iloc[0]
    here, there = (len(codes[first.nn]) / 9 - len(name) / 4 for name in (first.ds_a, first.ds_b))
    assert (first.logit_ab, first.logit_ba) == pytest.approx((here, -there))
    assert first.p_a == pytest.approx(1 / (1 + np.exp(-(here - there) / 2)))
    assert first.prior_a == PairPrior.fit(pairs)(first.ds_a, first.ds_b)


def test_shards_change_no_answer_and_lose_no_pair(tmp_path):
    pairs, codes = pairs_and_codes()
    whole = predict(adviser(pairs), pairs, codes, PairPrior.fit(pairs))
    sharded = predict_in_shards(adviser(pairs), pairs, codes, tmp_path, PairPrior.fit(pairs))
    assert len(list(tmp_path.glob("*.parquet"))) > 1
    keys = ["nn", "ds_a", "ds_b"]
    sharded, whole = (table.sort_values(keys, ignore_index=True) for table in (sharded, whole))
    pd.testing.assert_frame_equal(sharded, whole)


def test_a_killed_evaluation_asks_only_what_was_not_answered(tmp_path):
    script = textwrap.dedent("""
        import os, signal, sys
        from importlib.util import module_from_spec, spec_from_file_location
        sys.path.insert(0, sys.argv[2])
        spec = spec_from_file_location("killed", sys.argv[1]); module = module_from_spec(spec)
        spec.loader.exec_module(module)
        pairs, codes = module.pairs_and_codes()
        class Dying(module.Length):
            def evidence(self, questions):
                if self.asked > 2 * module.SHARD:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().evidence(questions)
        prior = module.PairPrior.fit(pairs)
        module.predict_in_shards(Dying("d", prior, {}), pairs, codes, module.Path(sys.argv[3]), prior)
    """)
    here = Path(__file__)
    died = subprocess.run([sys.executable, "-c", script, here, here.parents[1], tmp_path], check=False)
    assert died.returncode == -signal.SIGKILL
    pairs, codes = pairs_and_codes()
    done = sum(len(pd.read_parquet(file)) for file in tmp_path.glob("*.parquet"))
    assert done >= SHARD
    again = adviser(pairs)
    predict_in_shards(again, pairs, codes, tmp_path, PairPrior.fit(pairs))
    assert again.asked == 2 * (len(pairs) - done)


def settings(folder, *more):
    return load_config(overrides=["adviser=prior", "evaluate.pairs=300", "evaluate.resamples=50",
                                  "evaluate.baselines=[always-first]", f"out={folder}", *more])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, evaluate(settings(folder))


def test_the_verb_measures_real_held_out_pairs_and_leaves_a_record(measured):
    folder, told = measured
    written = read_json(folder / "evaluation.json")
    rows = pd.read_parquet(folder / "predictions.parquet")
    assert told["n"] == len(rows) == 300
    assert set(rows["part"]) == {"test"}
    assert told["accuracy"] == told["prior"] == written["prior"]
    assert told["prior_low"] < told["prior"] < told["prior_high"]
    assert told["always-first"] == 0.5
    assert {"config", "commit", "versions", "data", "version"} <= set(written["record"])
    assert 0.6 < told["replicate_ceiling"]["agreement"] < 1
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.json", "predictions.parquet", "run.json"]


@pytest.mark.parametrize("recipes", ["with_recipe", "code_only", "anchor"])
def test_advisers_are_given_the_recipes_that_the_configuration_says(recipes):
    config = load_config(overrides=[f"evaluate.recipes={recipes}"])
    told = telling(config, TaskData.load(config))
    own = [Question("x = 1", "mnist", other, Recipe(0.5), Recipe(0.25)) for other in ("svhn", "cifar-10")]
    first, second = map(told, own)
    if recipes == "with_recipe":
        assert (first, second) == tuple(own)
    elif recipes == "code_only":
        assert {first.recipe_a, first.recipe_b, second.recipe_b} == {None}
    else:
        assert first.recipe_a == second.recipe_a != own[0].recipe_a
        assert None not in (first.recipe_b.lr, first.recipe_b.batch)
        assert first.recipe_b != second.recipe_b


def test_a_finished_run_is_neither_overwritten_nor_done_twice(measured):
    folder, told = measured
    with pytest.raises(PerfclfError, match="already holds a run"):
        evaluate(settings(folder))
    assert evaluate(settings(folder, "resume=true")) == told
    with pytest.raises(PerfclfError, match="begun with another config"):
        evaluate(settings(folder, "resume=true", "label=rank"))


def test_the_prior_is_fitted_on_the_training_part_alone(measured):
    config = settings(measured[0])
    pairs = TaskData.load(config).pairs()
    prior = PairPrior.fit(pairs[pairs["part"] == "train"])
    rows = pd.read_parquet(measured[0] / "predictions.parquet")
    assert [prior(row.ds_a, row.ds_b) for row in rows.itertuples()] == rows["prior_a"].tolist()


def test_an_adviser_that_learned_from_another_split_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"kind": "pairwise", "config": {"split": {"by": "pairs"}}}')
    with pytest.raises(PerfclfError, match="learned from another split"):
        evaluate(settings(tmp_path / "new"), str(tmp_path))


def test_a_sample_is_drawn_by_the_seed_and_an_empty_part_is_an_error(tmp_path):
    pairs = predictions(30)
    chosen = [chosen_pairs(pairs, settings(tmp_path, f"seed={seed}")).index.tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(set(chosen[0])) == 300
    with pytest.raises(PerfclfError, match="no pairs in the validation part"):
        chosen_pairs(pairs, settings(tmp_path, "evaluate.part=validation"))


def test_a_run_of_several_seeds_is_measured_seed_by_seed(tmp_path, monkeypatch):
    def measure(config, name, folder):
        write_json(folder / "run.json", {"config": {}})
        accuracy = 0.7 + int(name[-1]) / 10
        return {"n": 9, "accuracy": accuracy, "accuracy_low": 0.5, "accuracy_high": 0.9, "prior": 0.75}

    monkeypatch.setattr(run, "evaluate_one", measure)
    for seed in (0, 1):
        (tmp_path / "trained" / f"seed-{seed}").mkdir(parents=True)
    told = evaluate(settings(tmp_path / "out"), str(tmp_path / "trained"))
    assert (told["accuracy"], told["seeds"], told["adviser"]) == (pytest.approx(0.75), 2, "trained")
    written = read_json(tmp_path / "out" / "evaluation.json")
    assert written["record"]["adviser"] == str(tmp_path / "trained")
    assert (tmp_path / "out" / "seed-1" / "run.json").is_file()


def test_seeds_give_mean_deviation_and_each_run(tmp_path):
    for seed in (2, 0, 10):
        (tmp_path / f"seed-{seed}").mkdir()
    assert list(seed_folders(tmp_path)) == [0, 2, 10]
    runs = {seed: {"n": 50, "accuracy": accuracy, "accuracy_low": 0.5, "accuracy_high": 0.9, "prior": 0.75}
            for seed, accuracy in ((0, 0.7), (1, 0.8), (2, 0.9))}
    found = over_seeds(runs)
    assert (found["accuracy"], found["accuracy_deviation"]) == pytest.approx((0.8, 0.1))
    assert [row["seed"] for row in found["runs"]] == [0, 1, 2]
    assert over_seeds({0: runs[0]})["accuracy_deviation"] is None
