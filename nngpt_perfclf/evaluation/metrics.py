"""How good probabilities are: accuracy with its interval, ranking, calibration, and what abstaining buys.

Every function takes `p`, the probabilities (float array, NaN: no opinion) that side a is the better one, and `won`, a
bool array that says whether it was. Exchanging the two sides of any pair changes no result.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

CONFIDENCE = 0.95  # of every interval
BINS = 15
# Edges of the label's margin: below 0.01 the two datasets went practically alike.
MARGINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def hits(p: np.ndarray, won: np.ndarray) -> np.ndarray:
    """1 where the likelier side won, 0 where it lost, 0.5 where both are as likely or there is no opinion:
    the expectation of tossing a coin, so that always answering "don't know" scores one half."""
    lean = np.sign(np.nan_to_num(np.asarray(p, float), nan=0.5) - 0.5)
    return 0.5 + lean * np.where(won, 0.5, -0.5)


def confidence(p: np.ndarray) -> np.ndarray:
    """The probability of the likelier side, 0.5..1."""
    filled = np.nan_to_num(np.asarray(p, float), nan=0.5)
    return np.maximum(filled, 1 - filled)


def wilson(hit: np.ndarray | pd.Series) -> tuple[float, float]:
    """Wilson's score interval of the mean of `hit`; a half hit in the sum is rounded to even. NaN where n is 0."""
    from scipy.stats import binomtest

    if len(hit) == 0:
        return (np.nan, np.nan)
    interval = binomtest(round(float(np.sum(hit))), len(hit)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def rate(hit: np.ndarray | pd.Series) -> dict:
    """n, accuracy and its Wilson interval, as they stand in every table."""
    low, high = wilson(hit)
    return {"n": len(hit), "accuracy": float(np.mean(hit)) if len(hit) else np.nan, "low": low, "high": high}


def scores(p: np.ndarray, won: np.ndarray, better: np.ndarray) -> dict:
    """n, accuracy with its interval, balanced accuracy, ROC AUC, Brier score and expected calibration error.

    better: the winner's name. Balanced accuracy is the mean recall over the winners' names: always naming a pair's
    usual winner recalls no upset. AUC and Brier score see each pair from both sides, so that which one happens to be
    called a does not matter.
    """
    from sklearn.metrics import brier_score_loss, roc_auc_score

    hit = hits(p, won)
    filled = np.nan_to_num(np.asarray(p, float), nan=0.5)
    both_p, both_won = np.concatenate([filled, 1 - filled]), np.concatenate([won, ~np.asarray(won, bool)])
    return {
        **rate(hit),
        "balanced_accuracy": float(pd.Series(hit).groupby(np.asarray(better, object)).mean().mean()),
        "auc": float(roc_auc_score(both_won, both_p)),
        "brier": float(brier_score_loss(both_won, both_p)),
        "calibration_error": calibration_error(reliability(p, won)),
    }


def reliability(p: np.ndarray, won: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """The reliability curve of the answer that is given: `confidence` (mean, 0.5..1), n, `accuracy`, low, high.

    Bins of equal mass; fewer than `bins` where many answers share one confidence, since those stay together.
    """
    table = pd.DataFrame({"confidence": confidence(p), "hit": hits(p, won)})
    rank = table["confidence"].round(9).rank(method="min") - 1
    codes = (rank * bins // len(table)).astype(int)
    rows = [{"confidence": float(rows["confidence"].mean()), **rate(rows["hit"])}
            for _, rows in table.groupby(codes)]
    return pd.DataFrame(rows)


def calibration_error(curve: pd.DataFrame) -> float:
    """The expected calibration error: the mean distance of accuracy and confidence in the curve, weighted by n."""
    return float(np.average((curve["accuracy"] - curve["confidence"]).abs(), weights=curve["n"]))


def coverage(p: np.ndarray, won: np.ndarray, beside: dict[str, np.ndarray] | None = None,
             steps: int = 20) -> pd.DataFrame:
    """What is gained by answering only where confident: a row a threshold, from all pairs to the surest ones.

    Columns: `threshold` (least confidence), n, `coverage` (share of pairs answered), accuracy, low, high, and for
    each of `beside` (name -> its hits) its accuracy on the same pairs.
    """
    sure, hit = confidence(p), hits(p, won)
    thresholds = np.unique(np.quantile(sure, np.arange(steps) / steps, method="lower"))
    rows = []
    for threshold in thresholds:
        kept = sure >= threshold
        rows.append({"threshold": float(threshold), "coverage": float(kept.mean()), **rate(hit[kept]),
                     **{name: float(np.mean(other[kept])) for name, other in (beside or {}).items()}})
    return pd.DataFrame(rows)


def order_disagreement(logit_ab: np.ndarray, logit_ba: np.ndarray) -> dict:
    """How often the two orders of a question, before they are averaged, name different winners.

    Both in log-odds of side a. Gives n (pairs with both), `share` with low and high.
    """
    ab, ba = np.asarray(logit_ab, float), np.asarray(logit_ba, float)
    asked = np.isfinite(ab) & np.isfinite(ba)
    differ = rate((np.sign(ab) != np.sign(ba))[asked].astype(float))
    return {"n": differ["n"], "share": differ["accuracy"], "low": differ["low"], "high": differ["high"]}
