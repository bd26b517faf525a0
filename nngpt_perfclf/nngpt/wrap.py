"""The hook between NNGPT's generation and evaluation: its own function, with pruning behind it."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from nngpt_perfclf.config import Config, conf_folder, load_config
from nngpt_perfclf.types import PerfclfError

# The tuning module of the released package, and where the repository has it now.
MODULES = ("ab.gpt.util.Tune", "ab.gpt.util.tune.Tune")
log = logging.getLogger("nngpt_perfclf")


def install(config: Config | str | Path | None = None) -> ExitStack:
    """See `nngpt.wrap`."""
    told = config if isinstance(config, Config) else load_config(config or conf_folder() / "nngpt.yaml")
    tune = _tuning_module()
    original = tune.nn_gen
    signature = inspect.signature(original)

    @functools.wraps(original)
    def nn_gen(*args, **kwargs):
        generated = original(*args, **kwargs)
        _prune(told, signature.bind(*args, **kwargs).arguments["out_path"])
        return generated

    tune.nn_gen = nn_gen
    stack = ExitStack()
    stack.callback(setattr, tune, "nn_gen", original)
    return stack


def _prune(config: Config, out_path: str | Path) -> None:
    from nngpt_perfclf.nngpt.prune import prune

    try:
        result = prune(config, out_path)
    except Exception:  # a failure here must never stop a run that goes on for days
        log.exception("nothing more is pruned in %s", out_path)
        return
    log.warning("%s: %d candidates kept, %d pruned, %d left alone; record: %s", out_path, result["kept"],
                result["pruned"], result["left"], result.get("record", "none, nothing moved"))


def _tuning_module() -> ModuleType:
    for name in MODULES:
        if name in sys.modules or _stands_on_the_path(name):
            return import_module(name)
    raise PerfclfError("NNGPT is not importable here (no ab.gpt.util.Tune): run this in its environment")


def _stands_on_the_path(module: str) -> bool:
    """Looks for the file alone: importing the package `ab` in order to look would start to fill LEMUR's database."""
    file = Path(*module.split(".")).with_suffix(".py")
    package = find_spec(module.split(".")[0])
    beside = [Path(folder).parent for folder in (package and package.submodule_search_locations) or ()]
    return any((folder / file).is_file() for folder in [*map(Path, sys.path), *beside])
