"""Prompt templates: versioned YAML files, every field declared, every declared field used.

A prompt is read as system + prefix + question + option. The prefix depends on the network's code, and the epoch, alone,
so that it can be computed once for all questions about it. Every part that holds text ends with a newline, and an
option (the dataset's name) stands at the start of a line, as it does within the question: no tokenizer then merges the
text before a name with the name, and the name has the same tokens everywhere.

A template asks about both datasets of a pair (``ds_a``, ``ds_b``), and its options are their names, or about one side
at a time (``ds``), and its options are LEVELS.
"""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path

from nngpt_perfclf.code_view.view import View
from nngpt_perfclf.datasets.properties import DatasetProperties
from nngpt_perfclf.files import read_yaml
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.plugins import registered
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import PerfclfError, Question

FOLDER = Path(__file__).parent / "templates"
LEVELS = ("high", "low")
_SIDES = ("ds", "recipe", "images", "size", "channels", "classes")
_SHOWN = ("code", "network")  # what the prefix shows of the network: its code view, or its layers where it was built
KNOWN = (*_SHOWN, "epoch", *_SIDES, *(f"{field}_{side}" for side in "ab" for field in _SIDES))


@dataclass(frozen=True)
class Template:
    """How it is asked. `fields`: every ``{field}`` of the texts; `prefix` may use ``{code}`` or ``{network}``, and
    ``{epoch}``, alone.

    Raises PerfclfError where a field is used but not declared, declared but not used, or stands in the wrong part, and
    where a text does not end with a newline.
    """

    name: str
    version: int
    fields: tuple[str, ...]
    system: str
    prefix: str
    question: str

    def __post_init__(self) -> None:
        used = {part: _used(self, part) for part in ("system", "prefix", "question")}
        everywhere = set().union(*used.values())
        for problem, names in (
            ("undeclared field", everywhere - set(self.fields)),
            ("unused field", set(self.fields) - everywhere),
            ("only {code}, {network} and {epoch} may stand in the prefix, not", used["prefix"] - {*_SHOWN, "epoch"}),
            ("the code must stand in the prefix:", (used["system"] | used["question"]) & {*_SHOWN}),
            ("the prefix shows the network twice:", everywhere & {*_SHOWN} if everywhere >= {*_SHOWN} else ()),
            ("the system text takes no field:", used["system"]),
            ("the question must name", ({"ds"} if self.one_side else {"ds_a", "ds_b"}) - used["question"]),
            ("a question about one side (ds) cannot show",
             {f"{field}_{side}" for field in _SIDES for side in "ab"} & everywhere if self.one_side else ()),
            ("a question about two sides (ds_a, ds_b) cannot show", () if self.one_side else {*_SIDES} & everywhere),
        ):
            if names:
                raise PerfclfError(f"template {self.name}: {problem} {', '.join(sorted(names))}")
        for part in ("system", "prefix", "question"):
            text = getattr(self, part)
            if text and (not text.endswith("\n") or text.startswith("\n")):
                raise PerfclfError(f"template {self.name}: {part} must end with a newline and not begin with one")
        if not self.question:
            raise PerfclfError(f"template {self.name}: the question is empty")

    @property
    def extra(self) -> tuple[str, ...]:
        """The fields that neither a question nor the datasets' properties give."""
        return tuple(field for field in self.fields if field not in KNOWN)

    @property
    def reads_code(self) -> bool:
        return not {*_SHOWN}.isdisjoint(self.fields)

    @property
    def shows_layers(self) -> bool:
        """Whether a network that was built is shown by its layers."""
        return "network" in self.fields

    @property
    def one_side(self) -> bool:
        """Whether one side of a comparison is asked about at a time."""
        return "ds" in self.fields


@dataclass(frozen=True)
class Prompt:
    """A question in words: the full text is system + prefix + question + one of `options`."""

    system: str
    prefix: str
    question: str
    options: tuple[str, str]


def templates(extra: Iterable[Template | str | Path] | None = None) -> dict[str, Template]:
    """All templates that installed plugins register, the built-in ones among them, by name; with `extra` (templates,
    files or folders of them) the built-in ones and those instead.

    Raises PerfclfError for a name that stands twice.
    """
    sources = registered("register_prompts") if extra is None else (FOLDER, *extra)
    found: dict[str, Template] = {}
    for template in chain.from_iterable(map(_load, sources)):
        if template.name in found:
            raise PerfclfError(f"two prompt templates are named {template.name}; rename one")
        found[template.name] = template
    return found


