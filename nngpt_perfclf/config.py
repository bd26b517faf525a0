"""Configuration: `conf/perfclf.yaml` holds every default, files and `key=value` words override it.

An override of a group's whole name picks a file: ``model=gemma-3-270m`` reads ``conf/model/gemma-3-270m.yaml``.
A protocol is such a file of overrides for the whole configuration.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Literal, get_type_hints

from nngpt_perfclf.types import PerfclfError


@dataclass(frozen=True)
class CorpusConfig:
    path: str | None
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class SplitConfig:
    by: Literal["group", "network", "family", "dataset", "pairs"]
    similarity: float
    test: float
    validation: float
    largest_held_out: int
    left_out: str | None


@dataclass(frozen=True)
class ModelConfig:
    name: str
    source: Literal["registry", "hub", "folder", "pairwise", "strength", "stack"]
    packages: tuple[str, ...]
    file: str | None
    sha256: str | None
    location: str | None
    parameters: str
    licence: str
    chat: bool


@dataclass(frozen=True)
class LoraConfig:
    rank: int
    alpha: int
    dropout: float
    targets: str | tuple[str, ...]
    layers: int | None


@dataclass(frozen=True)
class TrainConfig:
    pairs: int
    epochs: float
    lr: float
    schedule: str
    warmup: float
    batch: int
    accumulate: int
    questions_per_code: int
    labels: tuple[str, ...]
    code_only_share: float
    label_temperature: float
    teacher: float
    offset: Literal["none", "prior", "near"]
    reading: float
    checks: int
    loss: Literal["options", "completion", "full"]
    clip: float
    weight_decay: float
    optimiser: str
    precision: str
    checkpoint_steps: int
    max_tokens: int


@dataclass(frozen=True)
class AdviceConfig:
    confidence: float
    batch_tokens: int
    memory: bool
    parts: tuple[str, ...]
    features: Literal["code", "recipe", "both"]


@dataclass(frozen=True)
class EvaluateConfig:
    part: Literal["test", "validation", "folds"]
    pairs: int | None
    answer: Literal["scored", "generated"]
    recipes: Literal["told", "none", "anchor"]
    prompts: int
    rounds: int
    temperature: float
    top_k: int
    top_p: float
    new_tokens: int
    beside: tuple[str, ...]
    reads: tuple[str, ...]
    resamples: int


@dataclass(frozen=True)
class LoopConfig:
    kind: Literal["replay", "local"]
    targets: tuple[str, ...]
    candidates: int
    pool: int
    resamples: int
    policies: tuple[str, ...]
    advisers: tuple[str, ...]
    references: tuple[str, ...]
    keep: tuple[float | None, ...]
    least_kept: int
    confidence: float
    miss_probability: float
    inverse_temperature: float
    rounds: int
    time_limit: float
    memory_limit: float


@dataclass(frozen=True)
class Config:
    """Everything that a verb may be told. `out`: the run folder or file to write; `seed`: of every random draw."""

    task: str
    epoch: int
    label: Literal["normalized", "rank"]
    sides: Literal["one", "best"]
    seed: int
    seeds: tuple[int, ...]
    template: str
    code_only_template: str
    code_view: Literal["ast", "cut"]
    code_tokens: int
    datasets: str | None
    adviser: str
    out: str | None
    resume: bool
    threads: int | None
    corpus: CorpusConfig
    split: SplitConfig
    model: ModelConfig
    lora: LoraConfig
    train: TrainConfig
    advice: AdviceConfig
    evaluate: EvaluateConfig
    loop: LoopConfig


GROUPS = ("model", "loop")


def home() -> Path:
    """The cache folder: ``NNGPT_PERFCLF_HOME``, or ``nngpt_perfclf`` in the user's cache folder."""
    told = os.environ.get("NNGPT_PERFCLF_HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(told) if told else Path(cache) / "nngpt_perfclf"


def conf_folder() -> Path:
    """The folder of configuration files: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "perfclf.yaml").is_file():
            return folder
    raise PerfclfError(f"no conf/perfclf.yaml beside or inside {package}: install the package again")


def load_config(file: str | Path | None = None, overrides: list[str] | tuple[str, ...] = (),
                values: dict | None = None) -> Config:
    """The defaults, then `values` (nested, as a run folder records them), `file`, `overrides` ("key=value").

    Raises PerfclfError for a missing file, an unknown key (naming the nearest known one) or a value of a wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    layers = [_read(conf_folder() / "perfclf.yaml")]
    if values is not None:
        layers.append(values)
    if file is not None:
        layers.append(_read(Path(file)))
    words = [_split(word) for word in overrides]
    layers += [load_choice("protocol", value) for key, value in words if key == "protocol"]
    # A protocol may itself pick a model; what the user says stands after it and wins.
    chosen = [{key: value} for key, value in words if key != "protocol" and key in GROUPS]
    dotted = [word for word, (key, _) in zip(overrides, words, strict=True) if key not in ("protocol", *GROUPS)]
    try:
        layers += [*chosen, OmegaConf.to_container(OmegaConf.from_dotlist(dotted))]
        merged = OmegaConf.create()
        for layer in layers:
            layer = _with_groups(layer)
            _refuse_unknown(layer, Config, "")
            merged = OmegaConf.merge(merged, layer)
        schema = OmegaConf.merge(_unlocked(Config), merged)
        missing = OmegaConf.missing_keys(schema)
        if missing:
            raise PerfclfError(f"configuration: no value for {', '.join(sorted(missing))}")
        return OmegaConf.to_object(schema)
    except OmegaConfBaseException as error:
        raise PerfclfError(f"configuration: {_told(error)}") from error


def choices(group: str) -> list[str]:
    """The names of the files in one folder of `conf`, sorted."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


def load_choice(group: str, name: str) -> dict:
    """One file of a group, such as ``conf/model/gemma-3-270m.yaml``, or any path of such a file."""
    path = Path(name) if name.endswith(".yaml") else conf_folder() / group / f"{name}.yaml"
    if path.is_file():
        return _read(path)
    if group == "model" and Path(name).is_dir():
        return {**_read(conf_folder() / "model" / "folder.yaml"), "name": Path(name).name, "location": name}
    raise PerfclfError(f"unknown {group} {name!r}{_nearest(name, choices(group))}; known: {', '.join(choices(group))}")


def to_dict(config: Config) -> dict:
    """The configuration as plain nested dicts, as it is recorded in run folders."""
    return asdict(config)


def _read(path: Path) -> dict:
    from omegaconf import OmegaConf
    from yaml import YAMLError

    if not path.is_file():
        raise PerfclfError(f"no configuration file {path}")
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except YAMLError as error:
        raise PerfclfError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise PerfclfError(f"{path} must hold keys and values, not a {type(content).__name__}")
    return content


def _split(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise PerfclfError(f"not an override: {word!r}; write key=value")
    return key, value


def _with_groups(layer: dict) -> dict:
    """A group given by name becomes the content of its file."""
    picked = {group: load_choice(group, layer[group]) for group in GROUPS if isinstance(layer.get(group), str)}
    return {**layer, **picked}


def _refuse_unknown(layer: dict, kind: type, prefix: str) -> None:
    types = get_type_hints(kind)
    for key, value in layer.items():
        if key not in types:
            raise PerfclfError(f"unknown configuration key {prefix}{key}{_nearest(str(key), sorted(types), prefix)}")
        if is_dataclass(types[key]):
            if not isinstance(value, dict):
                inside = ", ".join(field.name for field in fields(types[key]))
                raise PerfclfError(f"configuration key {prefix}{key} is a group ({inside}), not {value!r}")
            _refuse_unknown(value, types[key], f"{prefix}{key}.")
        # A name is never absent, and one adviser is called null.
        elif value is None and types[key] is str:
            layer[key] = "null"
        elif isinstance(value, list) and types[key] == tuple[str, ...]:
            layer[key] = ["null" if one is None else one for one in value]


def _nearest(word: str, known: list[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def _unlocked(kind: type):
    """OmegaConf makes frozen dataclasses read-only; merging needs them open."""
    from omegaconf import OmegaConf

    schema = OmegaConf.structured(kind)
    OmegaConf.set_readonly(schema, False)
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            schema[name] = _unlocked(hint)
    return schema


def _told(error: Exception) -> str:
    """OmegaConf's reason and the key; about an element of a list it states neither the value nor the key."""
    reason = str(error).splitlines()[0]
    if "$VALUE" in reason:
        return f"an element of a list could not{reason.partition(' could not')[2]}"
    return f"{reason} (key {error.full_key})" if error.full_key else reason
