"""What people see: results on standard output (tables, or JSON for machines), progress on standard error."""

import json
import sys
from collections.abc import Mapping

from nngpt_perfclf import processes


def show(result: Mapping, as_json: bool) -> None:
    """Print a verb's result: JSON on one line, or scalars as `name: value` and lists of rows as tables. Of several
    processes only the main one prints."""
    if not processes.is_main():
        return
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=str))
        return
    from rich.console import Console

    # A pipe has no width of its own, and a table cut to a narrow one would lose figures.
    console = Console(width=None if sys.stdout.isatty() else 300, soft_wrap=not sys.stdout.isatty())
    for name, value in result.items():
        if _is_rows(value):
            console.print(_table(name, value))
        elif isinstance(value, Mapping):
            console.print(_table(name, [{"": key, **(entry if isinstance(entry, Mapping) else {"value": entry})}
                                        for key, entry in value.items()]))
        else:
            console.print(f"{_words(name)}: {_cell(value)}", markup=False, highlight=False)


def progress():
    """A rich progress bar on standard error with the time that is left; silent where there is no terminal, since it
    would only fill a log with control characters."""
    from rich import console, progress

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(),
               progress.TimeElapsedColumn(), progress.TimeRemainingColumn())
    return progress.Progress(*columns, console=console.Console(stderr=True),
                             disable=not (sys.stderr.isatty() and processes.is_main()))


def say(text: str) -> None:
    """One line of news on standard error, from the main process."""
    if processes.is_main():
        print(text, file=sys.stderr, flush=True)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(title: str, rows: list[Mapping]):
    from rich import box
    from rich.table import Table

    rows = [_with_intervals(row) for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=_words(title), box=box.SIMPLE, title_justify="left", show_edge=False)
    for name in names:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        # Figures are never cut; their headings take several lines instead.
        heading = _words(name).replace(" ", "\n") if numeric else _words(name)
        whole = numeric or all(len(_cell(row.get(name))) <= 24 for row in rows)
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=whole)
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    return table


def _with_intervals(row: Mapping) -> dict:
    """A figure and the bounds of its interval, `<name>_low` and `<name>_high`, become one cell."""
    names = [name for name in row if f"{name}_low" in row and f"{name}_high" in row]
    bounds = {f"{name}_{end}" for name in names for end in ("low", "high")}
    bounded = {name for name in names if None not in (row[name], row[f"{name}_low"], row[f"{name}_high"])}
    return {name: f"{value:.3g} [{row[f'{name}_low']:.2g}, {row[f'{name}_high']:.2g}]" if name in bounded else value
            for name, value in row.items() if name not in bounds}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "–"
    return str(value)
