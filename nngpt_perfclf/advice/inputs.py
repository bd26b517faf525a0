"""What is asked about, from files: a network's source, JSON lines of questions or candidates, and outcomes as JSON
lines or from the run database of a loop."""

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from nngpt_perfclf.code_view.parsing import LARGEST
from nngpt_perfclf.config import RecipeConfig
from nngpt_perfclf.console import say
from nngpt_perfclf.databases import check
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Question, Recipe

_RECIPE = {field.name: (str,) if field.name == "transform" else (int, float) for field in fields(Recipe)}
_FIELDS = {"net": (str,), "arch_code": (str,), "ds_a": (str,), "ds_b": (str,), "recipe_a": (dict,),
           "recipe_b": (dict,), "epoch": (int,)}
_CANDIDATE = {"name": (str,), "net": (str,), "arch_code": (str,), "recipe": (dict,)}
_OBSERVATION = {**_CANDIDATE, "dataset": (str,), "accuracy": (int, float), "epoch": (int,), "seconds": (int, float)}

# Datasets with their observations, and complaints about lines that hold none.
Found = tuple[list[tuple[str, Observation]], list[str]]


def read_network(file: Path) -> str:
    """The source of a network; raises PerfclfError where the file is missing, empty, too large or no text in UTF-8."""
    try:
        if not file.is_file():
            raise PerfclfError(f"{file} is a folder, not a network's file" if file.is_dir() else f"no file {file}")
        if (size := file.stat().st_size) > 4 * LARGEST:  # a character takes at most four bytes
            raise PerfclfError(f"{file} has {size:,} bytes: a network's code has at most {LARGEST:,} characters")
        code = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PerfclfError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PerfclfError(f"{file} is not text in UTF-8: {error.reason} at byte {error.start}") from error
    if not code.strip():
        raise PerfclfError(f"{file} is empty")
    return code


def read_question(line: bytes, folder: Path, epoch: int, default_a: Recipe | None = None,
                  default_b: Recipe | None = None) -> Question:
    """The question of one JSON line; `folder`: to which its `net` is relative; `epoch` and the recipes: where it states
    none.

    Raises PerfclfError for whatever is not such a line, naming the field.
    """
    entry = _checked(_parsed(line), _FIELDS, "the question")
    for name in ("ds_a", "ds_b"):
        if name not in entry:
            raise PerfclfError(f"the question has no {name}")
    return Question(_code(entry, folder, "the question"), entry["ds_a"], entry["ds_b"],
                    _recipe(entry, "recipe_a", default_a), _recipe(entry, "recipe_b", default_b),
                    entry.get("epoch", epoch))


def read_candidate(line: bytes, file: Path, number: int, default: Recipe) -> Candidate:
    """The candidate in line `number` of `file`; `default`: its recipe where it states none.

    Raises PerfclfError for whatever is not such a line, naming the line and the field.
    """
    try:
        return _candidate(_checked(_parsed(line), _CANDIDATE, "the candidate"), file, number, default)
    except PerfclfError as error:
        raise PerfclfError(f"{file}, line {number}: {error}") from error


def read_observation(line: bytes, file: Path, number: int, default: Recipe, epoch: int,
                     target: str | None = None) -> tuple[str, Observation]:
    """The dataset and the outcome in line `number` of `file`: the fields of a candidate, `accuracy`, `dataset` (by
    default `target`), `epoch` (by default `epoch`) and the `seconds` of its training.

    Raises PerfclfError for whatever is not such a line, naming the line and the field.
    """
    try:
        entry = _checked(_parsed(line), _OBSERVATION, "the outcome")
        if "accuracy" not in entry:
            raise PerfclfError("the outcome has no accuracy")
        dataset = entry.get("dataset", target)
        if dataset is None:
            raise PerfclfError("the outcome has no dataset")
        candidate = _candidate(entry, file, number, default)
        return dataset, Observation(candidate, float(entry["accuracy"]), entry.get("epoch", epoch), _seconds(entry))
    except PerfclfError as error:
        raise PerfclfError(f"{file}, line {number}: {error}") from error


