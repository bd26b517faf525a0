"""What each configuration key means: its type from the schema, default and meaning from the commented YAML files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

from nngpt_perfclf.config.loading import GROUPS, conf_folder
from nngpt_perfclf.config.schema import Config

_LINE = re.compile(r"^(?P<indent> *)(?P<name>[a-z_]\w*):(?P<value>[^#]*?)\s*(?:#\s*(?P<meaning>.*))?$")
_MORE = re.compile(r"^ +#\s*(?P<meaning>.*)$")
# Which file of a group is shown; its keys depend on the one that is picked.
_SHOWN = {"model": "gemma-3-270m", "loop": "replay"}


@dataclass(frozen=True)
class Key:
    """One configuration key with its dotted `name`."""

    name: str
    type: str
    default: str
    meaning: str


def keys(prefixes: Sequence[str]) -> list[Key]:
    """The keys that are one of `prefixes` or below it, in the order of the configuration file."""
    types = dict(_types(Config, ""))
    found = list(_read(conf_folder() / "perfclf.yaml", ""))
    for group in GROUPS:
        if any(prefix == group or prefix.startswith(f"{group}.") for prefix in prefixes):
            found += _read(conf_folder() / group / f"{_SHOWN[group]}.yaml", f"{group}.")
    chosen = [(name, default, meaning) for name, default, meaning in found
              if name in prefixes or any(name.startswith(f"{prefix}.") for prefix in prefixes)]
    return [Key(name, types.get(name, "name or file"), default, meaning) for name, default, meaning in chosen
            if name in types or name in GROUPS]


def _read(file: Path, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of each key of a commented YAML file with at most one level of groups."""
    group, rows = "", []
    for line in file.read_text(encoding="utf-8").splitlines():
        if match := _LINE.match(line):
            if not match["indent"]:
                group = ""
            if not match["indent"] and not match["value"].strip():
                group = f"{match['name']}."
                continue
            rows.append([prefix + group + match["name"], match["value"].strip(), match["meaning"] or ""])
        elif rows and (match := _MORE.match(line)):
            rows[-1][2] = f"{rows[-1][2]} {match['meaning']}".strip()
    yield from (tuple(row) for row in rows)


def _types(kind: type, prefix: str) -> Iterator[tuple[str, str]]:
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            yield from _types(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _word(hint)


def _word(hint: object) -> str:
    """A type in words: ``number or null``, ``list of names``, or the choices of a Literal."""
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join("null" if part is NoneType else _word(part) for part in get_args(hint))
    if get_origin(hint) is tuple:
        return f"list, each {_word(get_args(hint)[0])}"
    return {str: "name", int: "whole number", float: "number", bool: "true | false"}.get(hint, str(hint))
