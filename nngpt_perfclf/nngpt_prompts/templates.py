"""NNGPT's JSON prompt templates, read from where NNGPT is installed and rendered to the same strings.

The rules are those of ``ab/gpt/util/prompt/NNGenPrompt.py`` (train) and ``nn_gen`` in ``ab/gpt/util/Tune.py`` (test).
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nngpt_perfclf.nngpt_prompts.formulas import fill_formulas
from nngpt_perfclf.types import PerfclfError


@dataclass(frozen=True)
class NngptPrompt:
    """A rendered template. `system` is "" where the template has none; `completion` is None in the test form."""

    system: str
    user: str
    completion: str | None


@dataclass(frozen=True)
class NngptTemplate:
    """One entry of a file: its `key` and its configuration as it stands there."""

    key: str
    config: Mapping[str, Any]

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that a row must have, besides those that only the output names."""
        return tuple(dict.fromkeys(entry["value"] for entry in self.config["input_list"]))

    def render(self, row: Mapping[str, Any], form: Literal["train", "test"] = "train") -> NngptPrompt:
        """The texts for one row (a mapping or a pandas Series with NNGPT's columns and nn_code).

        train: lines joined by newlines, formulas worked out, a column that is missing said so in the text. test: a
        newline after every line, a missing column is an error, no completion. `nn_code_max_chars` cuts nn_code in both.
        Raises PerfclfError for a form that does not exist and for a placeholder without a value.
        """
        if form not in ("train", "test"):
            raise PerfclfError(f"unknown form {form!r} of an NNGPT prompt; known: train, test")
        system = "\n".join(self.config.get("system", []))
        if form == "test":
            lines = "".join(f"{line}\n" for line in self.config["prompt"])
            return NngptPrompt(system, self._formatted(lines, self._values(row, self._strict)), None)
        values = self._values(row, self._lenient)
        output = self._output()
        if self.config.get("output_type") == "classification":
            values |= {name: row[name] for name in row.keys()  # noqa: SIM118 (a Series iterates over values)
                       if f"{{{name}}}" in output and name not in values}
        user = fill_formulas(self._formatted("\n".join(self.config["prompt"]), values), values)
        return NngptPrompt(system, user, fill_formulas(self._completion(output, values), values))

    def _values(self, row: Mapping[str, Any], column) -> dict[str, Any]:
        values = {entry["para"]: column(row, entry["value"]) for entry in self.config["input_list"]}
        most = self.config.get("nn_code_max_chars")
        if most and isinstance(values.get("nn_code"), str):
            values["nn_code"] = values["nn_code"][:most]
        return values

    def _strict(self, row: Mapping[str, Any], name: str) -> Any:
        if name not in row:
            raise PerfclfError(f"NNGPT template {self.key}: the row has no column {name}")
        return row[name]

    @staticmethod
    def _lenient(row: Mapping[str, Any], name: str) -> Any:
        other = {"model_name": "nn", "nn": "model_name"}.get(name)
        if name not in row and other in row:
            return row[other]
        return row.get(name, f"Missing: {name}")

    def _output(self) -> str:
        if "output" not in self.config:
            raise PerfclfError(f"NNGPT template {self.key} has no output to train on; render its test form")
        return "\n".join(self.config["output"])

    def _completion(self, output: str, values: Mapping[str, Any]) -> str:
        if not (self.config.get("use_delta") or "delta" in self.key.lower()) \
                or not {"addon_nn_code", "nn_code"} <= values.keys():
            return self._formatted(output, values)
        try:
            text = output.format(**values)
        except KeyError:
            text = output
            for name, value in values.items():
                text = text.replace(f"{{{name}}}", str(value))
        return text.replace("{computed_delta}", _difference(values["nn_code"], values["addon_nn_code"]))

    def _formatted(self, text: str, values: Mapping[str, Any]) -> str:
        try:
            return text.format(**values)
        except (KeyError, IndexError) as error:
            raise PerfclfError(f"NNGPT template {self.key}: no value for the placeholder {error}") from error
        except (ValueError, AttributeError, TypeError) as error:
            raise PerfclfError(f"NNGPT template {self.key}: the text cannot be filled in: {error}") from error


def load_nngpt(path: str | Path) -> dict[str, NngptTemplate]:
    """The prompt templates of one of NNGPT's JSON files by key; entries that are no prompts (rules, snippets) are left
    out. Raises PerfclfError for a missing file, one that is no JSON object, or one that holds no prompt."""
    path = Path(path)
    if not path.is_file():
        raise PerfclfError(f"no NNGPT prompt file {path}; NNGPT keeps its own in ab/gpt/conf/prompt")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise PerfclfError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise PerfclfError(f"{path} must hold a JSON object of prompts")
    found = {key: _template(path, key, entry) for key, entry in content.items()
             if isinstance(entry, dict) and "prompt" in entry}
    if not found:
        raise PerfclfError(f"{path} holds no prompt: no entry with the key prompt")
    return found


def _template(path: Path, key: str, entry: dict[str, Any]) -> NngptTemplate:
    for name in ("prompt", "system", "output"):
        lines = entry.get(name, [])
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise PerfclfError(f"{path}: {key}: {name} must be a list of lines")
    inputs = entry.get("input_list")
    if not isinstance(inputs, list) or not all(
            isinstance(pair, dict) and isinstance(pair.get("para"), str) and isinstance(pair.get("value"), str)
            for pair in inputs):
        raise PerfclfError(f"{path}: {key}: input_list must be a list of para and value")
    most = entry.get("nn_code_max_chars")
    if most is not None and type(most) is not int:
        raise PerfclfError(f"{path}: {key}: nn_code_max_chars must be a whole number")
    return NngptTemplate(key, entry)


def _difference(before: str, after: str) -> str:
    if not before or not after:
        return ""
    lines = before.splitlines(), after.splitlines()
    return "\n".join(difflib.unified_diff(*lines, "baseline.py", "improved.py", lineterm="", n=3))
