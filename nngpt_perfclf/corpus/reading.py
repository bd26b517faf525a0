"""The content of a source: columns of trials, codes, and what was skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

RECIPE = ("lr", "momentum", "batch", "dropout")
CATEGORIES = ("task", "dataset", "metric", "nn", "transform")
COLUMNS = ("task", "dataset", "metric", "nn", "epoch", "accuracy", "duration", *RECIPE, "transform", "trial")
NANOSECONDS = 1e9


@dataclass(frozen=True)
class Reading:
    """`trials` has `COLUMNS`; `runs` has a row for each task, dataset, metric and nn that was run, with or without
    trials, with `files` and `empty_files`; `skipped`: a line for each damaged file; `statistics`: nn, parameters, flops
    and layers of the networks that the source has measured, None where it has none."""

    trials: pd.DataFrame
    codes: dict[str, str]
    runs: pd.DataFrame
    skipped: tuple[str, ...] = ()
    statistics: pd.DataFrame | None = None

    def summary(self, place: str) -> dict:
        """Counts and the fingerprint, JSON-able."""
        runs, trials = self.runs, self.trials
        return {
            "source": place,
            "fingerprint": fingerprint(self.trials, self.codes),
            "trials": len(trials),
            "networks": len(runs[["task", "metric", "nn"]].drop_duplicates()),
            "networks_with_trials": int(trials["nn"].nunique()),
            "codes": len(self.codes),
            "networks_with_statistics": 0 if self.statistics is None else len(self.statistics),
            "runs": len(runs),
            "empty_runs": int((runs["empty_files"] == runs["files"]).sum()),
            "empty_files": int(runs["empty_files"].sum()),
            "skipped_files": len(self.skipped),
            "skipped": list(self.skipped),
            "tasks": _by_task(runs, trials),
        }


def fingerprint(trials: pd.DataFrame, codes: Mapping[str, str]) -> str:
    """Hex digest of the set of trials (`COLUMNS`) and of the codes of the networks that have trials.

    It does not depend on the order of the rows, on duplicates of a trial, or on the place and time of the files:
    LEMUR's files, a copy of them and the database that nn-dataset fills from them have the same fingerprint.
    """
    import numpy as np
    import pandas as pd

    digest = hashlib.blake2b(" ".join(COLUMNS).encode(), digest_size=16)
    digest.update(np.unique(pd.util.hash_pandas_object(trials[list(COLUMNS)], index=False)).astype("<u8").tobytes())
    for nn in sorted(trials["nn"].unique()):
        digest.update(f"{nn}\0{codes.get(nn, '')}\0".encode())
    return digest.hexdigest()


def _by_task(runs: pd.DataFrame, trials: pd.DataFrame) -> list[dict]:
    keys = ["task", "dataset", "metric"]
    networks = runs.groupby(keys).agg(networks=("nn", "nunique"), empty_runs=("files", "size"))
    counts = trials.groupby(keys, observed=True).agg(
        trials=("accuracy", "size"), with_trials=("nn", "nunique"), first_epoch=("epoch", "min"),
        last_epoch=("epoch", "max"), best_accuracy=("accuracy", "max"), hours=("duration", lambda s: s.sum() / 3600))
    table = networks.join(counts, how="left")
    table["empty_runs"] -= table["with_trials"].fillna(0).astype(int)
    rows = table.reset_index().astype(object)
    return rows.where(rows.notna(), None).to_dict("records")