def find_template(name: str) -> Template:
    """The registered template of this name; raises PerfclfError for an unknown one."""
    by_name = templates()
    if name not in by_name:
        raise PerfclfError(f"unknown template {name!r}{did_you_mean(name, by_name) or ';'} known: "
                           f"{', '.join(sorted(by_name))}")
    return by_name[name]


def load_template(path: str | Path) -> Template:
    """One template file. Raises PerfclfError for a missing or malformed one."""
    path = Path(path)
    content = read_yaml(path, "prompt template")
    wanted = [field.name for field in fields(Template)]
    if set(content) != set(wanted):
        raise PerfclfError(f"{path}: a template has exactly the keys {', '.join(wanted)}, not "
                           f"{', '.join(sorted(map(str, content)))}")
    if type(content["version"]) is not int:
        raise PerfclfError(f"{path}: version must be a whole number")
    if not isinstance(content["fields"], list) or not all(isinstance(field, str) for field in content["fields"]):
        raise PerfclfError(f"{path}: fields must be a list of names")
    if any(not isinstance(content[key], str) for key in ("name", "system", "prefix", "question")):
        raise PerfclfError(f"{path}: name, system, prefix and question must be texts")
    try:
        return Template(**{**content, "fields": tuple(content["fields"])})
    except PerfclfError as error:
        raise PerfclfError(f"{path}: {error}") from error


def render(template: Template, question: Question, datasets: Mapping[str, DatasetProperties], view: View | None = None,
           extra: Mapping[str, object] | None = None) -> Prompt:
    """The question in the template's words; `view`: of its code, needed where the template reads code; `extra`: values
    of fields that a question does not have, such as norm_a and norm_b (numbers print with four decimals). A template
    that asks about one side is rendered for the question's first one.

    Raises PerfclfError for the same dataset twice, an unknown dataset where its properties are asked for, and a field
    without a value or a value without a field.
    """
    if question.ds_a == question.ds_b:
        raise PerfclfError(f"the two datasets must differ, both are {question.ds_a}")
    extra = extra or {}
    if missing := sorted(set(template.extra) - extra.keys()):
        raise PerfclfError(f"template {template.name} needs a value for {', '.join(missing)}")
    if unused := sorted(extra.keys() - set(template.extra)):
        raise PerfclfError(f"template {template.name} has no field {', '.join(unused)}")
    if template.reads_code and view is None:
        raise PerfclfError(f"template {template.name} needs the code view of the network")
    asked = [field for field in template.fields if field in KNOWN and field not in _SHOWN]
    values = {field: _value(field, question, datasets) for field in asked}
    values |= {field: f"{value:.4f}" if isinstance(value, float) else str(value) for field, value in extra.items()}
    shown = dict.fromkeys(_SHOWN, view.text if view else "")
    prefix = template.prefix.format(**shown, epoch=question.epoch)
    options = LEVELS if template.one_side else (question.ds_a, question.ds_b)
    return Prompt(template.system, prefix, template.question.format(**values), options)


def _value(field: str, question: Question, datasets: Mapping[str, DatasetProperties]) -> object:
    if field == "epoch":
        return question.epoch
    kind, side = (field, "a") if field in _SIDES else (field[:-2], field[-1])
    dataset, recipe = (question.ds_a, question.recipe_a) if side == "a" else (question.ds_b, question.recipe_b)
    if kind == "ds":
        return dataset
    if kind == "recipe":
        return recipe_words(recipe)
    if dataset not in datasets:
        raise PerfclfError(f"unknown dataset {dataset}: give its properties in a file, datasets=FILE")
    return getattr(datasets[dataset], kind)


def _used(template: Template, part: str) -> set[str]:
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(getattr(template, part)) if name is not None]
    except ValueError as error:
        raise PerfclfError(f"template {template.name}: {part} is no format text: {error}") from error
    if bad := [name for name in found if not name.isidentifier()]:
        raise PerfclfError(f"template {template.name}: {part} holds {{{bad[0]}}}, which is no field name")
    return set(found)


def _load(source: Template | str | Path) -> list[Template]:
    if isinstance(source, Template):
        return [source]
    path = Path(source)
    if path.is_dir():
        return [load_template(file) for file in sorted(path.glob("*.yaml"))]
    return [load_template(path)]
