"""Profiles of the networks of LEMUR's trials, and the table of their features."""

import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.files import whole
from nngpt_perfclf.profiling.contract import fault_of
from nngpt_perfclf.profiling.features import features, words
from nngpt_perfclf.profiling.pool import Answer, Pool, Task
from nngpt_perfclf.profiling.profiler import answers_to
from nngpt_perfclf.profiling.types import Profile, Shapes, shapes_of
from nngpt_perfclf.tasks import load_task
from nngpt_perfclf.types import Recipe

LAST_EPOCH = 5  # few networks were trained for longer
_AT_ONCE = 500
_BUILT = "built"


def describe(config: Config, out: Path | None = None) -> dict:
    """Profile every network of the task's trials at its most frequent dataset and image size, then at all others up to
    epoch 5, and write the table to `out`.

    Returns counts, the share of networks that were built, seconds for one, and why the others were not. It can be
    stopped: what was profiled is not profiled again.
    """
    corpus = load_corpus(config)
    shapes = recorded_shapes(corpus, dataset_properties(config.datasets), load_task(config.task).task)
    first = ~shapes.duplicated("nn")
    networks = profile_table(shapes[first], corpus.codes)
    table = pd.concat([networks, profile_table(shapes[~first], corpus.codes)]).sort_index()
    if out is not None:
        with whole(out) as new:
            table.to_parquet(new, index=False)
    return summary(networks, table)


def measure(config: Config, count: int) -> dict:
    """How long the profiler takes for `count` of the task's networks, drawn by `config.seed`, each at its most frequent
    shapes, without the cache. `seconds_per_network`: wall time of the whole batch, the server's start included."""
    corpus = load_corpus(config)
    shapes = recorded_shapes(corpus, dataset_properties(config.datasets), load_task(config.task).task)
    drawn = shapes.drop_duplicates("nn").sample(count, random_state=config.seed)
    tasks = [Task(corpus.codes[nn], shape) for nn, shape in zip(drawn["nn"], drawn["shapes"], strict=True)
             if fault_of(corpus.codes[nn]) is None]
    began = time.perf_counter()
    with Pool() as pool:
        answers = [answer for _, answer in pool.run(tasks)]
    wall = time.perf_counter() - began
    seconds = sorted(answer.seconds for answer in answers)
    return {"networks": len(answers), "built": sum(answer.structure is not None for answer in answers),
            "workers": pool.workers, "seconds": wall, "seconds_per_network": wall / len(answers),
            "median_seconds": seconds[len(seconds) // 2], "seconds_of_95_%": seconds[int(0.95 * len(seconds))],
            "longest_seconds": seconds[-1]}


def summary(networks: pd.DataFrame, table: pd.DataFrame) -> dict:
    """Counts, shares and seconds. `networks`: each once, at its most frequent shapes; `table`: at all shapes."""
    built = networks["status"] == _BUILT
    somewhere = table.loc[table["status"] == _BUILT, "nn"].nunique()
    ways = networks["way"].value_counts()
    return {"networks": len(networks), "built": int(built.sum()), "built_share": float(built.mean()),
            "built_at_some_shapes": int(somewhere), "shapes": len(table),
            "shapes_built": int((table["status"] == _BUILT).sum()),
            **{f"built_{way}": int(count) for way, count in ways.items()},
            "median_seconds": float(networks["seconds"].median()),
            "seconds_of_95_%": float(networks["seconds"].quantile(0.95)),
            "failures": failures(networks)}


def failures(table: pd.DataFrame) -> list[dict]:
    """How many networks were not built, by reason, the most frequent first."""
    failed = table[table["status"] != _BUILT]
    counts = failed.groupby(["status", "stage", "reason"])["nn"].nunique().sort_values(ascending=False, kind="stable")
    return [{"status": status, "stage": stage, "reason": reason, "networks": int(count)}
            for (status, stage, reason), count in counts.items()]


def recorded_shapes(corpus: Corpus, datasets: dict[str, DatasetProperties], task: str) -> pd.DataFrame:
    """A row for each network and shapes that it was trained with up to epoch 5: nn, shapes, dataset (one of those that
    have them), trials, channels, size, width, classes, complex; the most frequent of a network first."""
    trials = corpus.trials
    kept = trials[(trials["task"] == task) & (trials["epoch"] <= LAST_EPOCH) & trials["dataset"].isin(list(datasets))]
    counted = kept.groupby(["nn", "dataset", "transform"], observed=True).size().rename("trials").reset_index()
    pairs = list(zip(counted["dataset"].astype(str), counted["transform"].astype(str), strict=True))
    shapes = {pair: shapes_of(Recipe(transform=pair[1]), pair[0], datasets) for pair in set(pairs)}
    counted["shapes"] = [shapes[pair] for pair in pairs]
    table = counted.sort_values("trials", ascending=False, kind="stable").groupby(
        ["nn", "shapes"], observed=True, sort=False).agg(dataset=("dataset", "first"), trials=("trials", "sum"))
    table = table.reset_index().sort_values(["nn", "trials"], ascending=[True, False], kind="stable")
    of = pd.DataFrame([asdict(shape) for shape in table["shapes"]], index=table.index)
    table = table.join(of).astype({"nn": str, "dataset": str})
    return table[table["nn"].isin(corpus.codes.keys())].reset_index(drop=True)


def profile_table(shapes: pd.DataFrame, codes: dict[str, str]) -> pd.DataFrame:
    """The rows of `recorded_shapes` with status, stage, reason, way, seconds and every feature of `features`."""
    rows: list[dict] = []
    with progress() as bar:
        doing = bar.add_task("profiling networks", total=len(shapes))
        for start in range(0, len(shapes), _AT_ONCE):
            batch = shapes.iloc[start:start + _AT_ONCE]
            asked = [(codes[nn], shape) for nn, shape in zip(batch["nn"], batch["shapes"], strict=True)]
            answers = answers_to(asked)
            rows += [_row(answers[key], key[1]) for key in asked]
            bar.advance(doing, len(batch))
    return shapes.drop(columns="shapes").join(pd.DataFrame(rows, index=shapes.index))


def _row(answer: Answer | Profile, shapes: Shapes) -> dict:
    if isinstance(answer, Profile):
        return {"status": answer.status, "stage": answer.stage, "reason": answer.reason}
    if answer.structure is None:
        status = "timed out" if answer.timed_out else "failed"
        return {"status": status, "stage": answer.stage, "reason": answer.reason, "seconds": answer.seconds}
    structure = answer.structure
    return {"status": "built", "stage": "", "reason": "", "seconds": answer.seconds, "way": structure.way,
            **words(structure), **features(structure, shapes)}
