"""The report's pictures: inline SVG, readable at the width of a phone, in the page's own text colour."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from matplotlib import rc_context
from matplotlib.figure import Figure

_INK = "#010203"  # stands for the page's text colour, light or dark
COLOURS = ("#3b78d8", "#d9822b", "#2a9d6f", "#a05fc4", "#c94f6d", "#5c8a9e", "#8a7a3c", "#7a7a7a")
OURS, PRIOR, THIRD = COLOURS[:3]
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "nngpt-perfclf", "font.size": 10.5, "text.color": _INK,
    "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": _INK, "grid.alpha": 0.15,
    "legend.frameon": False, "lines.linewidth": 1.8,
}
WIDTH = 4.2  # inches: what a phone shows without scaling the text below nine points


def accuracies(rows: Sequence[dict]) -> str:
    """Every predictor of every evaluation with its interval; rows: `label`, accuracy, low, high, `colour`."""
    with _drawn(0.9 + 0.3 * len(rows)) as (axes, picture):
        for place, row in enumerate(rows):
            _whisker(axes, place, row, COLOURS[row["colour"]])
        _names(axes, [row["label"] for row in rows])
        axes.set_xlabel("accuracy (%), 95 % interval by group")
    return picture()


def by_dataset(rows: Sequence[dict]) -> str:
    """Accuracy by dataset with its interval, and the prior on the same pairs; rows as in `by_dataset`."""
    with _drawn(0.95 + 0.36 * len(rows)) as (axes, picture):
        for place, row in enumerate(rows):
            _whisker(axes, place, row, OURS, "adviser" if not place else None)
            if row.get("prior") is not None:
                axes.plot(100 * row["prior"], place, "|", ms=13, mew=2.5, color=PRIOR, label=None if place else "prior")
        _names(axes, [row["dataset"] for row in rows])
        axes.set_xlabel("accuracy (%)")
        _legend(axes)
    return picture()


def reliability(rows: Sequence[dict]) -> str:
    """How often answers of a confidence are right; rows: confidence, accuracy, low, high."""
    with _drawn(3.6) as (axes, picture):
        axes.plot([50, 100], [50, 100], "--", color=_INK, alpha=0.5, lw=1, label="as sure as right")
        x = [100 * row["confidence"] for row in rows]
        y = [100 * row["accuracy"] for row in rows]
        axes.errorbar(x, y, yerr=_errors(rows, "accuracy", "low", "high"), fmt="o-", ms=4, lw=1.4, elinewidth=0.9,
                      color=OURS, label="answers")
        axes.set(xlabel="confidence (%)", ylabel="right (%)")
        _legend(axes)
    return picture()


def coverage(rows: Sequence[dict]) -> str:
    """Accuracy of the surest answers against how many there are; rows: coverage, accuracy, low, high, prior."""
    with _drawn(3.6) as (axes, picture):
        x = [100 * row["coverage"] for row in rows]
        low, high = ([100 * row[name] for row in rows] for name in ("low", "high"))
        axes.fill_between(x, low, high, color=OURS, alpha=0.2, lw=0)
        mark = "o" if len(rows) == 1 else None
        axes.plot(x, [100 * row["accuracy"] for row in rows], marker=mark, color=OURS, label="adviser")
        if "prior" in rows[0]:
            axes.plot(x, [100 * row["prior"] for row in rows], "--", marker=mark, color=PRIOR,
                      label="prior, same pairs")
        axes.set(xlabel="share of pairs answered, the surest first (%)", ylabel="right (%)")
        axes.invert_xaxis()
        _legend(axes)
    return picture()


def pair_map(rows: Sequence[dict]) -> str:
    """Accuracy of each pair of datasets in a triangle, coloured by its distance from the prior; rows: `by_pair`."""
    from matplotlib.patches import Rectangle

    sides = [tuple(row["pair"].split(" / ")) for row in rows]
    names = sorted({name for pair in sides for name in pair})
    with _drawn(4.3) as (axes, picture):
        for (first, second), row in zip(sides, rows, strict=True):
            x, y = names.index(first), names.index(second) - 1
            gain = row["accuracy"] - row.get("prior", row["accuracy"])
            axes.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, lw=0.4, ec=_INK, fc=OURS if gain >= 0 else PRIOR,
                                     alpha=0.08 + min(0.6, 3 * abs(gain))))
            axes.text(x, y - 0.14, f"{100 * row['accuracy']:.0f}", ha="center", va="center", fontsize=10)
            axes.text(x, y + 0.24, f"{100 * gain:+.0f}".replace("-", "−"), ha="center", va="center", fontsize=7.5)
        axes.set(xlim=(-0.55, len(names) - 1.45), ylim=(len(names) - 1.45, -0.55), xticks=range(len(names) - 1),
                 yticks=range(len(names) - 1), yticklabels=names[1:])
        axes.set_xticklabels(names[:-1], rotation=35, ha="right")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return picture()


def learning(log: Sequence[dict]) -> str:
    """Training loss by step and, where it was watched, validation accuracy; rows of ``log.jsonl``."""
    losses = [row for row in log if "loss" in row]
    watched = [row for row in log if "validation_accuracy" in row]
    panels = [part for part in (losses, watched) if part]
    with _drawn(2.1 * len(panels) + 0.3, rows=len(panels)) as (axes, picture):
        panel = iter(axes if len(panels) > 1 else [axes])
        if losses:
            part = next(panel)
            steps, values = ([row[name] for row in losses] for name in ("step", "loss"))
            part.plot(steps, values, color=OURS, lw=0.8, alpha=0.45)
            part.plot(steps, _smooth(values), color=OURS)
            part.set_ylabel("training loss")
        if watched:
            part = next(panel)
            part.plot([row["step"] for row in watched], [100 * row["validation_accuracy"] for row in watched], "o-",
                      ms=4, color=THIRD)
            part.set_ylabel("validation (%)")
        part.set_xlabel("step")
    return picture()


def saving_regret(lines: dict[str, Sequence[dict]]) -> str:
    """Time saved against accuracy lost, a line through the kept shares for each policy and adviser."""
    with _drawn(4.2 + 0.2 * len(lines)) as (axes, picture):
        for place, (name, rows) in enumerate(lines.items()):
            rows = sorted(rows, key=lambda row: row["time_saved"])
            x, y = [100 * row["time_saved"] for row in rows], [row["regret_points"] for row in rows]
            axes.errorbar(x, y, xerr=_errors(rows, "time_saved", "time_saved_low", "time_saved_high"),
                          yerr=_errors(rows, "regret_points", "regret_points_low", "regret_points_high", 1),
                          marker="o", ms=4, lw=1.4, elinewidth=0.7, color=COLOURS[place % len(COLOURS)],
                          ls="-" if place < len(COLOURS) else "--", label=name)
        axes.set(xlabel="training time saved, asking included (%)", ylabel="regret (accuracy points)")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=-0.1)
        axes.set_yticks([0, 0.5, 1, 2, 5, 10, 20], ["0", "0.5", "1", "2", "5", "10", "20"])
        _legend(axes, columns=1 if len(lines) > 4 else 2)
    return picture()


def rounds(rows: Sequence[dict]) -> str:
    """Accuracy of generated answers by round, beside the prior on the same prompts."""
    with _drawn(3.3) as (axes, picture):
        x = [row["round"] for row in rows]
        axes.errorbar(x, [100 * row["accuracy"] for row in rows], yerr=_errors(rows, "accuracy", "low", "high"),
                      fmt="o-", ms=4, elinewidth=0.8, color=OURS, label="generated answers")
        axes.plot(x, [100 * row["prior"] for row in rows], "--", color=PRIOR, label="prior, same rows")
        axes.set(xlabel="round (0: before any fine-tuning)", ylabel="right (%)")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _legend(axes)
    return picture()


def score_accuracy(points: Sequence[dict]) -> str:
    """What trained candidates reached, by the score that they had before; points: `score`, `accuracy`, `target`."""
    targets = sorted({point["target"] for point in points})
    with _drawn(3.6 + 0.12 * len(targets)) as (axes, picture):
        for place, target in enumerate(targets):
            members = [point for point in points if point["target"] == target]
            axes.plot([point["score"] for point in members], [100 * point["accuracy"] for point in members], "o", ms=5,
                      alpha=0.75, color=COLOURS[place % len(COLOURS)], label=target)
        axes.set(xlabel="score before training", ylabel="accuracy (%)")
        _legend(axes)
    return picture()


def hours_saved(generations: Sequence[dict]) -> str:
    """Estimated hours saved, generation after generation; rows: `name`, `hours_saved` (None: not known)."""
    with _drawn(2.6) as (axes, picture):
        total, sums = 0.0, []
        for generation in generations:
            total += generation["hours_saved"] or 0.0
            sums.append(total)
        axes.plot(range(1, len(sums) + 1), sums, "o-", ms=4, color=OURS)
        axes.set(xlabel="generation", ylabel="hours saved, estimated")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=min(0.0, *sums))
    return picture()


@contextmanager
def _drawn(height: float, rows: int = 1) -> Iterator[tuple]:
    """Axes (an array of them for several `rows`) and the function that gives the finished picture."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure.subplots(rows, sharex=rows > 1), lambda: _svg(figure)


def _svg(figure: Figure) -> str:
    with rc_context(_STYLE):
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg"):].replace(_INK, "currentColor")


def _whisker(axes, place: int, row: dict, colour: str, label: str | None = None) -> None:
    if row.get("low") is not None:
        axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=colour, lw=2.2, alpha=0.45)
    axes.plot(100 * row["accuracy"], place, "o", ms=6, color=colour, label=label)


def _names(axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _legend(axes, columns: int = 2) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=9, borderaxespad=0.2)


def _errors(rows: Sequence[dict], name: str, low: str, high: str, scale: float = 100) -> list[list[float]] | None:
    """Distances to the bounds, never negative: a mean may lie outside its bootstrap interval."""
    if any(row.get(low) is None for row in rows):
        return None
    return [[scale * max(0.0, row[name] - row[low]) for row in rows],
            [scale * max(0.0, row[high] - row[name]) for row in rows]]


def _smooth(values: Sequence[float]) -> list[float]:
    """An exponential mean, so that the trend is seen through the noise of single steps."""
    import pandas as pd

    return pd.Series(values).ewm(span=max(2, len(values) // 15)).mean().tolist()
