"""The configuration's keys and types. `conf/perfclf.yaml` holds every default and says what each key means."""

from dataclasses import dataclass
from typing import Literal


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
    fold: int
    largest_held_out: int
    left_out: str | None


@dataclass(frozen=True)
class ModelConfig:
    name: str
    source: Literal["registry", "hub", "folder", "adviser"]
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
    folds: int | None
    labels_count: int
    epochs: float
    lr: float
    schedule: str
    warmup: float
    batch: int
    accumulate: int
    questions_per_code: int
    labels: tuple[str, ...]
    code_only_share: float
    code_view_share: float
    label_temperature: float
    offset: Literal["none", "prior", "near"]
    lm_weight: float
    eval_samples: int
    calibration_pairs: int | None
    loss: Literal["options", "completion", "full"]
    clip: float
    weight_decay: float
    optimiser: str
    precision: Literal["auto", "float32", "bfloat16"]
    checkpoint_steps: int
    max_tokens: int


@dataclass(frozen=True)
class AdviceConfig:
    confidence: float
    batch_tokens: int
    answer_cache: bool
    profile: Literal["auto", "always", "never"]
    references: tuple[str, ...]
    parts: tuple[str, ...]
    features: Literal["code", "recipe", "both"]
    rank_by: Literal["score", "gain_per_second"]
    time_limit: float | None


@dataclass(frozen=True)
class EvaluateConfig:
    part: Literal["test", "validation", "folds"]
    pairs: int | None
    answer: Literal["scored", "generated"]
    recipes: Literal["with_recipe", "code_only", "anchor"]
    prompts: int
    rounds: int
    temperature: float
    top_k: int
    top_p: float
    new_tokens: int
    baselines: tuple[str, ...]
    reads: tuple[str, ...]
    resamples: int


@dataclass(frozen=True)
class LoopConfig:
    kind: Literal["replay", "single", "local", "outcomes", "epochs"]
    targets: tuple[str, ...]
    candidates: int
    pool: int
    macs: int | None
    resamples: int
    policies: tuple[str, ...]
    advisers: tuple[str, ...]
    keep: tuple[float | None, ...]
    outcomes: tuple[int, ...]
    least_kept: int
    confidence: float
    miss_probability: float
    rungs: tuple[int, ...]
    inverse_temperature: float
    seen: int
    unseen_target: bool
    known_networks: bool
    rounds: int
    time_limit: float
    memory_limit: float
    checkpoint_limit: float
    executor: Literal["processes", "ray"]
    workers: int
    gpus: float


@dataclass(frozen=True)
class NngptConfig:
    target: str | None
    outcomes: int


@dataclass(frozen=True)
class ServeConfig:
    host: str
    port: int
    token: str | None
    keep: float
    bytes: int
    seconds: float
    requests: int
    candidates: int


@dataclass(frozen=True)
class RecipeConfig:
    """A recipe on the command line: the fields of `types.Recipe`, None where not stated."""

    lr: float | None
    momentum: float | None
    batch: int | None
    dropout: float | None
    transform: str | None


@dataclass(frozen=True)
class Config:
    """The whole configuration. `out`: the run folder or file to write; `seed`: of every random draw."""

    task: str
    epoch: int
    label: Literal["normalized", "rank"]
    trial: Literal["random", "best"]
    seed: int
    seeds: tuple[int, ...]
    template: str
    code_only_template: str
    code_view: Literal["ast", "cut"]
    code_tokens: int
    datasets: str | None
    adviser: str
    scorer: str
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
    serve: ServeConfig
    nngpt: NngptConfig
    recipe: RecipeConfig
    recipe_a: RecipeConfig
    recipe_b: RecipeConfig
