"""The evaluation of an adviser on held-out pairs, with baselines on the same pairs."""

import hashlib
import json
import re
import shutil
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf import processes
from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.advice.base import Adviser
from nngpt_perfclf.advice.baselines import PriorAdviser
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.advice.run_folders import check_held_out, pretrained_folder
from nngpt_perfclf.budget import announcement, in_words
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.evaluation.comparison import replicate_ceiling
from nngpt_perfclf.evaluation.figures import aligned, summary
from nngpt_perfclf.evaluation.metrics import hits
from nngpt_perfclf.evaluation.predict import RecipeView, expected_seconds, predict_in_shards, unanswered, write_parquet
from nngpt_perfclf.files import alone, read_json, write_json
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import TaskData, question_of
from nngpt_perfclf.types import PerfclfError, Question

RESULT = "evaluation.json"
PREDICTIONS = "predictions.parquet"
SHARDS = "shards"


def evaluate_scored(config: Config, run: str | None = None) -> dict:
    """Evaluate an adviser (a run folder or a name; by default `config.adviser`) and write a run folder.

    The folder (`config.out`, or a new one in ``runs``) receives ``evaluation.json`` with all figures and the manifest,
    and ``predictions.parquet``. A run folder of several seeds gives each seed's figures, their mean and standard
    deviation. A stopped evaluation continues with ``resume=true``. Raises PerfclfError for an adviser that was trained
    on another split, an empty part, and a folder that holds another run.
    """
    name = run or config.adviser
    folder = run_folder(config, name)
    seeds = seed_folders(Path(name))
    if not seeds:
        return evaluate_one(config, name, folder)
    results = {seed: evaluate_one(config, str(place), folder / place.name) for seed, place in seeds.items()}
    result = {"out": str(folder), "adviser": Path(name).name, **over_seeds(results)}
    first = next(iter(seeds.values()))
    write_json(folder / RESULT, {**result, "record": {**RunFolder(folder / first.name).manifest, "adviser": name}})
    return result


def evaluate_one(config: Config, name: str, folder: Path) -> dict:
    """The figures of one adviser, written into `folder` and returned."""
    run = RunFolder(folder).claim(config.resume)
    check_split(name, config)
    data = TaskData.load(config)
    every = data.pairs()
    prior, pairs = PairPrior.fit(every[every["part"] == "train"]), chosen_pairs(every, config)
    digest = hashlib.sha256(pd.util.hash_pandas_object(pairs, index=False).to_numpy().tobytes()).hexdigest()[:16]
    record = manifest("evaluation", plan(config), data.fingerprint, adviser=name, pairs=digest)
    with processes.main_first():
        run.begin(record)
    if (finished := finished_result(folder)) is not None:
        return finished
    with alone(folder) if processes.is_main() else nullcontext():
        return _measured(config, name, folder, data, prior, pairs, record)


def _measured(config: Config, name: str, folder: Path, data: TaskData, prior: PairPrior, pairs: pd.DataFrame,
              record: dict) -> dict:
    title, view = Path(name).name, recipe_view(config, data)

    def expected(own: str, adviser: object) -> float:
        left = unanswered(pairs, folder / SHARDS / own)
        questions = [view(question_of(row, data.codes)) for row in left.itertuples()]
        return expected_seconds(adviser, questions) / processes.count()

    advisers, seconds, left_out = _advisers(name, config, prior, expected)
    say(announcement("evaluation", sum(seconds.values()), f"{len(pairs):,} pairs in both orders, " + ", ".join(
        f"{own} {in_words(taken)}" for own, taken in seconds.items())))
    baselines = {own: predict_in_shards(adviser, pairs, data.codes, folder / SHARDS / own, prior, view)
                 for own, adviser in advisers.items()}
    predictions = baselines.pop(title)
    computed = [f"{own}: {adviser.computed_with}" for own, adviser in advisers.items()
                if isinstance(adviser, Adviser) and adviser.computed_with]
    figures = summary(predictions, baselines, title, config.evaluate.resamples, config.seed)
    trials = data.trials
    ceiling = replicate_ceiling(trials[trials["nn"].isin(set(pairs["nn"]))], config.label, config.seed)
    result = {"out": str(folder), **figures, "replicate_ceiling": ceiling, "left_out": left_out}
    if processes.is_main():
        write_parquet(predictions, folder / PREDICTIONS)
        write_json(folder / RESULT, {**result, "record": {**record, "computed_with": "; ".join(computed)}})
        shutil.rmtree(folder / SHARDS)
    return result


def _advisers(name: str, config: Config, prior: PairPrior,
              expected: Callable[[str, object], float]) -> tuple[dict[str, object], dict[str, float], list[str]]:
    """The adviser and its baselines, by the last part of their names; the seconds that each is expected to take; and
    why some baselines are left out."""
    found, seconds, left_out = {}, {}, []
    for place in (name, *config.evaluate.baselines):
        own = Path(place).name
        if own in found:
            continue
        try:
            if place != name:
                check_split(place, config)
            adviser = load_advisor(place, config)
            if isinstance(adviser, PriorAdviser):  # the frequencies in the training part of this configuration
                adviser = replace(adviser, prior=prior)
            found[own], seconds[own] = adviser, expected(own, adviser)
        except PerfclfError as error:
            if place == name:
                raise
            say(f"baseline {place} is left out: {error}")
            left_out.append(f"{place}: {error}")
    return {own: found[own] for own in seconds}, seconds, left_out


