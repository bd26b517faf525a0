"""One evaluation: chosen held-out pairs, an adviser's answers to them, every figure with its baselines beside it."""

from __future__ import annotations

import hashlib
import re
import shutil
import statistics
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.evaluation.comparison import replicate_ceiling
from nngpt_perfclf.evaluation.figures import summary
from nngpt_perfclf.evaluation.predict import predict_in_shards, write_parquet
from nngpt_perfclf.record import read_json, record, write_json
from nngpt_perfclf.tasks import labelled_trials, load_pairs, load_task
from nngpt_perfclf.types import PerfclfError

RUN = "run.json"
RESULT = "evaluation.json"
PREDICTIONS = "predictions.parquet"
BASELINES = ("gbdt",)  # asked about the same pairs; the prior stands beside every answer
_SHARDS = "shards"
_PLACES = ("out", "resume", "threads")  # settings that change no figure


def evaluate(config: Config, run: str | None = None) -> dict:
    """Measure an adviser (a run folder or name; without one `config.adviser`) and write a run folder.

    The folder (`config.out`, or a new one under `runs`) receives `evaluation.json` with every figure and its record,
    and `predictions.parquet`. A run folder of several seeds gives each seed's figures, mean and standard deviation.
    A stopped evaluation goes on where it was with ``resume=true``. Raises PerfclfError for an adviser that was trained
    on another split, an empty part, and a folder that holds something else.
    """
    name = run or config.adviser
    folder = run_folder(config, name)
    seeds = seed_folders(Path(name))
    if not seeds:
        return evaluate_one(config, name, folder)
    results = {seed: evaluate_one(config, str(place), folder / place.name) for seed, place in seeds.items()}
    result = {"out": str(folder), "adviser": Path(name).name, **over_seeds(results)}
    first = next(iter(seeds.values()))
    write_json(folder / RESULT, {**result, "record": {**read_json(folder / first.name / RUN), "adviser": name}})
    return result


def evaluate_one(config: Config, name: str, folder: Path) -> dict:
    """The figures of one adviser, written into `folder` and returned."""
    corpus = load_corpus(config)
    pairs = chosen_pairs(config, corpus)
    begun = record("evaluation", _plan(config), corpus.fingerprint, adviser=name, pairs=len(pairs),
                   pairs_fingerprint=_fingerprint(pairs))
    _begin(folder, begun, config.resume)
    adviser = load_advisor(name)
    _refuse_leak(name, config)
    title = Path(name).name
    predictions = predict_in_shards(adviser, pairs, corpus.codes, folder / _SHARDS, f"asking {title}")
    others = {other: predict_in_shards(load_advisor(other), pairs, corpus.codes, folder / f"{_SHARDS}-{other}",
                                       f"asking {other}")
              for other in BASELINES if other != name}
    figures = summary(predictions, others, title, config.evaluate.resamples, config.seed)
    networks = set(pairs["nn"])
    trials = labelled_trials(corpus, load_task(config.task), config.epoch)
    ceiling = replicate_ceiling(trials[trials["nn"].isin(networks)], config.label, config.seed)
    result = {"out": str(folder), **figures, "replicate_ceiling": ceiling}
    write_parquet(predictions, folder / PREDICTIONS)
    write_json(folder / RESULT, {**result, "record": begun})
    for shards in folder.glob(f"{_SHARDS}*"):
        shutil.rmtree(shards)
    return result


def chosen_pairs(config: Config, corpus: Corpus) -> pd.DataFrame:
    """The pairs of `config.evaluate.part`, or a sample of `config.evaluate.pairs` of them drawn by the seed."""
    pairs = load_pairs(config, corpus)
    pairs = pairs[pairs["part"] == config.evaluate.part]
    if pairs.empty:
        raise PerfclfError(f"no pairs in the {config.evaluate.part} part: change split.* or evaluate.part")
    wanted = config.evaluate.pairs
    if wanted is None or wanted >= len(pairs):
        if wanted:
            say(f"{wanted:,} pairs were wanted and the {config.evaluate.part} part has {len(pairs):,}: all are taken")
        return pairs
    return pairs.sample(wanted, random_state=config.seed)


def over_seeds(results: dict[int, dict]) -> dict:
    """Mean and standard deviation (of a sample; None for one seed) of the accuracies, and a row for each seed."""
    accuracies = [result["accuracy"] for result in results.values()]
    columns = ("n", "accuracy", "accuracy_low", "accuracy_high", "prior", "gbdt")
    return {
        "seeds": len(results), "n": next(iter(results.values()))["n"], "accuracy": statistics.mean(accuracies),
        "accuracy_deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "prior": statistics.mean(result["prior"] for result in results.values()),
        "runs": [{"seed": seed, **{key: result[key] for key in columns if key in result}}
                 for seed, result in results.items()],
    }


def seed_folders(run: Path) -> dict[int, Path]:
    """The sub-folders ``seed-N`` of a run, by seed; none for a run of one seed or a name."""
    found = {int(match[1]): place for place in run.glob("seed-*") if (match := re.fullmatch(r"seed-(\d+)", place.name))}
    return dict(sorted(found.items()))


def run_folder(config: Config, name: str) -> Path:
    """`config.out`; without it, the folder under `runs` where the same evaluation was stopped, or a new one."""
    if config.out is not None:
        return Path(config.out)
    stem = f"evaluate-{Path(name).name}"
    for folder in sorted(Path("runs").glob(f"{stem}-*"), reverse=True) if config.resume else ():
        if not (folder / RESULT).is_file():
            return folder
    if config.resume:
        raise PerfclfError(f"nothing to resume: no unfinished runs/{stem}-*; say out=FOLDER")
    return Path("runs") / time.strftime(f"{stem}-%Y%m%d-%H%M%S")


def _begin(folder: Path, begun: dict, resume: bool) -> None:
    """Leave the plan in the folder, or see that the one that stands there is the same."""
    file = folder / RUN
    if not file.is_file():
        write_json(file, begun)
        return
    if not resume:
        raise PerfclfError(f"{folder} already holds a run: name another out=, or go on with resume=true")
    same = ("kind", "data", "config", "adviser", "pairs_fingerprint")
    there = read_json(file)
    changed = [key for key in same if _as_written(there.get(key)) != _as_written(begun[key])]
    if changed:
        raise PerfclfError(f"{folder} was begun with another {', '.join(changed)}: name another out=")


def _refuse_leak(name: str, config: Config) -> None:
    """An adviser must have been trained on the split by which it is judged."""
    file = Path(name) / RUN
    if not file.is_file():
        return
    trained = read_json(file).get("config", {}).get("split")
    asked = to_dict(config)["split"]
    if trained is not None and trained != asked:
        told = ", ".join(f"split.{key}={value}" for key, value in trained.items() if value != asked.get(key))
        raise PerfclfError(f"{name} learned from another split, so test pairs may have been seen: evaluate with {told}")


def _plan(config: Config) -> dict:
    return to_dict(replace(config, out=None, resume=False, threads=None))


def _fingerprint(pairs: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(pairs, index=False).to_numpy().tobytes()).hexdigest()[:16]


def _as_written(value) -> str:
    import json

    return json.dumps(value, sort_keys=True, default=str)
