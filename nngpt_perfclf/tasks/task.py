"""A task: which recorded trials are compared. One YAML file each; its version grows when its meaning changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from nngpt_perfclf.files import read_yaml
from nngpt_perfclf.types import PerfclfError

BUILT_IN = tuple(sorted(Path(__file__).parent.glob("*.yaml")))


@dataclass(frozen=True)
class Task:
    """`name` and `version` identify it; `task`, `metric` and `datasets` are LEMUR's names of what is compared."""

    name: str
    version: int
    task: str
    metric: str
    datasets: tuple[str, ...]

    def __post_init__(self):
        if len(set(self.datasets)) < 2 or len(set(self.datasets)) != len(self.datasets):
            raise PerfclfError(f"task {self.name}: needs at least two datasets, each once, not {list(self.datasets)}")


def load_task(name_or_path: str | Path, extra: Iterable[Task | str | Path] | None = None) -> Task:
    """The task with that name, or of that YAML file.

    Names are those that installed plugins register, the built-in ones among them; with `extra` (Task objects or files)
    the built-in ones and those instead.

    Raises PerfclfError for an unknown name, naming the nearest, and for a file that is not a task.
    """
    if str(name_or_path).endswith((".yaml", ".yml")):
        return read_task(Path(name_or_path))
    from nngpt_perfclf.plugins import registered

    sources = registered("register_tasks") if extra is None else (*BUILT_IN, *extra)
    tasks = [task if isinstance(task, Task) else read_task(Path(task)) for task in sources]
    known = {task.name: task for task in tasks}
    if name_or_path not in known:
        near = difflib.get_close_matches(str(name_or_path), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise PerfclfError(f"unknown task {str(name_or_path)!r}{hint} (known: {', '.join(sorted(known))}; "
                           "or give a .yaml file)")
    return known[name_or_path]


def read_task(file: Path) -> Task:
    """The task of one YAML file. Raises PerfclfError for a missing or unknown key or a value of a wrong type."""
    content = read_yaml(file, "task file")
    wanted = [field.name for field in fields(Task)]
    if set(content) != set(wanted):
        raise PerfclfError(f"task file {file} must hold exactly the keys {', '.join(wanted)}")
    datasets, version = content["datasets"], content["version"]
    if not isinstance(version, int) or not isinstance(datasets, list) or not all(
            isinstance(word, str) for word in (*datasets, content["name"], content["task"], content["metric"])):
        raise PerfclfError(f"task file {file}: version must be a number, datasets a list, all else a name")
    return Task(**{**content, "datasets": tuple(datasets)})
