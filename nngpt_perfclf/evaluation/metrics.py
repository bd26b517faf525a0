"""Metrics of predicted probabilities: accuracy with its interval, AUC, Brier score, calibration, coverage.

Every function takes `p`, a float array with the probabilities that side a is the better one (NaN: no opinion), and
`won`, a bool array: whether it was. Exchanging the two sides of any pair changes no result.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, roc_auc_score

CONFIDENCE = 0.95  # of every interval
BINS = 15
# Bin edges of the difference of the two labels.
MARGINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def hits(p: np.ndarray, won: np.ndarray) -> np.ndarray:
    """1 where the likelier side won, 0 where it lost, 0.5 for p = 0.5 or no opinion, as a random guess on average."""
    lean = np.sign(np.nan_to_num(np.asarray(p, float), nan=0.5) - 0.5)
    return 0.5 + lean * np.where(won, 0.5, -0.5)


def confidence(p: np.ndarray) -> np.ndarray:
    """The probability of the likelier side, 0.5..1."""
    filled = np.nan_to_num(np.asarray(p, float), nan=0.5)
    return np.maximum(filled, 1 - filled)


def wilson(hit: np.ndarray | pd.Series) -> tuple[float, float]:
    """Wilson's score interval of the mean of `hit`; a sum with a half hit is rounded to even. NaN for n = 0."""
    if len(hit) == 0:
        return (np.nan, np.nan)
    interval = binomtest(round(float(np.sum(hit))), len(hit)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def rate(hit: np.ndarray | pd.Series) -> dict:
    """n, accuracy and its Wilson interval."""
    low, high = wilson(hit)
    return {"n": len(hit), "accuracy": float(np.mean(hit)) if len(hit) else np.nan, "low": low, "high": high}


def scores(p: np.ndarray, won: np.ndarray, better: np.ndarray) -> dict:
    """n, accuracy with its interval, balanced accuracy, ROC AUC, Brier score and expected calibration error.

    better: the winner's name. Balanced accuracy is the mean recall over the winners' names. AUC and Brier score count
    each pair in both orders, so that they do not depend on which side is a.
    """
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
    """The reliability curve of the likelier side: `confidence` (mean, 0.5..1), n, `accuracy`, low, high.

    Bins of equal mass; answers with equal confidence share a bin, so that there may be fewer than `bins`.
    """
    table = pd.DataFrame({"confidence": confidence(p), "hit": hits(p, won)})
    rank = table["confidence"].round(9).rank(method="min") - 1
    codes = (rank * bins // len(table)).astype(int)
    rows = [{"confidence": float(rows["confidence"].mean()), **rate(rows["hit"])}
            for _, rows in table.groupby(codes)]
    return pd.DataFrame(rows)


def calibration_error(curve: pd.DataFrame) -> float:
    """The expected calibration error: the mean of |accuracy − confidence| over the curve, weighted by n."""
    return float(np.average((curve["accuracy"] - curve["confidence"]).abs(), weights=curve["n"]))


def coverage(p: np.ndarray, won: np.ndarray, baselines: dict[str, np.ndarray] | None = None,
             steps: int = 20) -> pd.DataFrame:
    """Accuracy against coverage (selective prediction): one row for each threshold of confidence, from all pairs on.

    Columns: `threshold`, n, `coverage` (share of pairs answered), accuracy, low, high, and the accuracy of each of
    `baselines` (name -> hits) on the same pairs.
    """
    certainty, hit = confidence(p), hits(p, won)
    thresholds = np.unique(np.quantile(certainty, np.arange(steps) / steps, method="lower"))
    rows = []
    for threshold in thresholds:
        kept = certainty >= threshold
        rows.append({"threshold": float(threshold), "coverage": float(kept.mean()), **rate(hit[kept]),
                     **{name: float(np.mean(other[kept])) for name, other in (baselines or {}).items()}})
    return pd.DataFrame(rows)


def order_disagreement(logit_ab: np.ndarray, logit_ba: np.ndarray) -> dict:
    """How often the two orders of a question have different winners before they are averaged.

    Both arguments are log-odds of side a. Returns n (pairs with both) and `share` with low and high.
    """
    ab, ba = np.asarray(logit_ab, float), np.asarray(logit_ba, float)
    answered = np.isfinite(ab) & np.isfinite(ba)
    differ = rate((np.sign(ab) != np.sign(ba))[answered].astype(float))
    return {"n": differ["n"], "share": differ["accuracy"], "low": differ["low"], "high": differ["high"]}
