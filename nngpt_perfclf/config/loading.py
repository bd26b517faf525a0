"""From files and `key=value` words to a checked configuration.

An override of a group's whole name picks a file: ``model=gemma-3-270m`` reads ``conf/model/gemma-3-270m.yaml``. A file
for `loop` states only what differs from ``conf/loop/replay.yaml``.
A protocol is such a file of overrides for the whole configuration.
"""

import os
from dataclasses import asdict, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nngpt_perfclf.config.renamed import fate_of
from nngpt_perfclf.config.schema import Config
from nngpt_perfclf.files import read_yaml
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.plugins import registered
from nngpt_perfclf.types import PerfclfError

GROUPS = ("model", "loop")
_ADVISER = {"source": "adviser", "packages": [], "file": None, "sha256": None, "location": None, "parameters": "",
            "licence": "", "chat": False}


def home() -> Path:
    """The cache folder: ``NNGPT_PERFCLF_HOME``, or ``nngpt_perfclf`` in the user's cache folder."""
    given = os.environ.get("NNGPT_PERFCLF_HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(cache) / "nngpt_perfclf"


def conf_folder() -> Path:
    """The folder of configuration files: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "perfclf.yaml").is_file():
            return folder
    raise PerfclfError(f"no conf/perfclf.yaml next to or inside {package}: install the package again")


def load_config(file: str | Path | None = None, overrides: list[str] | tuple[str, ...] = (),
                values: dict | None = None) -> Config:
    """The defaults, then `values` (nested, as a run folder records them), `file`, `overrides` ("key=value").

    Raises PerfclfError for a missing file, an unknown key (naming the nearest known one), a key or value that was
    renamed (naming the new one) or a value of a wrong type.
    """
    layers = [] if values is None else [values]
    if file is not None:
        layers.append(_from_file(Path(file)))
    pairs = [_split(word) for word in overrides]
    layers += [load_choice("protocol", value) for key, value in pairs if key == "protocol"]
    # A protocol may itself pick a model; what the user picks is merged after it and wins.
    chosen = [{key: value} for key, value in pairs if key != "protocol" and key in GROUPS]
    dotted = [word for word, (key, _) in zip(overrides, pairs, strict=True) if key not in ("protocol", *GROUPS)]
    try:
        layers += [*chosen, OmegaConf.to_container(OmegaConf.from_dotlist(dotted))]
        merged = OmegaConf.merge(_defaults(conf_folder() / "perfclf.yaml"), *map(_checked, layers))
        if missing := OmegaConf.missing_keys(merged):
            raise PerfclfError(f"configuration: no value for {', '.join(sorted(missing))}")
        return OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise PerfclfError(f"configuration: {_reason(error)}") from error


@lru_cache
def _defaults(file: Path):
    """The schema with the values of the file of defaults; to merge these takes longer than all else."""
    return OmegaConf.merge(_unlocked(Config), _checked(_read(file)))


def choices(group: str) -> list[str]:
    """The names of the files in one folder of `conf`, sorted."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


def load_choice(group: str, name: str) -> dict:
    """One file of a group, such as ``conf/model/gemma-3-270m.yaml``, or any path of such a file. A model may also be a
    folder with a language model, or the name of a registered adviser that can be trained."""
    path = Path(name) if name.endswith(".yaml") else conf_folder() / group / f"{name}.yaml"
    if path.is_file():
        return _read(path)
    names = choices(group)
    if group == "model":
        trainable = sorted(spec.name for spec in registered("register_advisers") if spec.train is not None)
        if name in trainable:
            return {**_ADVISER, "name": name}
        if Path(name).is_dir():
            return {**_read(conf_folder() / "model" / "folder.yaml"), "name": Path(name).name, "location": name}
        names += trainable
    if fate := fate_of(group, name):
        raise PerfclfError(f"{group} {name!r} was {fate}")
    raise PerfclfError(f"unknown {group} {name!r}{did_you_mean(name, names)}; known: {', '.join(names)}")


def to_dict(config: Config) -> dict:
    """The configuration as plain nested dicts, as it is recorded in run folders."""
    return asdict(config)


def _from_file(path: Path) -> dict:
    """The user's file; what is wrong in it is told with its name."""
    content = _read(path)
    try:
        content = _checked(content)
        OmegaConf.merge(_unlocked(Config), content)
    except OmegaConfBaseException as error:
        raise PerfclfError(f"{path}: {_reason(error)}") from error
    except PerfclfError as error:
        raise PerfclfError(f"{path}: {error}") from error
    return content


def _read(path: Path) -> dict:
    return read_yaml(path, "configuration file")


def _split(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise PerfclfError(f"not an override: {word!r}; write key=value")
    return key, value


def _checked(layer: dict) -> dict:
    """The layer with known keys. A group given by name becomes the content of its file, a loop's laid over
    ``replay.yaml``."""
    picked = {group: load_choice(group, layer[group]) for group in GROUPS if isinstance(layer.get(group), str)}
    if "loop" in picked:
        picked["loop"] = {**load_choice("loop", "replay"), **picked["loop"]}
    layer = {**layer, **picked}
    _check_keys(layer, Config, "")
    return layer


def _check_keys(layer: dict, kind: type, prefix: str) -> None:
    """Refuse unknown and renamed keys and renamed values; a YAML null that stands for a name becomes "null"."""
    types = get_type_hints(kind)
    for key, value in layer.items():
        if fate := fate_of("key", f"{prefix}{key}"):
            raise PerfclfError(f"configuration key {prefix}{key} was {fate}")
        if key not in types:
            raise PerfclfError(f"unknown configuration key {prefix}{key}{did_you_mean(str(key), types, prefix)}")
        if is_dataclass(types[key]):
            if not isinstance(value, dict):
                inside = ", ".join(field.name for field in fields(types[key]))
                raise PerfclfError(f"configuration key {prefix}{key} is a group ({inside}), not {value!r}")
            _check_keys(value, types[key], f"{prefix}{key}.")
            continue
        # A name is never absent, and one adviser is called null.
        if value is None and types[key] is str:
            value = layer[key] = "null"
        elif isinstance(value, list) and types[key] == tuple[str, ...]:
            value = layer[key] = ["null" if entry is None else entry for entry in value]
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str) and (fate := fate_of(f"{prefix}{key}", entry)):
                raise PerfclfError(f"configuration key {prefix}{key}: {entry!r} was {fate}")


@lru_cache
def _unlocked(kind: type):
    """OmegaConf makes frozen dataclasses read-only; merging, which copies this one, needs them open."""
    schema = OmegaConf.structured(kind)
    OmegaConf.set_readonly(schema, False)
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            schema[name] = _unlocked(hint)
    return schema


def _reason(error: Exception) -> str:
    """OmegaConf's reason and the key; about an element of a list it states neither the value nor the key."""
    reason = str(error).splitlines()[0]
    if "$VALUE" in reason:
        return f"an element of a list could not{reason.partition(' could not')[2]}"
    return f"{reason} (key {error.full_key})" if error.full_key else reason
