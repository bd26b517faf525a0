"""One line of plain words about each picture, computed from its data and as honest when the news is bad."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = "\u00a0"  # a percent sign never stands alone on a line


def percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}{_GAP}%"


def points(value: float) -> str:
    """A difference of two accuracies in points, without its sign."""
    return f"{100 * abs(value):.1f} points"


def signed(value: float) -> str:
    """The same as a number with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def interval(row: dict, low: str, high: str) -> str:
    """Two bounds in percent, such as ``78.0–81.4``; a dash where there is none."""
    return "–" if row.get(low) is None else f"{100 * row[low]:.1f}–{100 * row[high]:.1f}"


def headline(result: dict) -> str:
    """An evaluation's accuracy beside the prior, and whether the difference is more than chance."""
    said = (f"{result['adviser']} is right on {percent(result['accuracy'])} of {result['n']:,} held-out pairs "
            f"(95{_GAP}% interval {percent(result['accuracy_low'])} to {percent(result['accuracy_high'])})")
    if result["no_opinion"]:
        said += f", the {result['no_opinion']:,} without an opinion counted as one half each"
    against = next((row for row in result["comparisons"] if row["against"] == "prior"), None)
    if against is None:
        return f"{said}. It is the prior: the dataset that usually wins the pair, code and recipe unread."
    if against["difference"] == 0:
        return f"{said}, just as many as the pair prior, which reads neither code nor recipe."
    side = "above" if against["difference"] > 0 else "below"
    said += f", {points(against['difference'])} {side} the pair prior's {percent(result['prior'])}"
    if against["low"] is None:
        return f"{said}; with one near-duplicate group nothing can be said about chance."
    said += (". When whole near-duplicate groups are drawn anew, the difference lies between "
             f"{signed(against['low'])} and {signed(against['high'])} points: ")
    if against["low"] > 0:
        return f"{said}it is no accident of these networks."
    if against["high"] < 0:
        return f"{said}asking this adviser is worse than not reading the network at all."
    return f"{said}it may well be chance."


def datasets(rows: Sequence[dict]) -> str:
    """Where it is easiest and hardest, and with how many datasets it is above the prior."""
    best, worst = max(rows, key=lambda row: row["accuracy"]), min(rows, key=lambda row: row["accuracy"])
    if best["accuracy"] == worst["accuracy"]:
        return f"{percent(best['accuracy'])} whichever dataset is one of the two."
    said = (f"Easiest where {best['dataset']} is one of the two ({percent(best['accuracy'])}), hardest with "
            f"{worst['dataset']} ({percent(worst['accuracy'])})")
    known = [row for row in rows if row.get("prior") is not None]
    above = sum(row["accuracy"] > row["prior"] for row in known)
    return f"{said}; above the prior with {above} of {len(known)} datasets." if known else f"{said}."


def folds(result: dict) -> str:
    """What the pairwise trees reach over all folds, and the fold in which they are worst."""
    said = []
    for row in result["table"]:
        if row["predictor"] == "prior":
            continue
        same = [one for one in result["folds"] if all(one[key] == row[key] for key in ("label", "trial", "predictor"))]
        worst = min(same, key=lambda one: one["accuracy"])
        side = "above" if row["above_prior"] >= 0 else "below"
        said.append(f"{row['predictor']} is right on {percent(row['accuracy'])} ({row['label']}, {row['trial']} trial, "
                    f"n {row['n']:,}), {points(row['above_prior'])} {side} the prior; worst in fold "
                    f"{worst['fold']} ({percent(worst['accuracy'])})")
    return "; ".join(said) + "."


def reliability(rows: Sequence[dict], error: float) -> str:
    """Mean confidence beside mean accuracy, and the calibration error."""
    n = sum(row["n"] for row in rows)
    sure, right = (sum(row[name] * row["n"] for row in rows) / n for name in ("confidence", "accuracy"))
    tendency = ("it knows how sure it may be" if abs(sure - right) < 0.02
                else "it is surer than it should be" if sure > right else "it could be surer than it is")
    return (f"On average it is {percent(sure)} sure and {percent(right)} right: {tendency}. Confidence and accuracy "
            f"differ by {points(error)} (expected calibration error, bins of equal mass: {len(rows)}).")


