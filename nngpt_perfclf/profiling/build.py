"""Build one network, run its forward pass and set up its training, and say what was seen. Runs in the sandbox.

Three ways, the cheapest first: all on PyTorch's meta device, where tensors have a shape and no values; weights and
constants in memory and the forward pass on meta, for networks that read numbers while they are built; everything in
memory, for networks that look at values in the forward pass.
"""

import contextlib
import linecache
import random
import sys
import types
import warnings

import numpy as np
import torch

from nngpt_perfclf.profiling.modes import Dropouts, OnMeta
from nngpt_perfclf.profiling.paths import EDGE
from nngpt_perfclf.profiling.recorder import Recorder
from nngpt_perfclf.profiling.settings import FIRST, SECOND
from nngpt_perfclf.profiling.sites import CODE, Sites
from nngpt_perfclf.profiling.training_setup import setup_of

WAYS = ("meta", "mixed", "real")
BATCH = 2
# Two recipes, so that it shows how each setting follows from the recipe (see `settings`).
PROBES = tuple({name: getattr(recipe, name) for name in ("lr", "momentum", "dropout")} for recipe in (FIRST, SECOND))
# LEMUR draws any other hyperparameter uniformly from 0..1 (nn-dataset, ab/nn/util/Train.py).
UNKNOWN_HYPERPARAMETER = 0.5


class Stage:
    """Where the network is: import, build, forward or setup; what fails is named after it."""

    name = "import"


def profile(code: str, request: dict) -> dict:
    """The facts about one network, or ``{"status": "failed", "stage": …, "reason": …}``.

    `request`: ``channels``, ``size``, ``width``, ``classes``, ``complex`` (whether the images are complex numbers) and
    ``transform``, its name.
    """
    warnings.simplefilter("ignore")
    stage = Stage()
    try:
        module = _module(code)
    except BaseException as error:  # noqa: BLE001 - whatever candidate code raises is the answer
        return _failed(stage, error)
    failures = []
    for way in WAYS:
        try:
            return _facts(module, request, way, stage)
        except BaseException as error:  # noqa: BLE001
            failures.append(_failed(stage, error))
        # Where shapes do not fit, they do not fit with values either.
        if len(failures) == 2 and failures[0] == failures[1] and "meta" not in failures[0]["reason"].lower():
            break
    return failures[-1]


def _facts(module, request: dict, way: str, stage: Stage) -> dict:
    sites = Sites()
    with sites.watching_construction():
        network, prm = _built(module, request, way, PROBES[0], stage)
    stage.name = "forward"
    recorder, dropouts = Recorder(BATCH, sites), Dropouts()
    images = _images(request, way)
    with dropouts, _device(way, "forward"), sites:
        output = recorder.watch(network, images)
    result = output[0] if isinstance(output, tuple | list) and output else output
    end = (recorder.edge(result) if isinstance(result, torch.Tensor) else None) or EDGE
    parameters = list(network.parameters())
    facts = {
        "status": "built", "way": way,
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trainable": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "executed": recorder.executed,
        "buffers": sum(buffer.numel() for buffer in network.buffers()),
        "macs": recorder.macs // BATCH, "activations": recorder.activations // BATCH,
        "depth": recorder.depth, "shortest": end.shortest,
        "mean_depth": round(end.mean, 6), "log_paths": round(end.paths, 6), "receptive_field": recorder.receptive_field,
        "layers": recorder.layers, "layers_left_out": recorder.layers_left_out, "trace": recorder.trace,
        "operators": dict(recorder.operators),
        "kinds": {name: count for name, count in (recorder.kinds + sites.counts()).items() if count},
        "output": list(result.shape) if isinstance(result, torch.Tensor) else [],
    }
    setups = [_setup(network, prm, way, stage)]
    drops = [dropouts.probabilities]
    del network
    second, prm = _built(module, request, way, PROBES[1], stage)
    with (probed := Dropouts()), _device(way, "forward"), torch.no_grad():
        second(images)
    drops.append(probed.probabilities)
    setups.append(_setup(second, prm, way, stage))
    return {**facts, "setups": setups, "dropouts": drops}


def _built(module, request: dict, way: str, probe: dict, stage: Stage):
    stage.name = "build"
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    unstated = {str(name): 0.0 if name == "pretrained" else UNKNOWN_HYPERPARAMETER
                for name in module.supported_hyperparameters()}
    prm = {**unstated, **probe, "batch": BATCH, "epoch": 1, "transform": request["transform"]}
    device = torch.device("cpu" if way == "real" else "meta")
    with _device(way, "build"), _uninitialised(way):
        network = module.Net(_shape(request), (request["classes"],), prm, device)
        network.to(device)
        network.eval()
    return network, prm


def _setup(network, prm: dict, way: str, stage: Stage) -> dict:
    stage.name = "setup"
    with _device(way, "setup"):
        network.train_setup(prm)
    return setup_of(network)


def _images(request: dict, way: str) -> torch.Tensor:
    kind = torch.complex64 if request["complex"] else torch.float32
    shape = _shape(request)
    if way != "real":
        return torch.empty(shape, dtype=kind, device="meta")
    return torch.randn(shape, dtype=kind, generator=torch.Generator().manual_seed(0))


def _shape(request: dict) -> tuple[int, int, int, int]:
    return BATCH, request["channels"], request["size"], request["width"]


@contextlib.contextmanager
def _device(way: str, stage: str):
    """Where tensors are made that name no device; those on meta stay there."""
    if way == "meta" or (way == "mixed" and stage != "build"):
        with torch.device("meta"), OnMeta():
            yield
    else:
        yield


@contextlib.contextmanager
def _uninitialised(way: str):
    """Weights that are never used need no values; memory that is never written is never taken."""
    if way != "mixed":
        yield
        return
    init = torch.nn.init
    kept = {name: function for name, function in vars(init).items()
            if name.endswith("_") and not name.startswith("_") and callable(function)}
    for name in kept:
        setattr(init, name, lambda tensor, *args, **kwargs: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(init, name, function)


def _module(code: str):
    """The candidate's code as a module; TorchScript finds its source."""
    module = types.ModuleType("net")
    module.__file__ = CODE
    linecache.cache[CODE] = (len(code), None, code.splitlines(keepends=True), CODE)
    sys.modules["net"] = module
    exec(compile(code, CODE, "exec"), module.__dict__)
    return module


def _failed(stage: Stage, error: BaseException) -> dict:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return {"status": "failed", "stage": stage.name,
            "reason": f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__}
