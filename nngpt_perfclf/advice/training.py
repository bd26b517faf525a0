"""The verb `train`: which kind of adviser is trained, where, and for which seeds."""

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from nngpt_perfclf import processes
from nngpt_perfclf.advice.registry import trainable
from nngpt_perfclf.advice.run_folders import LANGUAGE_NAME
from nngpt_perfclf.checksums import seal, unseal
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.files import alone
from nngpt_perfclf.run_folder import RunFolder


def train(config: Config) -> dict:
    """Train `config.model` into the run folder `config.out` (default: a new one under `runs`).

    With `config.seeds`, once for each seed, in the sub-folders ``seed-N``. Returns what the run's record holds as its
    result. Raises PerfclfError where the folder already holds a finished run.
    """
    out = Path(config.out or Path("runs") / time.strftime(f"train-{config.model.name}-%Y%m%d-%H%M%S"))
    # A registered adviser, or else the fine-tuned language model.
    run = trainable(config.model.name if config.model.source == "adviser" else LANGUAGE_NAME).train
    if not config.seeds:
        return _trained(run, replace(config, out=str(out)), RunFolder(out))
    results = {}
    for seed in config.seeds:
        folder = RunFolder(out / f"seed-{seed}")
        if config.resume and folder.is_done:
            say(f"{folder.path} is done already")
            results[seed] = folder.result
            continue
        results[seed] = _trained(run, replace(config, seed=seed, seeds=(), out=str(folder.path)), folder)
    return {"run": str(out), "seeds": [{"seed": seed, **_figures(result)} for seed, result in results.items()],
            "over_seeds": _over(list(results.values()))}


def _trained(run: Callable[[Config, Path], dict], config: Config, folder: RunFolder) -> dict:
    """The result of one training; its files get their sums when all of them are there."""
    out = folder.claim(config.resume).path
    with alone(out) if processes.is_main() else nullcontext():
        if processes.is_main():
            unseal(out)
        processes.wait()
        result = run(config, out)
        if processes.is_main():
            seal(out)
    return result


def _figures(result: dict) -> dict[str, float]:
    return {name: value for name, value in result.items() if type(value) in (int, float)}


def _over(results: list[dict]) -> list[dict]:
    """Mean and standard deviation (of a sample) over the seeds of every figure that all of them have."""
    shared = [name for name in _figures(results[0]) if all(name in _figures(result) for result in results)]
    values = {name: [result[name] for result in results] for name in shared}
    return [{"figure": name, "mean": statistics.mean(found),
             "deviation": statistics.stdev(found) if len(found) > 1 else None} for name, found in values.items()]