def coverage(rows: Sequence[dict]) -> str:
    """What answering half of the pairs, the surest, gives."""
    if len(rows) == 1:
        return "It is as sure of every answer as of any other: there is nothing to choose by."
    whole, half = rows[0], min(rows, key=lambda row: abs(row["coverage"] - 0.5))
    said = (f"Answering only the surest {percent(half['coverage'], 0)} of the pairs gives {percent(half['accuracy'])} "
            f"instead of {percent(whole['accuracy'])}")
    if half["accuracy"] <= whole["accuracy"]:
        said += ", so its confidence does not tell right from wrong"
    return f"{said}; the prior is right on {percent(half['prior'])} of them." if "prior" in half else f"{said}."


def pairs(rows: Sequence[dict]) -> str:
    """On how many pairs of datasets it is above the prior, and where most and least is gained."""
    known = [row for row in rows if row.get("prior") is not None]
    if not known:
        return f"{len(rows)} pairs of datasets."
    gains = sorted(((row["accuracy"] - row["prior"], row) for row in known), key=lambda item: item[0])
    above, below = sum(gain > 0 for gain, _ in gains), sum(gain < 0 for gain, _ in gains)
    told = [f"{name} {row['pair']} ({signed(gain)} points, n {row['n']:,})"
            for name, (gain, row) in (("most is gained on", gains[-1]), ("least on", gains[0]))]
    return f"Above the prior on {above} of {len(known)} pairs of datasets, below on {below}; {', '.join(told)}."


def learning(log: Sequence[dict]) -> str:
    """Whether the loss fell, and how the accuracy on watched validation pairs went."""
    losses = [row["loss"] for row in log if "loss" in row]
    watched = [row for row in log if "validation_accuracy" in row]
    said = []
    if losses:
        tenth = max(1, len(losses) // 10)
        first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
        said.append(f"The training loss {'fell' if last < first else 'did not fall'} from {first:.3f} to {last:.3f} "
                    f"(means of the first and last tenth of {log[-1]['step']:,} steps)")
    if watched:
        best = max(watched, key=lambda row: row["validation_accuracy"])
        told = f" (n {best['n']:,})" if "n" in best else ""
        said.append(f"Accuracy on watched validation pairs went from {percent(watched[0]['validation_accuracy'])} to "
                    f"{percent(watched[-1]['validation_accuracy'])}, at best {percent(best['validation_accuracy'])} at "
                    f"step {best['step']:,}{told}")
    return ". ".join(said) + "."


def saving(lines: dict[str, Sequence[dict]]) -> str:
    """What the best policy that asks gives where half of the candidates, or the share nearest to it, are kept."""
    asked = {name: min(rows, key=lambda row: abs((row["keep"] or 0.5) - 0.5)) for name, rows in lines.items()
             if rows[0]["policy"] not in ("nop", "random", "oracle")}
    if not asked:
        return "No policy that asks was tried."
    name, best = min(asked.items(), key=lambda item: item[1]["regret_points"])
    keep = ("as few as the miss probability allowed" if best["keep"] is None
            else f"{percent(best['keep'], 0)} of the candidates")
    said = (f"Keeping {keep}, the best policy that asks ({name}) loses {best['regret_points']:.2f} accuracy points and "
            f"saves {percent(best['time_saved'])} of the training time, asking included")
    other = next((row for row in lines.get("random", ()) if row["keep"] == best["keep"]), None)
    return f"{said}; keeping as many at random loses {other['regret_points']:.2f}." if other else f"{said}."


def paper(result: dict) -> str:
    """The peak over the rounds beside the prior, its spread, and what luck alone would give."""
    peak = next(row for row in result["peaks"] if row["matching"] == "strict")
    verdict = "above" if peak["peak"] > result["prior"] else "not above"
    return (f"The best of {peak['rounds']} rounds is {percent(peak['peak'])} of {peak['n']} prompts, {verdict} the "
            f"prior's {percent(result['prior'])} on the same rows. With the prompts drawn anew the peak lies between "
            f"{percent(peak['peak_low'])} and {percent(peak['peak_high'])}; rounds that differ by luck alone would "
            f"peak at {percent(peak['peak_by_luck'])}. The last round gives {percent(peak['last'])}.")
