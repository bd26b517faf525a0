"""A task: the recorded trials that are compared, defined in a versioned YAML file."""

from dataclasses import dataclass, fields
from pathlib import Path

from nngpt_perfclf.files import read_yaml
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.plugins import registered
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


def load_task(name_or_path: str | Path) -> Task:
    """The task of this YAML file, or of a name that installed plugins register, the built-in one included. Raises
    PerfclfError for an unknown name, with the nearest known one, and for an invalid file."""
    if str(name_or_path).endswith((".yaml", ".yml")):
        return read_task(Path(name_or_path))
    tasks = [task if isinstance(task, Task) else read_task(Path(task)) for task in registered("register_tasks")]
    by_name = {task.name: task for task in tasks}
    if name_or_path not in by_name:
        raise PerfclfError(f"unknown task {str(name_or_path)!r}{did_you_mean(str(name_or_path), by_name)}; known: "
                           f"{', '.join(sorted(by_name))}, or a .yaml file")
    return by_name[name_or_path]


def read_task(file: Path) -> Task:
    """The task of one YAML file. Raises PerfclfError for a missing or unknown key or a value of a wrong type."""
    content = read_yaml(file, "task file")
    wanted = [field.name for field in fields(Task)]
    if set(content) != set(wanted):
        raise PerfclfError(f"task file {file} must hold exactly the keys {', '.join(wanted)}")
    datasets, version = content["datasets"], content["version"]
    if not isinstance(version, int) or not isinstance(datasets, list) or not all(
            isinstance(word, str) for word in (*datasets, content["name"], content["task"], content["metric"])):
        raise PerfclfError(f"task file {file}: version must be a number, datasets a list of names, all else a name")
    return Task(**{**content, "datasets": tuple(datasets)})
