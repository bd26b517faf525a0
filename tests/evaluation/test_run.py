"""The evaluation of an adviser on made-up trials: its figures, its folder, and what it refuses."""

import json

import pandas as pd
import pytest
from little_world import SETTINGS, little_corpus, replace_corpus
from made_predictions import predictions

from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.config import load_config
from nngpt_perfclf.evaluation import evaluate, run
from nngpt_perfclf.evaluation.run import check_split, chosen_pairs, over_seeds, recipe_view, seed_folders
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import PerfclfError, Question, Recipe


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path_factory.mktemp("home")))
        replace_corpus(patch, little_corpus())
        yield


def settings(folder, *more):
    return load_config(overrides=[*SETTINGS, "adviser=prior", "evaluate.pairs=100", "evaluate.resamples=50",
                                  "evaluate.baselines=[always-first]", f"out={folder}", *more])


@pytest.fixture(scope="module")
def measured(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, evaluate(settings(folder))


def stop(*_):
    raise KeyboardInterrupt


def test_the_folder_has_the_figures_the_predictions_and_the_manifest(measured):
    folder, result = measured
    written = read_json(folder / "evaluation.json")
    rows = pd.read_parquet(folder / "predictions.parquet")
    assert result["n"] == len(rows) == 100
    assert set(rows["part"]) == {"test"}
    assert result["accuracy"] == result["prior"] == written["prior"]
    assert result["prior_low"] < result["prior"] < result["prior_high"]
    assert result["always-first"] == 0.5
    assert {"config", "commit", "versions", "data", "version"} <= set(written["record"])
    assert result["replicate_ceiling"]["n"] > 30
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.json", "predictions.parquet", "run.json"]


def test_the_prior_is_fitted_on_the_training_part_alone(measured):
    prior = PairPrior.fit(TaskData.load(settings(measured[0])).pairs(part="train"))
    rows = pd.read_parquet(measured[0] / "predictions.parquet")
    assert [prior(row.ds_a, row.ds_b) for row in rows.itertuples()] == rows["prior_a"].tolist()


def test_a_finished_run_is_neither_overwritten_nor_done_twice(measured):
    folder, result = measured
    with pytest.raises(PerfclfError, match="already holds a run"):
        evaluate(settings(folder))
    assert evaluate(settings(folder, "resume=true")) == result
    with pytest.raises(PerfclfError, match="begun with another config"):
        evaluate(settings(folder, "resume=true", "label=normalized"))


def test_a_stopped_evaluation_has_the_same_figures_after_resume(measured, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(run, "summary", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate(settings(tmp_path))
    assert (tmp_path / "shards" / "prior").is_dir()
    assert {**evaluate(settings(tmp_path, "resume=true")), "out": ""} == {**measured[1], "out": ""}


def test_a_baseline_that_cannot_be_evaluated_is_left_out_and_named(tmp_path):
    (tmp_path / "other").mkdir()
    write_json(tmp_path / "other" / "run.json", {"kind": "pairwise", "config": {"split": {"by": "pairs"}}})
    result = evaluate(settings(tmp_path / "run", f"evaluate.baselines=[{tmp_path / 'other'},always-first]"))
    assert result["always-first"] == 0.5
    [line] = result["left_out"]
    assert "was trained on another split" in line


@pytest.mark.parametrize("recipes", ["with_recipe", "code_only", "anchor"])
def test_evaluate_recipes_chooses_the_recipes_that_an_adviser_sees(recipes):
    config = load_config(overrides=[*SETTINGS, f"evaluate.recipes={recipes}"])
    view = recipe_view(config, TaskData.load(config))
    questions = [Question("x = 1", "mnist", other, Recipe(0.5), Recipe(0.25)) for other in ("svhn", "cifar-10")]
    first, second = map(view, questions)
    if recipes == "with_recipe":
        assert (first, second) == tuple(questions)
    elif recipes == "code_only":
        assert {first.recipe_a, first.recipe_b, second.recipe_b} == {None}
    else:
        assert first.recipe_a == second.recipe_a != questions[0].recipe_a
        assert None not in (first.recipe_b.lr, first.recipe_b.batch)
        assert first.recipe_b != second.recipe_b


def test_it_says_before_it_starts_how_long_it_takes_here(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "expected_seconds", lambda adviser, questions: len(questions) / 2)

    with monkeypatch.context() as patch:
        patch.setattr(run, "predict_in_shards", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate(settings(tmp_path))
    assert ("evaluation takes about 2 min on this machine: 100 pairs in both orders, prior about 50 s, always-first "
            "about 50 s") in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(run, "summary", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate(settings(tmp_path, "resume=true"))
    capsys.readouterr()
    evaluate(settings(tmp_path, "resume=true"))
    assert "prior about 1 s, always-first about 1 s" in capsys.readouterr().err, "all was answered before"


def test_an_adviser_that_was_trained_on_another_split_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"kind": "pairwise", "config": {"split": {"by": "pairs"}}}')
    with pytest.raises(PerfclfError, match=r"trained on another split.*evaluate with split\.by=pairs"):
        evaluate(settings(tmp_path / "new"), str(tmp_path))


def test_an_adviser_that_records_no_split_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"kind": "pairwise", "config": {}}')
    with pytest.raises(PerfclfError, match="does not record the split"):
        check_split(str(tmp_path), settings(tmp_path))


def test_cross_validation_takes_no_run(tmp_path):
    with pytest.raises(PerfclfError, match="leave runs/mine out"):
        evaluate(settings(tmp_path, "evaluate.part=folds"), "runs/mine")


def test_a_sample_is_drawn_by_the_seed_and_an_empty_part_is_an_error(tmp_path, capsys):
    pairs = predictions(30)
    chosen = [chosen_pairs(pairs, settings(tmp_path, f"seed={seed}")).index.tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(set(chosen[0])) == 100
    assert len(chosen_pairs(pairs, settings(tmp_path, "evaluate.pairs=9999"))) == len(pairs)
    assert "the test part has 630 pairs, all are used" in capsys.readouterr().err
    with pytest.raises(PerfclfError, match="no pairs in the validation part"):
        chosen_pairs(pairs, settings(tmp_path, "evaluate.part=validation"))


def test_a_run_of_several_seeds_is_evaluated_seed_by_seed(tmp_path, monkeypatch):
    def measure(config, name, folder):
        write_json(folder / "run.json", {"config": {}})
        accuracy = 0.7 + int(name[-1]) / 10
        return {"n": 9, "accuracy": accuracy, "accuracy_low": 0.5, "accuracy_high": 0.9, "prior": 0.75}

    monkeypatch.setattr(run, "evaluate_one", measure)
    for seed in (0, 1):
        (tmp_path / "trained" / f"seed-{seed}").mkdir(parents=True)
    result = evaluate(settings(tmp_path / "out"), str(tmp_path / "trained"))
    assert (result["accuracy"], result["seeds"], result["adviser"]) == (pytest.approx(0.75), 2, "trained")
    written = read_json(tmp_path / "out" / "evaluation.json")
    assert written["record"]["adviser"] == str(tmp_path / "trained")
    assert (tmp_path / "out" / "seed-1" / "run.json").is_file()


def test_seeds_give_mean_standard_deviation_and_each_run(tmp_path):
    for seed in (2, 0, 10):
        (tmp_path / f"seed-{seed}").mkdir()
    assert list(seed_folders(tmp_path)) == [0, 2, 10]
    runs = {seed: {"n": 50, "accuracy": accuracy, "accuracy_low": 0.5, "accuracy_high": 0.9, "prior": 0.75}
            for seed, accuracy in ((0, 0.7), (1, 0.8), (2, 0.9))}
    found = over_seeds(runs)
    assert (found["accuracy"], found["accuracy_deviation"]) == pytest.approx((0.8, 0.1))
    assert [row["seed"] for row in found["runs"]] == [0, 1, 2]
    assert over_seeds({0: runs[0]})["accuracy_deviation"] is None


def test_a_run_folder_is_new_or_the_last_unfinished_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(overrides=["resume=true"])
    with pytest.raises(PerfclfError, match=r"nothing to resume: no unfinished runs/evaluate-prior-\*"):
        run.run_folder(config, "prior")
    for name, finished in (("evaluate-prior-1", False), ("evaluate-prior-2", False), ("evaluate-prior-3", True)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if finished:
            (tmp_path / "runs" / name / "evaluation.json").write_text(json.dumps({}))
    assert run.run_folder(config, "prior").name == "evaluate-prior-2"
    assert run.run_folder(load_config(), "prior").name.startswith("evaluate-prior-2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(PerfclfError, match="several processes must share one folder"):
        run.run_folder(load_config(), "prior")


def test_two_evaluations_of_the_same_pairs_are_compared(measured, tmp_path):
    folder, result = measured
    same = evaluate(settings(folder, "resume=true"), against=str(folder))["shift"]
    assert same == {"n": 100, "largest": 0, "mean": 0, "percentile_99": 0, "changed_answers": 0,
                    "accuracy": result["accuracy"], "accuracy_of_other": result["accuracy"]}
    other = tmp_path / "other"
    other.mkdir()
    rows = pd.read_parquet(folder / "predictions.parquet").iloc[::-1]
    rows["p_a"] = [1 - rows["p_a"].iloc[0], *rows["p_a"].iloc[1:]]
    rows.to_parquet(other / "predictions.parquet")
    moved = evaluate(settings(folder, "resume=true"), against=str(other))["shift"]
    assert moved["changed_answers"] == 1
    assert moved["largest"] == pytest.approx(100 * moved["mean"])
    assert abs(moved["accuracy"] - moved["accuracy_of_other"]) == pytest.approx(0.01)
    rows.iloc[1:].to_parquet(other / "predictions.parquet")
    with pytest.raises(PerfclfError, match="for other pairs"):
        evaluate(settings(folder, "resume=true"), against=str(other))
    with pytest.raises(PerfclfError, match="no finished evaluation"):
        evaluate(settings(folder, "resume=true"), against=str(tmp_path))