def read_outcomes(file: Path, epoch: int, target: str | None = None) -> dict[str, list[Observation]]:
    """The outcomes in a file, by dataset: JSON lines (`name`, `arch_code` or `net`, `recipe`, `accuracy`, `dataset`,
    `epoch`, `seconds`), or the run database of a loop (.sqlite). `target`: the dataset of lines that name none.

    A line that cannot be read is reported in one line on standard error and costs no other. Raises PerfclfError for a
    file that is missing or is neither.
    """
    if not file.is_file():
        raise PerfclfError(f"no file of outcomes {file}")
    found, complaints = _from_database(file) if file.suffix == ".sqlite" else _from_lines(file, epoch, target)
    for complaint in complaints:
        say(complaint)
    by_dataset: dict[str, list[Observation]] = {}
    for dataset, entry in found:
        by_dataset.setdefault(dataset, []).append(entry)
    return by_dataset


def _from_lines(file: Path, epoch: int, target: str | None) -> Found:
    found, complaints = [], []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(read_observation(line, file, number, Recipe(), epoch, target))
        except PerfclfError as error:
            complaints.append(str(error))
    return found, complaints


def _from_database(file: Path) -> Found:
    columns = "dataset, nn, epoch, accuracy, duration, lr, momentum, batch, dropout, transform, code"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            check(connection, file, "a run database of a loop")
            rows = connection.execute(f"SELECT {columns} FROM trial ORDER BY trial").fetchall()
    except sqlite3.DatabaseError as error:
        raise PerfclfError(f"{file} is not a run database of a loop: {str(error).splitlines()[0]}") from error
    return [(dataset, Observation(Candidate(name, code, Recipe(lr, momentum, batch, dropout, transform)), accuracy,
                                  epoch, duration))
            for dataset, name, epoch, accuracy, duration, lr, momentum, batch, dropout, transform, code in rows], []


def _candidate(entry: dict, file: Path, number: int, default: Recipe) -> Candidate:
    recipe = _recipe(entry, "recipe", default)
    recipe_words(recipe)
    name = entry.get("name") or entry.get("net") or f"{file.name}:{number}"
    return Candidate(name, _code(entry, file.parent, "the candidate"), recipe)


def _seconds(entry: dict) -> float | None:
    seconds = entry.get("seconds")
    if seconds is not None and not 0 < seconds < math.inf:
        raise PerfclfError(f"seconds must be a positive number, not {seconds}")
    return seconds


def recipe_of(config: RecipeConfig) -> Recipe:
    """The recipe of `recipe.*` words; raises PerfclfError for numbers that are no recipe."""
    recipe = Recipe(config.lr, config.momentum, config.batch, config.dropout, config.transform)
    recipe_words(recipe)
    return recipe


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PerfclfError(f"not a line of JSON: {error}") from error


def _code(entry: dict, folder: Path, what: str) -> str:
    if ("net" in entry) == ("arch_code" in entry):
        raise PerfclfError(f"{what} needs either net or arch_code")
    return entry["arch_code"] if "arch_code" in entry else read_network(folder / entry["net"])


def _recipe(entry: dict, name: str, default: Recipe | None) -> Recipe | None:
    return Recipe(**_checked(entry[name], _RECIPE, name)) if name in entry else default


def _checked(content: object, kinds: dict[str, tuple[type, ...]], what: str) -> dict:
    """The fields that are stated (not null), each of its kind; unknown ones are refused."""
    if not isinstance(content, dict):
        raise PerfclfError(f"{what} must be a JSON object, not {type(content).__name__}")
    for name, value in content.items():
        if name not in kinds:
            raise PerfclfError(f"{what} has an unknown field {name}{did_you_mean(name, kinds)}")
        if value is not None and type(value) not in kinds[name]:
            raise PerfclfError(f"{name} of {what} must be {' or '.join(kind.__name__ for kind in kinds[name])}, "
                               f"not {type(value).__name__}")
    return {name: value for name, value in content.items() if value is not None}
