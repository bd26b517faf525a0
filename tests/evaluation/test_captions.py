"""Captions state the figures, with the same words for good and bad results."""

import pytest

from nngpt_perfclf.evaluation import captions


def plain(text):
    return text.replace("\u00a0", " ")


def evaluated(difference, low, high, no_opinion=0):
    comparison = {"against": "prior", "difference": difference, "low": low, "high": high}
    return {"adviser": "x", "accuracy": 0.8, "accuracy_low": 0.7, "accuracy_high": 0.9, "n": 1000,
            "no_opinion": no_opinion, "prior": 0.8 - difference, "comparisons": [comparison]}


@pytest.mark.parametrize(("difference", "low", "high", "words"), [
    (0.05, 0.01, 0.09, "accuracy 80.0 % on 1,000 held-out pairs (95 % interval 70.0 % to 90.0 %)"),
    (0.05, 0.01, 0.09, "5.0 points above the majority baseline (75.0 %)"),
    (0.05, 0.01, 0.09, "+1.0 to +9.0 points, statistically significant (excludes 0)"),
    (0.05, -0.01, 0.09, "−1.0 to +9.0 points, not statistically significant (includes 0)"),
    (-0.05, -0.09, 0.01, "5.0 points below the majority baseline (85.0 %)"),
    (-0.05, -0.09, 0.01, "not statistically significant"),
    (-0.05, -0.09, -0.01, "significantly worse than the majority baseline"),
    (0.0, 0, 0, "the same as the majority baseline"),
    (0.05, None, None, "no interval of the difference")])
def test_a_headline_has_accuracy_interval_and_the_comparison_with_the_majority_baseline(difference, low, high, words):
    assert words in plain(captions.headline(evaluated(difference, low, high)))


def test_a_headline_of_the_majority_baseline_says_what_it_is():
    assert "This is the majority baseline" in captions.headline({**evaluated(0, 0, 0), "comparisons": []})


def test_a_headline_counts_pairs_without_an_opinion():
    assert "; 7 pairs without an opinion count as one half each" in captions.headline(evaluated(-0.3, -0.4, -0.2, 7))


def test_datasets_names_the_highest_and_the_lowest():
    rows = [{"dataset": "mnist", "accuracy": 0.9, "prior": 0.8}, {"dataset": "svhn", "accuracy": 0.7, "prior": 0.8}]
    assert plain(captions.datasets(rows)) == (
        "Accuracy is highest for pairs with mnist (90.0 %) and lowest for pairs with svhn (70.0 %); above the majority "
        "baseline for 1 of 2 datasets.")
    assert plain(captions.datasets(rows[:1])) == "90.0 % for every dataset."


def test_folds_names_the_fold_with_the_lowest_accuracy():
    row = {"label": "rank", "trial": "random", "predictor": "pairwise (both)", "n": 10, "accuracy": 0.8,
           "above_prior": -0.1}
    result = {"table": [{**row, "predictor": "prior"}, row],
              "folds": [{**row, "fold": "ga", "accuracy": 0.9}, {**row, "fold": "rag", "accuracy": 0.7}]}
    assert plain(captions.folds(result)) == (
        "pairwise (both): accuracy 80.0 % (rank, random trial, n 10), 10.0 points below the majority baseline; lowest "
        "in fold rag (70.0 %).")


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.71, "well calibrated"), (0.6, "overconfident"),
                                                   (0.8, "underconfident")])
def test_reliability_compares_mean_confidence_with_mean_accuracy(accuracy, verdict):
    text = plain(captions.reliability([{"n": 9, "confidence": 0.7, "accuracy": accuracy}], 0.02))
    assert f"{verdict}" in text
    assert "Expected calibration error 2.0 points (bins of equal mass: 1)" in text


