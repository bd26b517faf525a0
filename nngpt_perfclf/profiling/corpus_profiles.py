"""Profiles of the networks of LEMUR's trials, and the table of their features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.profiling.cache import ProfileCache
from nngpt_perfclf.profiling.features import features, words
from nngpt_perfclf.profiling.pool import LIMITS, Answer
from nngpt_perfclf.profiling.profiler import answers_to, shapes_of
from nngpt_perfclf.profiling.types import Profile
from nngpt_perfclf.types import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.corpus import Corpus
    from nngpt_perfclf.datasets import DatasetProperties

_AT_ONCE = 500


def recorded_shapes(corpus: Corpus, datasets: dict[str, DatasetProperties], task: str = "img-classification",
                    last_epoch: int = 5) -> pd.DataFrame:
    """A row for each network and shapes that were trained up to `last_epoch`: nn, dataset (one of those with these
    shapes), size, channels, classes, complex, trials; the most frequent of a network first."""
    import pandas as pd

    trials = corpus.trials
    kept = trials[(trials["task"] == task) & (trials["epoch"] <= last_epoch) & trials["dataset"].isin(list(datasets))]
    counted = kept.groupby(["nn", "dataset", "transform"], observed=True).size().rename("trials").reset_index()
    shapes = {pair: shapes_of(Recipe(transform=pair[1]), datasets[pair[0]])
              for pair in set(zip(counted["dataset"].astype(str), counted["transform"].astype(str), strict=True))}
    counted["shapes"] = [shapes[pair] for pair in
                         zip(counted["dataset"].astype(str), counted["transform"].astype(str), strict=True)]
    table = counted.sort_values("trials", ascending=False, kind="stable").groupby(
        ["nn", "shapes"], observed=True, sort=False).agg(dataset=("dataset", "first"), trials=("trials", "sum"))
    table = table.reset_index().sort_values(["nn", "trials"], ascending=[True, False], kind="stable")
    of = pd.DataFrame([{"channels": one.channels, "size": one.size, "classes": one.classes, "complex": one.complex}
                       for one in table["shapes"]], index=table.index)
    table = table.join(of).astype({"nn": str, "dataset": str})
    return table[table["nn"].isin(corpus.codes.keys())].reset_index(drop=True)


def profile_table(shapes: pd.DataFrame, codes: dict[str, str], cache: ProfileCache | None = None) -> pd.DataFrame:
    """The rows of `recorded_shapes` with status, stage, reason, way, seconds and every feature of `features`."""
    import pandas as pd

    from nngpt_perfclf.console import progress

    cache = cache or ProfileCache()
    rows: list[dict] = []
    with progress() as bar:
        doing = bar.add_task("profiling networks", total=len(shapes))
        for start in range(0, len(shapes), _AT_ONCE):
            batch = shapes.iloc[start:start + _AT_ONCE]
            asked = [(codes[nn], one) for nn, one in zip(batch["nn"], batch["shapes"], strict=True)]
            answers = answers_to(asked, LIMITS, cache)
            rows += [_row(answers[one], one[1]) for one in asked]
            bar.advance(doing, len(batch))
    return shapes.drop(columns="shapes").join(pd.DataFrame(rows, index=shapes.index))


def write_table(table: pd.DataFrame, file: Path) -> None:
    """As Parquet, whole or not at all."""
    from nngpt_perfclf.files import whole

    with whole(file) as new:
        table.to_parquet(new, index=False)


def failures(table: pd.DataFrame, shown: Sequence[str] = ("stage", "reason")) -> list[dict]:
    """How many networks were not built, by reason, most frequent first."""
    failed = table[table["status"] != "built"]
    counts = failed.groupby(["status", *shown])["nn"].nunique().sort_values(ascending=False)
    return [{**dict(zip(("status", *shown), index, strict=True)), "networks": int(count)}
            for index, count in counts.items()]


def _row(answer: Answer | Profile, shapes) -> dict:
    if isinstance(answer, Profile):
        return {"status": answer.status, "stage": answer.stage, "reason": answer.reason}
    if answer.structure is None:
        status = "timed out" if answer.timed_out else "failed"
        return {"status": status, "stage": answer.stage, "reason": answer.reason, "seconds": answer.seconds}
    structure = answer.structure
    return {"status": "built", "stage": "", "reason": "", "seconds": answer.seconds, "way": structure.way,
            **words(structure), **features(structure, shapes)}
