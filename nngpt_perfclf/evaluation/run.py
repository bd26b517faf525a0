"""One evaluation: chosen held-out pairs, an adviser's answers to them, every figure with its baselines beside it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import statistics
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nngpt_perfclf import processes
from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.advice.loading import LEARNED_NOTHING, folder_of
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.evaluation.comparison import replicate_ceiling
from nngpt_perfclf.evaluation.figures import summary
from nngpt_perfclf.evaluation.predict import Telling, predict_in_shards, write_parquet
from nngpt_perfclf.record import read_json, record, write_json
from nngpt_perfclf.tasks import (
    anchor_recipes,
    codes_of,
    labelled_trials,
    load_pairs,
    load_task,
    split_networks,
    trials_of_part,
)
from nngpt_perfclf.types import PerfclfError, Question

RUN = "run.json"
RESULT = "evaluation.json"
PREDICTIONS = "predictions.parquet"
SHARDS = "shards"


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
    refuse_taken(folder, config)
    refuse_leak(name, config)
    corpus = load_corpus(config)
    pairs = load_pairs(config, corpus)
    prior = PairPrior.fit(pairs[pairs["part"] == "train"])
    pairs = chosen_pairs(pairs, config)
    begun = record("evaluation", plan(config), corpus.fingerprint, adviser=name, pairs=_fingerprint(pairs))
    with processes.main_first():
        begin(folder, begun)
    if (folder / RESULT).is_file():
        return {key: value for key, value in read_json(folder / RESULT).items() if key != "record"}

    trials = labelled_trials(corpus, load_task(config.task), config.epoch)
    told = telling(config, trials, corpus)

    def asked(one: str) -> pd.DataFrame:
        adviser = load_advisor(one, config)
        if one == "prior":  # the frequencies of these very pairs' training part, not of those that it was shipped with
            adviser = replace(adviser, prior=prior)
        return predict_in_shards(adviser, pairs, corpus.codes, folder / SHARDS / Path(one).name, prior, told)

    title = Path(name).name
    predictions = asked(name)
    others, left_out = {}, []
    for other in config.evaluate.baselines:
        try:
            if Path(other).name != title:
                refuse_leak(other, config)
                others[Path(other).name] = asked(other)
        except PerfclfError as error:
            say(f"{other} does not stand beside: {error}")
            left_out.append(f"{other}: {error}")
    figures = summary(predictions, others, title, config.evaluate.resamples, config.seed)
    ceiling = replicate_ceiling(trials[trials["nn"].isin(set(pairs["nn"]))], config.label, config.seed)
    result = {"out": str(folder), **figures, "replicate_ceiling": ceiling, "left_out": left_out}
    if processes.is_main():
        write_parquet(predictions, folder / PREDICTIONS)
        write_json(folder / RESULT, {**result, "record": begun})
        shutil.rmtree(folder / SHARDS)
    return result


def chosen_pairs(pairs: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The pairs of `config.evaluate.part`, or a sample of `config.evaluate.pairs` of them drawn by the seed."""
    part, wanted = config.evaluate.part, config.evaluate.pairs
    pairs = pairs[pairs["part"] == part]
    if pairs.empty:
        raise PerfclfError(f"no pairs in the {part} part: change split.* or evaluate.part")
    if wanted is None or wanted >= len(pairs):
        if wanted:
            say(f"{wanted:,} pairs were wanted and the {part} part has {len(pairs):,}: all are taken")
        return pairs
    return pairs.sample(wanted, random_state=config.seed)


def telling(config: Config, trials: pd.DataFrame, corpus: Corpus) -> Telling:
    """What advisers are told of a question's recipes, as `evaluate.recipes` says."""
    if config.evaluate.recipes == "told":
        return lambda question: question
    if config.evaluate.recipes == "none":
        return Question.without_recipes
    networks = split_networks(codes_of(corpus, load_task(config.task)), config.split)
    anchors = anchor_recipes(trials_of_part(trials, networks, config.split, "train"))
    return lambda question: replace(question, recipe_a=anchors[question.ds_a], recipe_b=anchors[question.ds_b])


def refuse_leak(name: str, config: Config) -> None:
    """Raise PerfclfError where the adviser learned from another split than the one by which it is to be judged."""
    if name in LEARNED_NOTHING:
        return
    trained = read_json(folder_of(name) / RUN).get("config", {}).get("split", {})
    asked = json.loads(_as_written(to_dict(config)["split"]))
    if not trained:
        raise PerfclfError(f"{name} does not say from which split it learned, so it may have seen test pairs")
    other = {key: value for key, value in trained.items() if value != asked.get(key)}
    if other:
        told = " ".join(f"split.{key}={value}" for key, value in other.items())
        raise PerfclfError(f"{name} learned from another split, so it may have seen test pairs: evaluate with {told}")


def over_seeds(results: dict[int, dict]) -> dict:
    """Mean and standard deviation (of a sample; None for one seed) of the accuracies, and a row for each seed."""
    accuracies = [result["accuracy"] for result in results.values()]
    columns = ("n", "accuracy", "accuracy_low", "accuracy_high", "prior", "pairwise")
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
    if processes.count() > 1:
        raise PerfclfError("several processes need one folder to share: name it with out=FOLDER")
    stem = f"evaluate-{Path(name).name}"
    for folder in sorted(Path("runs").glob(f"{stem}-*"), reverse=True) if config.resume else ():
        if not (folder / RESULT).is_file():
            return folder
    if config.resume:
        raise PerfclfError(f"nothing to resume: no unfinished runs/{stem}-*; say out=FOLDER")
    return Path("runs") / time.strftime(f"{stem}-%Y%m%d-%H%M%S")


def refuse_taken(folder: Path, config: Config) -> None:
    """Raise PerfclfError where the folder holds a run that is not to be resumed."""
    if (folder / RUN).is_file() and not config.resume:
        raise PerfclfError(f"{folder} already holds a run: name another out=, or go on with resume=true")


def begin(folder: Path, begun: dict) -> None:
    """Leave the plan in the folder, or see that the one that stands there is the same."""
    file = folder / RUN
    if not file.is_file():
        write_json(file, begun)
        return
    same = ("kind", "data", "config", "adviser", "pairs")
    there = read_json(file)
    changed = [key for key in same if _as_written(there.get(key)) != _as_written(begun.get(key))]
    if changed:
        raise PerfclfError(f"{folder} was begun with another {', '.join(changed)}: name another out=")


def plan(config: Config) -> dict:
    """The configuration without the settings that change no figure."""
    return to_dict(replace(config, out=None, resume=False, threads=None))


def _fingerprint(pairs: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(pairs, index=False).to_numpy().tobytes()).hexdigest()[:16]


def _as_written(value) -> str:
    return json.dumps(value, sort_keys=True, default=str)
