"""Questions from files: a network's source, and JSON lines with the fields of a Question."""

from __future__ import annotations

import difflib
import json
from dataclasses import fields
from pathlib import Path

from nngpt_perfclf.code_view.parsing import LARGEST
from nngpt_perfclf.types import PerfclfError, Question, Recipe

_RECIPE = {field.name: (str,) if field.name == "transform" else (int, float) for field in fields(Recipe)}
_FIELDS = {"net": (str,), "arch_code": (str,), "ds_a": (str,), "ds_b": (str,), "recipe_a": (dict,),
           "recipe_b": (dict,), "epoch": (int,)}


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


def read_question(line: bytes, folder: Path, epoch: int) -> Question:
    """The question of one JSON line; `folder`: from where its `net` is seen; `epoch`: where it states none.

    Raises PerfclfError for whatever is not such a line, naming the field.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PerfclfError(f"not a line of JSON: {error}") from error
    told = _checked(content, _FIELDS, "the question")
    if ("net" in told) == ("arch_code" in told):
        raise PerfclfError("the question needs either net or arch_code")
    for name in ("ds_a", "ds_b"):
        if name not in told:
            raise PerfclfError(f"the question has no {name}")
    code = told["arch_code"] if "arch_code" in told else read_network(folder / told["net"])
    return Question(code, told["ds_a"], told["ds_b"], _recipe(told, "recipe_a"), _recipe(told, "recipe_b"),
                    told.get("epoch", epoch))


def _recipe(told: dict, name: str) -> Recipe | None:
    return Recipe(**_checked(told[name], _RECIPE, name)) if name in told else None


def _checked(content: object, kinds: dict[str, tuple[type, ...]], what: str) -> dict:
    """The fields that are stated (not null), each of its kind; unknown ones are refused."""
    if not isinstance(content, dict):
        raise PerfclfError(f"{what} must be a JSON object, not {type(content).__name__}")
    for name, value in content.items():
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, n=1)
            raise PerfclfError(f"{what} has an unknown field {name}{f'; did you mean {near[0]}?' if near else ''}")
        if value is not None and type(value) not in kinds[name]:
            raise PerfclfError(f"{name} of {what} must be {' or '.join(kind.__name__ for kind in kinds[name])}, "
                               f"not {type(value).__name__}")
    return {name: value for name, value in content.items() if value is not None}