def finished_result(folder: Path) -> dict | None:
    """The figures of the evaluation in `folder`, without their manifest; None where it is not finished."""
    if not (folder / RESULT).is_file():
        return None
    return {key: value for key, value in read_json(folder / RESULT).items() if key != "record"}


def chosen_pairs(pairs: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The pairs of `config.evaluate.part`, or a random sample of `config.evaluate.pairs` of them."""
    part, count = config.evaluate.part, config.evaluate.pairs
    pairs = pairs[pairs["part"] == part]
    if pairs.empty:
        raise PerfclfError(f"no pairs in the {part} part: change split.* or evaluate.part")
    if count is None or count >= len(pairs):
        if count:
            say(f"evaluate.pairs={count:,}: the {part} part has {len(pairs):,} pairs, all are used")
        return pairs
    return pairs.sample(count, random_state=config.seed)


def recipe_view(config: Config, data: TaskData) -> RecipeView:
    """A question with the recipes that `evaluate.recipes` lets advisers see."""
    if config.evaluate.recipes == "with_recipe":
        return lambda question: question
    if config.evaluate.recipes == "code_only":
        return Question.without_recipes
    return lambda question: replace(question, recipe_a=data.anchors[question.ds_a],
                                    recipe_b=data.anchors[question.ds_b])


def check_split(name: str, config: Config) -> None:
    """Raise PerfclfError for an adviser that was trained on another split than the one it is to be evaluated on, and
    for one that learned from the part that is to be evaluated.

    A registered adviser without a run folder records no split and is not checked.
    """
    folder = Path(name) if Path(name).is_dir() else pretrained_folder(name)
    if folder is None:
        return
    trained = RunFolder(folder).manifest.get("config", {}).get("split", {})
    evaluated = json.loads(json.dumps(to_dict(config)["split"], default=str))
    if not trained:
        raise PerfclfError(f"{name} does not record the split that it was trained on, so it may have seen test pairs")
    different = {key: value for key, value in trained.items() if value != evaluated.get(key)}
    if different:
        overrides = " ".join(f"split.{key}={value}" for key, value in different.items())
        raise PerfclfError(f"{name} was trained on another split, so it may have seen test pairs: evaluate with "
                           f"{overrides}")
    check_held_out(name, config.evaluate.part)


def over_seeds(results: dict[int, dict]) -> dict:
    """Mean and sample standard deviation (None for one seed) of the accuracies, and a row for each seed."""
    accuracies = [result["accuracy"] for result in results.values()]
    columns = ("n", "accuracy", "accuracy_low", "accuracy_high", "prior", "pairwise")
    return {
        "seeds": len(results), "n": next(iter(results.values()))["n"], "accuracy": statistics.mean(accuracies),
        "accuracy_deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "prior": statistics.mean(result["prior"] for result in results.values()),
        "runs": [{"seed": seed, **{key: result[key] for key in columns if key in result}}
                 for seed, result in results.items()],
    }


def shift(run: Path, other: Path) -> dict:
    """The differences of `p_a` (largest, mean, 99th percentile), how many pairs got another answer, and both
    accuracies. Raises PerfclfError where one of the folders holds no evaluation, or of other pairs."""
    mine = _predictions(run)
    theirs = aligned(_predictions(other), mine, str(other))
    apart = np.abs(mine["p_a"].to_numpy() - theirs["p_a"].to_numpy())
    won = (mine["better"] == mine["ds_a"]).to_numpy()
    right = [hits(table["p_a"].to_numpy(float), won) for table in (mine, theirs)]
    return {"n": len(mine), "largest": float(np.nanmax(apart)), "mean": float(np.nanmean(apart)),
            "percentile_99": float(np.nanpercentile(apart, 99)), "changed_answers": int((right[0] != right[1]).sum()),
            "accuracy": float(np.mean(right[0])), "accuracy_of_other": float(np.mean(right[1]))}


def _predictions(run: Path) -> pd.DataFrame:
    file = run / PREDICTIONS
    if not file.is_file():
        raise PerfclfError(f"{run} holds no finished evaluation: there is no {PREDICTIONS}")
    return pd.read_parquet(file)


def seed_folders(run: Path) -> dict[int, Path]:
    """The sub-folders ``seed-N`` of a run by seed; none for a run of one seed and for a name."""
    return dict(sorted((int(match[1]), folder) for folder in run.glob("seed-*")
                       if (match := re.fullmatch(r"seed-(\d+)", folder.name))))


def run_folder(config: Config, name: str) -> Path:
    """`config.out`; without it a new folder in ``runs``, or with ``resume=true`` the last unfinished one there."""
    if config.out is not None:
        return Path(config.out)
    if processes.count() > 1:
        raise PerfclfError("several processes must share one folder: name it with out=FOLDER")
    stem = f"evaluate-{Path(name).name}"
    for folder in sorted(Path("runs").glob(f"{stem}-*"), reverse=True) if config.resume else ():
        if not (folder / RESULT).is_file():
            return folder
    if config.resume:
        raise PerfclfError(f"nothing to resume: no unfinished runs/{stem}-*; name the folder with out=FOLDER")
    return Path("runs") / time.strftime(f"{stem}-%Y%m%d-%H%M%S")


def plan(config: Config) -> dict:
    """The configuration without the settings that do not affect the figures."""
    return to_dict(replace(config, out=None, resume=False, threads=None))
