"""One sentence or two about each figure of the report, computed from its data."""

from collections.abc import Sequence

_NBSP = "\u00a0"  # no line break before a percent sign
BASELINE = "majority baseline"


def percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}{_NBSP}%"


def points(value: float) -> str:
    """The absolute value of a difference of two accuracies, in percentage points."""
    return f"{100 * abs(value):.1f} points"


def signed(value: float) -> str:
    """A difference of two accuracies in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def interval(row: dict, low: str, high: str) -> str:
    """Two bounds in percent, such as ``78.0–81.4``; a dash where there is no interval."""
    return "–" if row.get(low) is None else f"{100 * row[low]:.1f}–{100 * row[high]:.1f}"


def headline(result: dict) -> str:
    """The accuracy of an evaluation, its difference from the majority baseline, and whether that is significant."""
    text = (f"{result['adviser']}: accuracy {percent(result['accuracy'])} on {result['n']:,} held-out pairs "
            f"(95{_NBSP}% interval {percent(result['accuracy_low'])} to {percent(result['accuracy_high'])})")
    if result["no_opinion"]:
        text += f"; {result['no_opinion']:,} pairs without an opinion count as one half each"
    comparison = next((row for row in result["comparisons"] if row["against"] == "prior"), None)
    if comparison is None:
        return f"{text}. This is the {BASELINE}: the dataset that wins the pair most often."
    if comparison["difference"] == 0:
        return f"{text}, the same as the {BASELINE}."
    side = "above" if comparison["difference"] > 0 else "below"
    text += f", {points(comparison['difference'])} {side} the {BASELINE} ({percent(result['prior'])})"
    if comparison["low"] is None:
        return f"{text}. One near-duplicate group gives no interval of the difference."
    text += (f". 95{_NBSP}% interval of the difference, resampled by near-duplicate group: "
             f"{signed(comparison['low'])} to {signed(comparison['high'])} points, ")
    if comparison["low"] > 0:
        return f"{text}statistically significant (excludes 0)."
    if comparison["high"] < 0:
        return f"{text}significantly worse than the {BASELINE}."
    return f"{text}not statistically significant (includes 0)."


def datasets(rows: Sequence[dict]) -> str:
    """The datasets with the highest and the lowest accuracy, and how many are above the majority baseline."""
    best, worst = max(rows, key=lambda row: row["accuracy"]), min(rows, key=lambda row: row["accuracy"])
    if best["accuracy"] == worst["accuracy"]:
        return f"{percent(best['accuracy'])} for every dataset."
    text = (f"Accuracy is highest for pairs with {best['dataset']} ({percent(best['accuracy'])}) and lowest for pairs "
            f"with {worst['dataset']} ({percent(worst['accuracy'])})")
    compared = [row for row in rows if row.get("prior") is not None]
    above = sum(row["accuracy"] > row["prior"] for row in compared)
    return f"{text}; above the {BASELINE} for {above} of {len(compared)} datasets." if compared else f"{text}."


def folds(result: dict) -> str:
    """The accuracy of the pairwise trees over all folds, and the fold in which it is lowest."""
    texts = []
    for row in result["table"]:
        if row["predictor"] == "prior":
            continue
        by_fold = [fold for fold in result["folds"]
                   if all(fold[key] == row[key] for key in ("label", "trial", "predictor"))]
        worst = min(by_fold, key=lambda fold: fold["accuracy"])
        side = "above" if row["above_prior"] >= 0 else "below"
        texts.append(f"{row['predictor']}: accuracy {percent(row['accuracy'])} ({row['label']}, {row['trial']} trial, "
                     f"n {row['n']:,}), {points(row['above_prior'])} {side} the {BASELINE}; lowest in fold "
                     f"{worst['fold']} ({percent(worst['accuracy'])})")
    return ". ".join(texts) + "."


def reliability(rows: Sequence[dict], error: float) -> str:
    """Mean confidence, mean accuracy and the expected calibration error."""
    n = sum(row["n"] for row in rows)
    confidence, accuracy = (sum(row[name] * row["n"] for row in rows) / n for name in ("confidence", "accuracy"))
    verdict = ("well calibrated on average" if abs(confidence - accuracy) < 0.02
               else "overconfident" if confidence > accuracy else "underconfident")
    return (f"Mean confidence {percent(confidence)}, mean accuracy {percent(accuracy)}: {verdict}. Expected "
            f"calibration error {points(error)} (bins of equal mass: {len(rows)}).")


def coverage(rows: Sequence[dict]) -> str:
    """The accuracy of the more confident half of the answers."""
    if len(rows) == 1:
        return "All answers have the same confidence, so it cannot select among them."
    whole, half = rows[0], min(rows, key=lambda row: abs(row["coverage"] - 0.5))
    text = (f"The most confident {percent(half['coverage'], 0)} of the answers have an accuracy of "
            f"{percent(half['accuracy'])}, all answers {percent(whole['accuracy'])}")
    if half["accuracy"] <= whole["accuracy"]:
        text += ", so confidence does not separate right from wrong answers"
    if "prior" in half:
        text += f"; the {BASELINE} has {percent(half['prior'])} on the same pairs"
    return f"{text}."


def pairs(rows: Sequence[dict]) -> str:
    """How many pairs of datasets are above the majority baseline, and the largest and smallest gain."""
    compared = [row for row in rows if row.get("prior") is not None]
    if not compared:
        return f"{len(rows)} pairs of datasets."
    gains = sorted(((row["accuracy"] - row["prior"], row) for row in compared), key=lambda item: item[0])
    above, below = sum(gain > 0 for gain, _ in gains), sum(gain < 0 for gain, _ in gains)
    extremes = [f"{name} on {row['pair']} ({signed(gain)} points, n {row['n']:,})"
                for name, (gain, row) in (("largest gain", gains[-1]), ("smallest", gains[0]))]
    return (f"Above the {BASELINE} on {above} of {len(compared)} pairs of datasets, below on {below}; "
            f"{', '.join(extremes)}.")


def learning(log: Sequence[dict]) -> str:
    """How the training loss and the validation accuracy changed."""
    losses = [row["loss"] for row in log if "loss" in row]
    validated = [row for row in log if "validation_accuracy" in row]
    texts = []
    if losses:
        tenth = max(1, len(losses) // 10)
        first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
        texts.append(f"The training loss {'fell' if last < first else 'did not fall'}: {first:.3f} to {last:.3f} "
                     f"(means of the first and the last tenth of {log[-1]['step']:,} steps)")
    if validated:
        best = max(validated, key=lambda row: row["validation_accuracy"])
        size = f" (n {best['n']:,})" if "n" in best else ""
        texts.append(f"Validation accuracy{size}: {percent(validated[0]['validation_accuracy'])} at first, "
                     f"{percent(validated[-1]['validation_accuracy'])} at last, "
                     f"{percent(best['validation_accuracy'])} at best (step {best['step']:,})")
    return ". ".join(texts) + "."


def saving(lines: dict[str, Sequence[dict]]) -> str:
    """Regret and time saved of the best asking policy at the share nearest to one half."""
    asking = {name: min(rows, key=lambda row: abs((row["keep"] or 0.5) - 0.5)) for name, rows in lines.items()
              if rows[0]["policy"] not in ("nop", "random", "oracle")}
    if not asking:
        return "No policy asks an adviser."
    name, best = min(asking.items(), key=lambda item: item[1]["regret_points"])
    keep = ("as few candidates as the miss probability allows" if best["keep"] is None
            else f"{percent(best['keep'], 0)} of the candidates")
    text = (f"Keeping {keep}, the best asking policy ({name}) has a regret of {best['regret_points']:.2f} accuracy "
            f"points and saves {percent(best['time_saved'])} of the training time, net of the time for asking")
    random = next((row for row in lines.get("random", ()) if row["keep"] == best["keep"]), None)
    return f"{text}; random choice of as many has a regret of {random['regret_points']:.2f}." if random else f"{text}."


def outcomes(rows: Sequence[dict]) -> str:
    """What the first and the largest number of outcomes of random candidates give; rows of the mean over datasets."""
    chosen = [row for row in rows if row["policy"] == rows[0]["policy"]]
    first, last = (pick(chosen, key=lambda row: row["outcomes"]) for pick in (min, max))
    start = f"With {first['outcomes']} outcomes {percent(first['normalized_right'])} of {first['normalized_n']:,} pairs"
    start = f"{start} are right on the normalized label and "
    return (f"{start}{percent(first['rank_right'])} on the rank label; with {last['outcomes']} it is "
            f"{percent(last['normalized_right'])} and {percent(last['rank_right'])}.")


def paper(result: dict) -> str:
    """The peak over the rounds, its interval, and the peak that chance alone would give."""
    peak = next(row for row in result["peaks"] if row["matching"] == "strict")
    side = "above" if peak["peak"] > result["prior"] else "not above"
    return (f"The best of {peak['rounds']} rounds is {percent(peak['peak'])} of {peak['n']} prompts, {side} the "
            f"{BASELINE} on the same rows ({percent(result['prior'])}). Resampled by prompt, the peak lies between "
            f"{percent(peak['peak_low'])} and {percent(peak['peak_high'])}; rounds that differ by chance alone would "
            f"peak at {percent(peak['peak_by_luck'])}. The last round has {percent(peak['last'])}.")
