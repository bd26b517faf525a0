"""The adviser that a name or a run folder denotes. Built-in and third-party advisers are registered the same way, by
the hook `register_advisers`."""

import inspect
from dataclasses import replace
from pathlib import Path

from nngpt_perfclf.advice.run_folders import digest_of, pretrained_folder
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.config.renamed import fate_of
from nngpt_perfclf.extras import extras_named
from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.plugins import registered
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.types import AdviserSpec, PerfclfError


def specs() -> dict[str, AdviserSpec]:
    """Every registered adviser by name. Raises PerfclfError where two plugins register one name."""
    found: dict[str, AdviserSpec] = {}
    for spec in registered("register_advisers"):
        if spec.name in found:
            raise PerfclfError(f"two plugins register an adviser called {spec.name!r}")
        found[spec.name] = spec
    return found


def find_spec(folder_or_name: str | Path) -> AdviserSpec:
    """The spec of a registered name, or of a run folder's kind.

    Raises PerfclfError for an unknown or renamed name and for a folder that holds no adviser.
    """
    by_name, name = specs(), str(folder_or_name)
    if name in by_name:
        return by_name[name]
    if Path(name).is_dir():
        kind = RunFolder(Path(name)).manifest.get("kind")
        for spec in by_name.values():
            if spec.run_kind == kind:
                return spec
        kinds = ", ".join(spec.run_kind for spec in by_name.values() if spec.train is not None)
        raise PerfclfError(f"{name} holds a run of kind {kind!r}, not an adviser ({kinds})")
    if fate := fate_of("adviser", name):
        raise PerfclfError(f"adviser {name!r} was {fate}")
    raise PerfclfError(f"no adviser {name!r}{did_you_mean(name, by_name) or ';'} known: {', '.join(by_name)}, "
                       "or a run folder")


@extras_named()
def load_advisor(folder_or_name: str | Path, config: Config | None = None) -> object:
    """The adviser of a registered name or a run folder: an object with ``advise_many(questions)`` or
    ``score(candidates, target)`` or both. `config` (default: the defaults) says label, confidence, further datasets.

    Raises PerfclfError for an unknown name, and for a run folder that is incomplete or holds no adviser.
    """
    config = config or load_config()
    return find_spec(folder_or_name).load(replace(config, adviser=str(folder_or_name)))


def trainable(name: str) -> AdviserSpec:
    """The spec of a registered adviser that can be trained; raises PerfclfError for any other name."""
    spec = specs().get(name)
    if spec is None or spec.train is None:
        raise PerfclfError(f"only registered advisers can be trained, not {name!r}")
    return spec


def trained_once(name: str, config: Config, folder: Path) -> str:
    """The run folder `folder` of the registered adviser `name`, trained under `config`; a finished one is not trained
    again. Raises PerfclfError for an adviser that cannot be trained, such as a run folder."""
    spec = trainable(name)
    if not RunFolder(folder).is_done:
        model = load_config(overrides=[f"model={name}"]).model if spec.name == spec.run_kind else config.model
        spec.train(replace(config, model=model, out=str(folder), seeds=()), folder)
    return str(folder)


def identity_of(folder_or_name: str | Path, config: Config) -> str:
    """A name with a digest of all that decides the adviser's answers: another adapter under the same name, or another
    version of a plugin's module, is another adviser."""
    name, spec = str(folder_or_name), find_spec(folder_or_name)
    content = digest_of(pretrained_folder(name) if name in specs() else Path(name), config)
    source = inspect.getsourcefile(spec.load)
    content.update(Path(source).read_bytes() if source else b"")
    return f"{name}@{content.hexdigest()[:12]}"


def place_of(part: str, folder: Path) -> str:
    """The name or run folder of a stack's part, which is stored relative to the stack's own folder."""
    return part if part in specs() else str(folder / part)
