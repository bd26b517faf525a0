"""How well the seconds of an epoch were predicted for the candidates of the pools, with and without timed candidates.

The user's machine is here that of the recorded trials: what timed candidates add is how far a dataset's trainings are
off together.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nngpt_perfclf.advice.seconds import factor_of
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.replay.curves import CurvePool

TIMED = (0, 1, 3, 10)
DRAWS = 50  # of the timed candidates
BOOTSTRAPS = 200


def predicted_seconds(pools: Sequence[CurvePool], answers: Mapping[str, Sequence[Scored]],
                      medians: Mapping[str, float], seed: int) -> list[dict]:
    """A row for each target and number of timed candidates, and for the mean over the targets ("all"): `ratio`, the
    median ratio between expected and real seconds, whichever is the larger, with the bounds of its 95 % interval
    (bootstrap of the near-duplicate groups); `r2`, of the logarithm within the dataset; both also for a prediction by
    the dataset's median recorded seconds (`…_of_median`).

    answers: by target, what each candidate of its pool was given before its training; medians: by target.
    """
    rng = np.random.default_rng(seed)
    groups = np.unique(np.concatenate([curves.pool.groups for curves in pools]))
    weights = np.vstack([np.ones(len(groups)), rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)),
                                                               BOOTSTRAPS)])
    rows = []
    for count in TIMED:
        found = {}
        for curves in pools:
            target, real = curves.pool.target, curves.seconds[:, 0]
            expected = np.array([np.nan if given.score is None or given.score.seconds is None else given.score.seconds
                                 for given in answers[target]], float)
            predicted = ~np.isnan(expected)
            mine = weights[:, np.searchsorted(groups, curves.pool.groups[predicted])]
            timed = np.stack([rng.permutation(int(predicted.sum()))[:count] for _ in range(DRAWS if count else 1)])
            found[target] = {name + of: values for of, guess in
                             (("", expected[predicted]), ("_of_median", np.full(int(predicted.sum()), medians[target])))
                             for name, values in _errors(real[predicted], guess, timed, mine).items()}
            rows.append(_row(target, count, int(predicted.sum()), found[target]))
        mean = {name: np.mean([values[name] for values in found.values()], axis=0)
                for name in found[pools[0].pool.target]}
        rows.append(_row("all", count, sum(row["n"] for row in rows[-len(pools):]), mean))
    return rows


def _errors(real: np.ndarray, expected: np.ndarray, timed: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Median absolute difference of the logarithms and R² (1 + BOOTSTRAPS,) of the candidates that were not timed.
    timed: their places (draws, count); weights: of the candidates (1 + BOOTSTRAPS, n)."""
    logs, differences = np.log(real), []
    for places in timed:
        off = np.log(expected * factor_of(real[places], expected[places])) - logs
        off[places] = np.nan
        differences.append(off)
    table = np.array(differences)
    left = ~np.isnan(table)
    squares = np.where(left, table, 0) ** 2
    weight = weights @ left.T  # (1 + BOOTSTRAPS, draws)
    middle = weights @ (left * logs).T / np.maximum(weight, 1e-9)
    whole = weights @ (left * logs**2).T / np.maximum(weight, 1e-9) - middle**2
    error = weights @ squares.T / np.maximum(weight, 1e-9)
    order = np.argsort(np.abs(table[left]))
    sizes, places = np.abs(table[left])[order], np.nonzero(left)[1][order]
    share = np.cumsum(weights[:, places], axis=1)
    half = [int(np.searchsorted(row, row[-1] / 2)) for row in share]
    return {"log": sizes[np.minimum(half, len(sizes) - 1)], "r2": (1 - error / np.maximum(whole, 1e-9)).mean(axis=1)}


def _row(target: str, count: int, n: int, found: Mapping[str, np.ndarray]) -> dict:
    row: dict[str, object] = {"target": target, "timed": count, "n": n}
    for of in ("", "_of_median"):
        low, high = np.percentile(found[f"log{of}"][1:], [2.5, 97.5])
        row |= {f"ratio{of}": _ratio(found[f"log{of}"][0]), f"ratio{of}_low": _ratio(low),
                f"ratio{of}_high": _ratio(high), f"r2{of}": round(float(found[f"r2{of}"][0]), 3)}
    return row


def _ratio(difference: float) -> float:
    return round(float(np.exp(difference)), 3)
