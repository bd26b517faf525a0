"""The verb `train`: which kind of adviser is trained, where, and for which seeds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.types import PerfclfError


def train(config: Config) -> dict:
    """Train `config.model` into the run folder `config.out` (default: a new one under `runs`).

    With `config.seeds`, once for each seed, in the sub-folders ``seed-N``. Returns what the run's record holds as its
    result. Raises PerfclfError where the folder already holds a finished run.
    """
    out = Path(config.out or Path("runs") / time.strftime(f"train-{config.model.name}-%Y%m%d-%H%M%S"))
    run = _trainer(config)
    if not config.seeds:
        return run(replace(config, out=str(out)), _free(out, config.resume))
    results = {}
    for seed in config.seeds:
        folder = out / f"seed-{seed}"
        if config.resume and _is_done(folder):
            say(f"{folder} is done already")
            results[seed] = _result(folder)
            continue
        results[seed] = run(replace(config, seed=seed, seeds=(), out=str(folder)), _free(folder, config.resume))
    return {"run": str(out), "seeds": [{"seed": seed, **_figures(result)} for seed, result in results.items()],
            "over_seeds": _over(list(results.values()))}


def _trainer(config: Config) -> Callable[[Config, Path], dict]:
    if config.model.source == "pairwise":
        from nngpt_perfclf.advice.pairwise import train_pairwise

        return train_pairwise
    if config.model.source == "strength":
        from nngpt_perfclf.advice.pointwise import train_pointwise

        return train_pointwise
    if config.model.source == "stack":
        from nngpt_perfclf.advice.stack import train_stack

        return train_stack
    from nngpt_perfclf.advice.fine_tuning import train_language

    return train_language


def _free(out: Path, resume: bool) -> Path:
    if out.exists() and not out.is_dir():
        raise PerfclfError(f"{out} is a file; out= must name a folder")
    if (out / "run.json").is_file() and not resume:
        raise PerfclfError(f"{out} already holds a run: name another out=, or go on with resume=true")
    return out


def _is_done(folder: Path) -> bool:
    from nngpt_perfclf.record import read_json

    return (folder / "run.json").is_file() and read_json(folder / "run.json").get("status") == "done"


def _result(folder: Path) -> dict:
    from nngpt_perfclf.record import read_json

    return read_json(folder / "run.json").get("result", {})


def _figures(result: dict) -> dict[str, float]:
    return {name: value for name, value in result.items() if type(value) in (int, float)}


def _over(results: list[dict]) -> list[dict]:
    """Mean and standard deviation (of a sample) over the seeds of every figure that all of them have."""
    shared = [name for name in _figures(results[0]) if all(name in _figures(result) for result in results)]
    values = {name: [result[name] for result in results] for name in shared}
    return [{"figure": name, "mean": statistics.mean(found),
             "deviation": statistics.stdev(found) if len(found) > 1 else None} for name, found in values.items()]
