"""The model zoo: from a model's configuration to a local folder that transformers can load."""

import json
from pathlib import Path

from nngpt_perfclf.config import Config, ModelConfig, choices, home, load_config
from nngpt_perfclf.console import say
from nngpt_perfclf.plugins import registered
from nngpt_perfclf.types import PerfclfError

ADVISER = "adviser"  # the source of what is trained, but has no weights of a language model
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def ensure_ready(model: ModelConfig) -> Path:
    """The folder with the model's config.json, dense weights and tokenizer, fetched and converted when needed.

    Raises PerfclfError, with what to do, when it cannot be had or is incomplete.
    """
    if model.source == "registry":
        return _from_registry(model)
    if model.source == "hub":
        return _from_hub(model)
    if model.source == "folder":
        return check_folder(Path(_location(model)))
    raise PerfclfError(f"model {model.name} is no language model: name one, model=NAME; `models` lists them")


def check_folder(folder: Path) -> Path:
    """`folder` itself if it holds a whole model, else PerfclfError with what is missing."""
    if not folder.is_dir():
        raise PerfclfError(f"no model folder {folder}")
    if not (folder / "config.json").is_file():
        raise PerfclfError(f"model folder {folder} has no config.json")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise PerfclfError(f"model folder {folder} has no tokenizer (one of {', '.join(_TOKENIZERS)})")
    weights = [path for pattern in _WEIGHTS for path in folder.glob(pattern)]
    if not weights:
        raise PerfclfError(f"model folder {folder} has no weights ({' or '.join(_WEIGHTS)})")
    for index in folder.glob("*.index.json"):
        named = set(json.loads(index.read_text())["weight_map"].values())
        if absent := sorted(named - {path.name for path in weights}):
            raise PerfclfError(f"model folder {folder} lacks {', '.join(absent)}, named in {index.name}")
    for path in weights:
        _check_weights(path)
    return folder


def describe(config: Config, fetch: bool = False) -> dict:
    """The models of `conf/model/` and whether each is ready, and the registered advisers; with `fetch`, the configured
    model is made ready first."""
    if fetch:
        say(f"model {config.model.name}: {ensure_ready(config.model)}")
    models = [load_config(overrides=[f"model={name}"]).model for name in choices("model")]
    if config.model not in models and config.model.source != ADVISER:
        models.append(config.model)
    advisers = [{"name": spec.name, "can_be_trained": spec.train is not None}
                for spec in registered("register_advisers")]
    return {"home": str(home()), "models": [_row(model) for model in models], "advisers": advisers}


def _row(model: ModelConfig) -> dict:
    ready, where = _state(model)
    return {"name": model.name, "parameters": model.parameters, "source": model.source, "licence": model.licence,
            "ready": ready, "where": where}


def _state(model: ModelConfig) -> tuple[bool | None, str]:
    """Whether the model is on this machine, and where, or what would bring it there."""
    if model.source == "folder" and model.location is None:
        return None, "model=PATH"
    try:
        if model.source == "registry":
            return True, str(check_folder(_home_of(model)))
        if model.source == "hub":
            return True, str(check_folder(_hub_cache(model)))
        return True, str(check_folder(Path(_location(model))))
    except PerfclfError as error:
        return False, str(error) if model.source == "folder" else f"models --fetch model={model.name}"


def _home_of(model: ModelConfig) -> Path:
    return home() / "models" / model.name


def _from_registry(model: ModelConfig) -> Path:
    from filelock import FileLock

    if not (model.packages and model.file and model.sha256):
        raise PerfclfError(f"model {model.name}: source registry needs packages, file and sha256")
    target = _home_of(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Whoever comes second waits here, and then finds the model ready.
    with FileLock(target.parent / f".{model.name}.lock"):
        try:
            return check_folder(target)
        except PerfclfError as error:
            if target.exists():
                say(f"{error}: making it again")
        from nngpt_perfclf.models.weights import build_dense

        say(f"model {model.name}: fetching {len(model.packages)} packages ({model.licence})")
        build_dense(model, target)
    return check_folder(target)


def _from_hub(model: ModelConfig) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return check_folder(_hub_cache(model))
    except PerfclfError:
        say(f"model {model.name}: asking the hub for {model.location} ({model.licence})")
    try:
        return check_folder(Path(snapshot_download(
            _location(model), allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "LICENSE*"])))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise PerfclfError(f"model {model.name} is not in the hub's cache and {model.location} cannot be downloaded "
                           f"({str(error).splitlines()[0]}): copy the model here and give model=PATH") from error


def _hub_cache(model: ModelConfig) -> Path:
    """The snapshot in the hub's cache, complete or not; nothing is downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(_location(model), local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise PerfclfError(f"{model.location} is not in the hub's cache") from error


def _location(model: ModelConfig) -> str:
    if model.location is None:
        raise PerfclfError(f"model {model.name}: source {model.source} needs a location: give model=PATH")
    return model.location


def _check_weights(path: Path) -> None:
    """The header of a safetensors file states its length: a cut one is told from a whole one without reading it."""
    if path.suffix != ".safetensors":
        return
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        raise PerfclfError(f"model weights {path} are damaged ({error})") from error
