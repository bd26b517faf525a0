"""The summary of a table of predictions."""

import json

import pytest
from made_predictions import predictions, swapped

from nngpt_perfclf.evaluation.figures import summary
from nngpt_perfclf.types import PerfclfError


def test_every_accuracy_has_n_an_interval_and_the_baselines():
    table = predictions()
    found = summary(table, {"pairwise": table.sample(frac=1, random_state=1)}, resamples=200)
    assert found["n"] == 60 * 21
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert found["prior"] < found["accuracy"] == found["pairwise"]
    assert [row["predictor"] for row in found["predictors"]] == ["adviser", "prior", "pairwise"]
    assert [row["against"] for row in found["comparisons"]] == ["prior", "pairwise"]
    assert found["comparisons"][1]["difference"] == 0
    for name in ("by_dataset", "by_pair", "by_family", "by_margin", "coverage"):
        assert all({"n", "accuracy", "low", "high", "prior", "pairwise"} <= set(row) for row in found[name])
    for name in ("by_pair", "by_family", "by_margin", "reliability"):
        assert sum(row["n"] for row in found[name]) == found["n"]
    assert sum(row["n"] for row in found["by_dataset"]) == 2 * found["n"]


def test_exchanging_the_sides_changes_no_figure():
    table = predictions()
    first, second = summary(table, resamples=100), summary(swapped(table), resamples=100)
    for name in ("accuracy", "prior", "order_disagreement", "comparisons", "by_dataset"):
        assert first[name] == second[name]


def test_the_majority_baseline_is_not_compared_with_itself():
    table = predictions().assign(p_a=lambda rows: rows["prior_a"])
    found = summary(table, name="prior", resamples=100)
    assert found["accuracy"] == found["prior"]
    assert found["comparisons"] == []


def test_predictions_for_other_pairs_are_refused():
    with pytest.raises(PerfclfError, match="pairwise are for other pairs"):
        summary(predictions(), {"pairwise": predictions(networks=59)}, resamples=10)
    with pytest.raises(PerfclfError, match="no pairs to evaluate"):
        summary(predictions().head(0))


def test_a_summary_is_json_able_and_missing_answers_are_counted():
    table = predictions(10)
    table.loc[:4, "p_a"] = float("nan")
    found = json.loads(json.dumps(summary(table, resamples=50), allow_nan=False))
    assert found["no_opinion"] == 5
    assert found["comparisons"][0]["n"] == len(table)


def test_each_pair_counts_for_both_of_its_datasets():
    table = predictions(30)
    rows = {row["dataset"]: row for row in summary(table, resamples=50)["by_dataset"]}
    mnist = table[(table["ds_a"] == "mnist") | (table["ds_b"] == "mnist")]
    right = (mnist["p_a"] > 0.5) == (mnist["better"] == mnist["ds_a"])
    assert (rows["mnist"]["n"], rows["mnist"]["accuracy"]) == (len(mnist), pytest.approx(right.mean()))
