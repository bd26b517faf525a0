"""The report's plots: inline SVG in the page's text colour, readable at the width of a phone."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

_INK = "#010203"  # replaced by the page's text colour, light or dark
COLOURS = ("#3b78d8", "#d9822b", "#2a9d6f", "#a05fc4", "#c94f6d", "#5c8a9e", "#8a7a3c", "#7a7a7a")
ADVISER, BASELINE, VALIDATION = COLOURS[:3]
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "nngpt-perfclf", "font.size": 10.5, "text.color": _INK,
    "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": _INK, "grid.alpha": 0.15,
    "legend.frameon": False, "lines.linewidth": 1.8,
}
WIDTH = 4.2  # inches: on a phone the text stays above nine points


def accuracies(rows: Sequence[dict]) -> str:
    """Accuracy of each predictor with its interval; rows: `label`, accuracy, low, high, `colour`."""
    lines = 1 + max(row["label"].count("\n") for row in rows)
    with _drawn(0.9 + (0.13 + 0.17 * lines) * len(rows)) as (axes, svg):
        for y, row in enumerate(rows):
            _whisker(axes, y, row, COLOURS[row["colour"]])
        _names(axes, [row["label"] for row in rows])
        axes.set_xlabel("accuracy (%)")
    return svg()


def by_dataset(rows: Sequence[dict]) -> str:
    """Accuracy by dataset with its interval, and the majority baseline on the same pairs; rows: `by_dataset`."""
    with _drawn(0.95 + 0.36 * len(rows)) as (axes, svg):
        for y, row in enumerate(rows):
            _whisker(axes, y, row, ADVISER, None if y else "adviser")
            if row.get("prior") is not None:
                axes.plot(100 * row["prior"], y, "|", ms=13, mew=2.5, color=BASELINE,
                          label=None if y else "majority baseline")
        _names(axes, [row["dataset"] for row in rows])
        axes.set_xlabel("accuracy (%)")
        _legend(axes)
    return svg()


def reliability(rows: Sequence[dict]) -> str:
    """Accuracy against confidence; rows: confidence, accuracy, low, high."""
    with _drawn(3.6) as (axes, svg):
        axes.plot([50, 100], [50, 100], "--", color=_INK, alpha=0.5, lw=1, label="perfect calibration")
        x = [100 * row["confidence"] for row in rows]
        y = [100 * row["accuracy"] for row in rows]
        axes.errorbar(x, y, yerr=_errors(rows, "accuracy", "low", "high"), fmt="o-", ms=4, lw=1.4, elinewidth=0.9,
                      color=ADVISER, label="adviser")
        axes.set(xlabel="confidence (%)", ylabel="accuracy (%)")
        _legend(axes)
    return svg()


def coverage(rows: Sequence[dict]) -> str:
    """Accuracy of the most confident answers against their share; rows: coverage, accuracy, low, high, prior."""
    with _drawn(3.6) as (axes, svg):
        x = [100 * row["coverage"] for row in rows]
        low, high = ([100 * row[name] for row in rows] for name in ("low", "high"))
        axes.fill_between(x, low, high, color=ADVISER, alpha=0.2, lw=0)
        mark = "o" if len(rows) == 1 else None
        axes.plot(x, [100 * row["accuracy"] for row in rows], marker=mark, color=ADVISER, label="adviser")
        if "prior" in rows[0]:
            axes.plot(x, [100 * row["prior"] for row in rows], "--", marker=mark, color=BASELINE,
                      label="majority baseline")
        axes.set(xlabel="pairs answered, most confident first (%)", ylabel="accuracy (%)")
        axes.invert_xaxis()
        _legend(axes)
    return svg()


def pair_map(rows: Sequence[dict]) -> str:
    """Accuracy of each pair of datasets, coloured by its difference from the majority baseline; rows: `by_pair`."""
    sides = [tuple(row["pair"].split(" / ")) for row in rows]
    names = sorted({name for pair in sides for name in pair})
    with _drawn(4.3) as (axes, svg):
        for (first, second), row in zip(sides, rows, strict=True):
            x, y = names.index(first), names.index(second) - 1
            gain = row["accuracy"] - row.get("prior", row["accuracy"])
            axes.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, lw=0.4, ec=_INK,
                                     fc=ADVISER if gain >= 0 else BASELINE, alpha=0.08 + min(0.6, 3 * abs(gain))))
            axes.text(x, y - 0.14, f"{100 * row['accuracy']:.0f}", ha="center", va="center", fontsize=10)
            axes.text(x, y + 0.24, f"{100 * gain:+.0f}".replace("-", "−"), ha="center", va="center", fontsize=7.5)
        axes.set(xlim=(-0.55, len(names) - 1.45), ylim=(len(names) - 1.45, -0.55), xticks=range(len(names) - 1),
                 yticks=range(len(names) - 1), yticklabels=names[1:])
        axes.set_xticklabels(names[:-1], rotation=35, ha="right")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return svg()


def learning(log: Sequence[dict]) -> str:
    """Training loss and validation accuracy by step; rows of ``log.jsonl``."""
    losses = [row for row in log if "loss" in row]
    validated = [row for row in log if "validation_accuracy" in row]
    panels = [part for part in (losses, validated) if part]
    with _drawn(2.1 * len(panels) + 0.3, rows=len(panels)) as (axes, svg):
        panel = iter(axes if len(panels) > 1 else [axes])
        if losses:
            part = next(panel)
            steps, values = ([row[name] for row in losses] for name in ("step", "loss"))
            part.plot(steps, values, color=ADVISER, lw=0.8, alpha=0.45)
            part.plot(steps, _smooth(values), color=ADVISER)
            part.set_ylabel("training loss")
        if validated:
            part = next(panel)
            part.plot([row["step"] for row in validated], [100 * row["validation_accuracy"] for row in validated], "o-",
                      ms=4, color=VALIDATION)
            part.set_ylabel("validation accuracy (%)")
        part.set_xlabel("step")
    return svg()


def saving_regret(lines: dict[str, Sequence[dict]]) -> str:
    """Regret against time saved: for each policy and adviser a line through the shares kept."""
    with _drawn(4.2 + 0.2 * len(lines)) as (axes, svg):
        for number, (name, rows) in enumerate(lines.items()):
            rows = sorted(rows, key=lambda row: row["time_saved"])
            x, y = [100 * row["time_saved"] for row in rows], [row["regret_points"] for row in rows]
            axes.errorbar(x, y, xerr=_errors(rows, "time_saved", "time_saved_low", "time_saved_high"),
                          yerr=_errors(rows, "regret_points", "regret_points_low", "regret_points_high", 1),
                          marker="o", ms=4, lw=1.4, elinewidth=0.7, color=COLOURS[number % len(COLOURS)],
                          ls="-" if number < len(COLOURS) else "--", label=name)
        axes.set(xlabel="training time saved, less time for asking (%)", ylabel="regret (accuracy points)")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=-0.1)
        axes.set_yticks([0, 0.5, 1, 2, 5, 10, 20], ["0", "0.5", "1", "2", "5", "10", "20"])
        _legend(axes, columns=1 if len(lines) > 4 else 2)
    return svg()


def outcomes(rows: Sequence[dict]) -> str:
    """Pairs right on both labels against the number of outcomes, by whose outcomes they are."""
    with _drawn(3.8) as (axes, svg):
        for number, label in enumerate(("normalized", "rank")):
            for policy in dict.fromkeys(row["policy"] for row in rows):
                chosen = [row for row in rows if row["policy"] == policy]
                axes.errorbar([row["outcomes"] for row in chosen], [100 * row[f"{label}_right"] for row in chosen],
                              yerr=_errors(chosen, f"{label}_right", f"{label}_right_low", f"{label}_right_high"),
                              fmt="o-" if policy == "random" else "s--", ms=4, elinewidth=0.7, color=COLOURS[number],
                              label=f"{label}, {'random' if policy == 'random' else 'the loop itself'}")
        axes.set(xlabel="outcomes that the adviser was told", ylabel="pairs right (%)")
        axes.set_xscale("symlog", linthresh=1)
        places = sorted({row["outcomes"] for row in rows})
        axes.set_xticks(places, [str(place) for place in places])
        _legend(axes)
    return svg()


def rounds(rows: Sequence[dict]) -> str:
    """Accuracy of generated answers by round, and the majority baseline on the same prompts."""
    with _drawn(3.3) as (axes, svg):
        x = [row["round"] for row in rows]
        axes.errorbar(x, [100 * row["accuracy"] for row in rows], yerr=_errors(rows, "accuracy", "low", "high"),
                      fmt="o-", ms=4, elinewidth=0.8, color=ADVISER, label="generated answers")
        axes.plot(x, [100 * row["prior"] for row in rows], "--", color=BASELINE, label="majority baseline")
        axes.set(xlabel="round (0: before fine-tuning)", ylabel="accuracy (%)")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _legend(axes)
    return svg()


def score_accuracy(points: Sequence[dict]) -> str:
    """What trained candidates reached, by the score that they had before; points: `score`, `accuracy`, `target`."""
    targets = sorted({point["target"] for point in points})
    with _drawn(3.6 + 0.12 * len(targets)) as (axes, svg):
        for place, target in enumerate(targets):
            members = [point for point in points if point["target"] == target]
            axes.plot([point["score"] for point in members], [100 * point["accuracy"] for point in members], "o", ms=5,
                      alpha=0.75, color=COLOURS[place % len(COLOURS)], label=target)
        axes.set(xlabel="score before training", ylabel="accuracy (%)")
        _legend(axes)
    return svg()


def hours_saved(generations: Sequence[dict]) -> str:
    """Estimated hours saved, generation after generation; rows: `name`, `hours_saved` (None: not known)."""
    with _drawn(2.6) as (axes, svg):
        total, sums = 0.0, []
        for generation in generations:
            total += generation["hours_saved"] or 0.0
            sums.append(total)
        axes.plot(range(1, len(sums) + 1), sums, "o-", ms=4, color=ADVISER)
        axes.set(xlabel="generation", ylabel="hours saved, estimated")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=min(0.0, *sums))
    return svg()


@contextmanager
def _drawn(height: float, rows: int = 1) -> Iterator[tuple]:
    """Axes (an array of them for several `rows`) and the function that renders them as SVG."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure.subplots(rows, sharex=rows > 1), lambda: _svg(figure)


def _svg(figure: Figure) -> str:
    with rc_context(_STYLE):
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg"):].replace(_INK, "currentColor")


def _whisker(axes, y: int, row: dict, colour: str, label: str | None = None) -> None:
    if row.get("low") is not None:
        axes.plot([100 * row["low"], 100 * row["high"]], [y, y], color=colour, lw=2.2, alpha=0.45)
    axes.plot(100 * row["accuracy"], y, "o", ms=6, color=colour, label=label)


def _names(axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _legend(axes, columns: int = 2) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=9, borderaxespad=0.2)


def _errors(rows: Sequence[dict], name: str, low: str, high: str, scale: float = 100) -> list[list[float]] | None:
    """Distances to the bounds; 0 where the mean lies outside its bootstrap interval."""
    if any(row.get(low) is None for row in rows):
        return None
    return [[scale * max(0.0, row[name] - row[low]) for row in rows],
            [scale * max(0.0, row[high] - row[name]) for row in rows]]


def _smooth(values: Sequence[float]) -> list[float]:
    """An exponentially weighted mean."""
    return pd.Series(values).ewm(span=max(2, len(values) // 15)).mean().tolist()
