"""The picture of a replay: what is saved against what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_COLOURS = {"nop": "black", "random": "grey", "oracle": "tab:green", "prior": "tab:olive"}


def draw_tradeoff(rows: Sequence[dict], file: Path) -> None:
    """Mean over the targets: share of time saved (across) and regret in accuracy points (up), each with its interval;
    one line for each policy and adviser through the shares that it kept. The file's ending says the format."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines: dict[str, list[dict]] = {}
    for row in rows:
        if row["target"] == "all":
            alone = row["policy"] in _COLOURS
            lines.setdefault(row["policy"] if alone else f"{row['policy']}, {row['adviser']}", []).append(row)
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for label, points in lines.items():
        points = sorted(points, key=lambda row: row["time_saved"])
        axes.errorbar([100 * row["time_saved"] for row in points], [row["regret_points"] for row in points],
                      xerr=_error(points, "time_saved", 100), yerr=_error(points, "regret_points", 1), label=label,
                      color=_COLOURS.get(label), marker="o", markersize=4, linewidth=1.2, elinewidth=0.6, capsize=2)
        for row in points:
            keep = "by risk" if row["keep"] is None else f"{row['keep']:g}"
            axes.annotate(keep, (100 * row["time_saved"], row["regret_points"]), textcoords="offset points",
                          xytext=(4, 4), fontsize=7)
    axes.set(xlabel="training time saved, asking included (%)", ylabel="regret (accuracy points)",
             title="What pruning saves and what it costs (numbers: share of candidates kept)")
    axes.set_yscale("symlog", linthresh=0.5)
    axes.set_ylim(bottom=-0.05)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(file)
    pyplot.close(figure)


def _error(rows: Sequence[dict], name: str, scale: float) -> list[list[float]]:
    """Distances to the two bounds, never negative: a mean may lie outside its bootstrap interval."""
    return [[scale * max(0.0, row[name] - row[f"{name}_low"]) for row in rows],
            [scale * max(0.0, row[f"{name}_high"] - row[name]) for row in rows]]
