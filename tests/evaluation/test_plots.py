"""Every plot is an SVG with its labels as text, and survives the smallest data."""

from xml.etree import ElementTree

import pytest

from nngpt_perfclf.evaluation import plots

PAIR = {"pair": "mnist / svhn", "n": 9, "accuracy": 0.8, "prior": 0.7}
RATE = {"accuracy": 0.8, "low": 0.7, "high": 0.9}
NO_INTERVAL = {"accuracy": 0.8, "low": None, "high": None}
SAVED = {"time_saved": 0.4, "time_saved_low": 0.3, "time_saved_high": 0.5, "regret_points": 1.0,
         "regret_points_low": 0.5, "regret_points_high": 2.0}
PLOTS = [
    ("accuracies", [{"label": "pairwise\nrank", "colour": 0, **RATE}, {"label": "prior", "colour": 1, **NO_INTERVAL}],
     ["pairwise", "rank", "prior", "accuracy (%)"]),
    ("by_dataset", [{"dataset": "mnist", "prior": 0.7, **RATE}, {"dataset": "svhn", **NO_INTERVAL}],
     ["mnist", "svhn", "adviser", "majority baseline"]),
    ("reliability", [{"confidence": 0.75, **RATE}], ["confidence (%)", "perfect calibration"]),
    ("reliability", [{"confidence": 0.75, **NO_INTERVAL}], ["adviser"]),
    ("coverage", [{"coverage": 1.0, "prior": 0.7, **RATE}], ["majority baseline"]),
    ("coverage", [{"coverage": 1.0, **RATE}, {"coverage": 0.5, **RATE}], ["adviser"]),
    ("pair_map", [PAIR, {**PAIR, "pair": "cifar-10 / mnist", "accuracy": 0.5}], ["80", "+10", "−20"]),
    ("learning", [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}, {"step": 2, "validation_accuracy": 0.8}],
     ["training loss", "validation accuracy (%)"]),
    ("learning", [{"step": 2, "validation_accuracy": 0.8}], ["step"]),
    ("saving_regret", {"ask, pointwise": [SAVED, {**SAVED, "time_saved": 0.2}], "oracle": [SAVED]},
     ["ask, pointwise", "regret (accuracy points)"]),
    ("rounds", [{"round": 0, "prior": 0.7, **RATE}], ["majority baseline", "generated answers"]),
    ("score_accuracy", [{"score": 0.4, "accuracy": 0.5, "target": "svhn"}], ["svhn", "score before training"]),
    ("hours_saved", [{"name": "A0", "hours_saved": 0.5}, {"name": "A1", "hours_saved": None}], ["generation"]),
]


@pytest.mark.parametrize(("name", "data", "words"), PLOTS)
def test_a_plot_is_valid_svg_with_its_labels_as_text(name, data, words):
    svg = getattr(plots, name)(data)
    texts = {text.strip() for text in ElementTree.fromstring(svg).itertext()}
    assert set(words) <= texts
    assert "currentColor" in svg


def test_the_same_data_give_the_same_picture():
    assert plots.pair_map([PAIR]) == plots.pair_map([PAIR])


def test_an_error_bar_is_never_negative():
    rows = [{"time_saved": 0.9, "time_saved_low": 0.95, "time_saved_high": 0.99}]
    assert plots._errors(rows, "time_saved", "time_saved_low", "time_saved_high") == [[0.0], [pytest.approx(9)]]