def test_coverage_says_when_confidence_does_not_help():
    rows = [{"coverage": share, "accuracy": accuracy, "prior": 0.7} for share, accuracy in ((1.0, 0.8), (0.5, 0.7))]
    assert "does not separate right from wrong answers" in captions.coverage(rows)
    assert "cannot select" in captions.coverage(rows[:1])
    better = [rows[0], {**rows[1], "accuracy": 0.9}]
    assert plain(captions.coverage(better)) == (
        "The most confident 50 % of the answers have an accuracy of 90.0 %, all answers 80.0 %; the majority baseline "
        "has 70.0 % on the same pairs.")


def test_pairs_counts_gains_and_losses():
    rows = [{"pair": "a / b", "n": 5, "accuracy": 0.9, "prior": 0.7},
            {"pair": "a / c", "n": 6, "accuracy": 0.5, "prior": 0.6}]
    assert captions.pairs(rows) == (
        "Above the majority baseline on 1 of 2 pairs of datasets, below on 1; largest gain on a / b (+20.0 points, "
        "n 5), smallest on a / c (−10.0 points, n 6).")
    assert captions.pairs([{"pair": "a / b", "n": 5, "accuracy": 0.9}]) == "1 pairs of datasets."


def test_learning_says_whether_the_loss_fell_and_gives_validation_accuracy():
    log = [{"step": step, "loss": 0.5 + step / 100} for step in range(1, 30)]
    assert "did not fall" in captions.learning(log)
    falling = [{**row, "loss": 1.3 - row["loss"]} for row in log]
    assert "The training loss fell: 0.785 to 0.515" in captions.learning(falling)
    validated = [{"step": step, "validation_accuracy": step / 100, "n": 50} for step in (60, 80, 70)]
    assert plain(captions.learning(validated)) == (
        "Validation accuracy (n 50): 60.0 % at first, 70.0 % at last, 80.0 % at best (step 80).")


def replayed(policy, regret, keep=0.5):
    return [{"policy": policy, "keep": keep, "regret_points": regret, "time_saved": 0.4}]


def test_outcomes_names_the_share_of_right_pairs_with_the_fewest_and_the_most():
    rows = [{"policy": "random", "outcomes": count, "normalized_right": 0.7 + count / 100, "rank_right": 0.6,
             "normalized_n": 1234} for count in (0, 3, 10)]
    assert plain(captions.outcomes(rows)) == (
        "With 0 outcomes 70.0 % of 1,234 pairs are right on the normalized label and 60.0 % on the rank label; with 10 "
        "it is 80.0 % and 60.0 %.")


def test_saving_compares_the_best_asking_policy_with_random_choice():
    lines = {"ask, x": replayed("ask", 0.5), "ask, y": replayed("ask", 1.5), "random": replayed("random", 4)}
    assert plain(captions.saving(lines)) == (
        "Keeping 50 % of the candidates, the best asking policy (ask, x) has a regret of 0.50 accuracy points and "
        "saves 40.0 % of the training time, net of the time for asking; random choice of as many has a regret of 4.00.")
    assert captions.saving({"random": replayed("random", 4)}) == "No policy asks an adviser."
    assert "as few candidates as the miss probability allows" in captions.saving({"ask": replayed("ask", 1, None)})


def test_paper_gives_the_peak_its_interval_and_the_peak_by_chance():
    peak = {"matching": "strict", "rounds": 3, "n": 30, "peak": 0.8, "peak_low": 0.6, "peak_high": 0.9,
            "peak_by_luck": 0.7, "last": 0.5}
    text = plain(captions.paper({"prior": 0.8, "peaks": [peak]}))
    assert "best of 3 rounds is 80.0 % of 30 prompts, not above the majority baseline on the same rows (80.0 %)" in text
    assert "between 60.0 % and 90.0 %; rounds that differ by chance alone would peak at 70.0 %" in text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.5, "50.0 %"), (0.12345, "12.3 %")])
def test_percent_shows_a_dash_for_a_missing_value(value, text):
    assert plain(captions.percent(value)) == text


def test_a_missing_interval_is_a_dash():
    assert captions.interval({"low": None, "high": None}, "low", "high") == "–"
    assert captions.interval({"low": 0.5, "high": 0.625}, "low", "high") == "50.0–62.5"
