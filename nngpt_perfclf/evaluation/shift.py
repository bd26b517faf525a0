"""How far the probabilities of two evaluations of the same pairs are apart: of two precisions, machines or versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf.evaluation.figures import aligned
from nngpt_perfclf.evaluation.metrics import hits
from nngpt_perfclf.evaluation.run import PREDICTIONS
from nngpt_perfclf.types import PerfclfError


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
