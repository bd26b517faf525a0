"""How much each source of evidence counts: log-odds are a weighted sum of the sources' log-odds.

The weights are those of a logistic regression without intercept, fitted on validation pairs. With one source this is
temperature scaling for two options (Platt scaling without the intercept). An intercept would favour whichever dataset
is named first, and the two orders of a question could no longer agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import PerfclfError, Question

if TYPE_CHECKING:
    from nngpt_perfclf.advice.base import Adviser

FILE = "weights.json"
MODES = ("with_recipe", "code_only")
DRAWS = 4  # pairs of trials for each network and pair of datasets: there are far more trials than one draw shows


@dataclass(frozen=True)
class Weights:
    """One weight for each source (k,), for questions with recipes and for those without."""

    with_recipe: tuple[float, ...]
    code_only: tuple[float, ...]

    @staticmethod
    def ones(sources: Sequence[str]) -> Weights:
        """Every source counts as it is."""
        return Weights((1.0,) * len(sources), (1.0,) * len(sources))

    def __call__(self, evidence: np.ndarray, has_recipes: np.ndarray) -> np.ndarray:
        """Log-odds (n,) from evidence (n, k); `has_recipes` (n,) of bool. A row with NaN gives NaN: no opinion.

        Each row is summed by itself, so that its result does not depend on the other rows.
        """
        weights = np.where(np.asarray(has_recipes, bool)[:, None], self.with_recipe, self.code_only)
        return (np.asarray(evidence, float) * weights).sum(axis=1)


def fit_weights(evidence: np.ndarray, first_won: np.ndarray, used: Sequence[bool] | None = None) -> tuple[float, ...]:
    """The non-negative weights (k,) under which `first_won` (n,) is likeliest, given log-odds `evidence` (n, k) of the
    first dataset; rows with a NaN are left out. A source that is not `used` (k,), or that points the wrong way, gets 0;
    with all weights 0 every answer is 0.5 and undecided.

    Each pair counts in both orders. Raises PerfclfError where there is no pair.
    """
    evidence = np.asarray(evidence, float)
    finite = np.isfinite(evidence).all(axis=1)
    rows, won = evidence[finite], np.asarray(first_won, bool)[finite]
    if not len(rows):
        raise PerfclfError("calibration: no validation pairs with an opinion")
    weights, kept = np.zeros(rows.shape[1]), np.ones(rows.shape[1], bool) if used is None else np.array(used, bool)
    while kept.any():
        weights = np.zeros(len(kept))
        weights[kept] = _logistic(rows[:, kept], won)
        if (weights >= 0).all():
            break
        kept = weights > 0
    return tuple(map(float, np.maximum(weights, 0)))


def fit_on_validation(folds: Iterable[tuple[TaskData, Adviser]],
                      label: str) -> tuple[Weights, dict[str, np.ndarray], np.ndarray]:
    """The weights of an adviser's sources under one label, over the validation pairs of each fold's data and what an
    adviser says of them that has not learned from them; its evidence (n, k) by mode, and where the first dataset won
    (n,). Raises PerfclfError for a split without validation pairs."""
    found, won = {mode: [] for mode in MODES}, []
    for data, adviser in folds:
        pairs = data.pairs(label, DRAWS, "validation", ties=False)
        if pairs.empty:
            raise PerfclfError("no pairs to calibrate on: change split.*")
        questions, first_won = data.questions(pairs)
        won.append(first_won)
        for mode in MODES:
            found[mode].append(adviser.evidence(asked_in(mode, questions)))
    evidence, won = {mode: np.concatenate(parts) for mode, parts in found.items()}, np.concatenate(won)
    return Weights(**{mode: fit_weights(rows, won) for mode, rows in evidence.items()}), evidence, won


def asked_in(mode: str, questions: Sequence[Question]) -> Sequence[Question]:
    """The questions as they are asked in one of `MODES`."""
    return questions if mode == MODES[0] else [question.without_recipes() for question in questions]


def accuracy(log_odds: np.ndarray, first_won: np.ndarray) -> float:
    """The share of pairs whose winner log-odds (n,) of the first dataset name; 0 is half right."""
    return float(np.mean(np.where(log_odds == 0, 0.5, (log_odds > 0) == first_won)))


def save_weights(weights: Mapping[str, Weights], sources: Sequence[str], folder: Path) -> None:
    """Write ``weights.json``: label -> mode -> source -> weight."""
    write_json(folder / FILE, {label: {mode: dict(zip(sources, getattr(fitted, mode), strict=True)) for mode in MODES}
                               for label, fitted in weights.items()})


def load_weights(folder: Path, label: str, sources: Sequence[str] | None = None) -> Weights:
    """The weights of one label, in the order of `sources` (default: as the file has them). Raises PerfclfError where
    they are missing or damaged."""
    content = read_json(folder / FILE)
    try:
        names = list(sources or content[label][MODES[0]])
        return Weights(*(tuple(float(content[label][mode][name]) for name in names) for mode in MODES))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PerfclfError(f"{folder / FILE} holds no weights for label={label}") from error


def sources_of(folder: Path, label: str) -> list[str]:
    """The names of the sources that have weights for a label; raises PerfclfError where there are none."""
    content = read_json(folder / FILE).get(label)
    if not isinstance(content, dict) or not isinstance(content.get(MODES[0]), dict) or not content[MODES[0]]:
        raise PerfclfError(f"{folder / FILE} holds no weights for label={label}")
    return list(content[MODES[0]])


def _logistic(evidence: np.ndarray, first_won: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(fit_intercept=False, C=1e6, max_iter=1000)
    return model.fit(np.vstack([evidence, -evidence]), np.concatenate([first_won, ~first_won])).coef_[0]
