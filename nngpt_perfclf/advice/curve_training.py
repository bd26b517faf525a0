"""How the steps from epoch to epoch are fitted on recorded trials, and how well they predict."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.curve_model import EPOCHS, CurveModel, Step, fit_step, with_trust
from nngpt_perfclf.advice.dataset_model import Curves, DatasetModel, accuracy_at, logit_above_chance, percentiles_of
from nngpt_perfclf.advice.trees import weights_of
from nngpt_perfclf.console import say
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.tasks.pairs import KEYS
from nngpt_perfclf.types import PerfclfError, Score

FEWEST = 20  # trials that a step is fitted on
GROUP_POWER = 0.5  # near-duplicates weigh as the square root of their number: chosen on validation


@dataclass(frozen=True)
class _Curves:
    """The recorded `table`, a row a trial and a column an epoch, with its part, and what belongs to its trials."""

    table: pd.DataFrame
    data: TaskData
    classes: Mapping[str, int]

    def part(self, name: str, *epochs: int) -> pd.DataFrame:
        """The trials of a part with results at `epochs`, with their weight."""
        found = self.table[self.table["part"] == name].dropna(subset=list(epochs))
        if len(found) < FEWEST:
            raise PerfclfError(f"only {len(found)} trials of the {name} part have results at the epochs "
                               f"{', '.join(map(str, epochs))}: at least {FEWEST} are needed")
        return found.assign(weight=weights_of(found["nn"], self.data.networks["group"], GROUP_POWER))

    def log_odds(self, trials: pd.DataFrame, epoch: int) -> np.ndarray:
        return logit_above_chance(trials[epoch].to_numpy(float), self._classes(trials))

    def accuracies(self, trials: pd.DataFrame, log_odds: np.ndarray) -> np.ndarray:
        return accuracy_at(log_odds, self._classes(trials))

    def _classes(self, trials: pd.DataFrame) -> np.ndarray:
        return trials["dataset"].map(self.classes).to_numpy(float)


def fit_curves(data: TaskData, scorer: Scorer) -> tuple[CurveModel, dict[int, Curves], dict]:
    """The steps, the recorded accuracies by epoch, and figures on the validation part.

    Steps from seen epochs are fitted on the training part; those from epoch 0, and how much the scorer counts, on the
    validation part, whose networks the scorer has not learned from. Raises PerfclfError where trials are too few.
    """
    classes = {name: properties.classes for name, properties in data.datasets.items()}
    curves = _Curves(data.curves(EPOCHS).join(_expected(data, scorer)).reset_index(), data, classes)
    recorded = {epoch: Curves.fit(curves.part("train", epoch).rename(columns={epoch: "accuracy"}), classes)
                for epoch in EPOCHS}
    steps: dict[tuple[int, int], Step] = {}
    result: dict[str, float] = {}
    for aim in EPOCHS:
        for seen in (0, *EPOCHS[:EPOCHS.index(aim)]):
            held_out = curves.part("validation", *((seen,) if seen else ()), aim, "percentile")
            start = curves.log_odds(held_out, seen) if seen else _starts(held_out, recorded[aim], curves)
            later = curves.log_odds(held_out, aim)
            step = _learned(curves, seen, aim) if seen else fit_step(start, later, held_out["weight"])
            percentiles = held_out["percentile"].to_numpy()
            if seen:
                step = with_trust(step, start, later, percentiles, held_out["weight"])
            steps[seen, aim] = step
            expected = curves.accuracies(held_out, step(start, percentiles if seen else None))
            result[f"validation_r2_epoch_{aim}_after_{seen}"] = explained(held_out[aim].to_numpy(), expected)
    return CurveModel(steps), recorded, result


def _learned(curves: _Curves, seen: int, aim: int) -> Step:
    trials = curves.part("train", seen, aim)
    return fit_step(curves.log_odds(trials, seen), curves.log_odds(trials, aim), trials["weight"])


def _expected(data: TaskData, scorer: Scorer) -> pd.Series:
    """What the scorer expects of the validation part's trials: the percentile of each, NaN without an opinion."""
    trials = data.part("validation").drop_duplicates(KEYS)
    found = []
    for target, candidates, rows in data.candidates(trials):
        say(f"scoring {len(rows):,} validation trials on {target}")
        scores = scorer.score(candidates, target)
        index = pd.MultiIndex.from_arrays([[target] * len(rows), rows["nn"].astype("str"), rows["trial"]], names=KEYS)
        ranges = [(score.percentile, score.low, score.high) if score and score.decided else (np.nan,) * 3
                  for score in scores]
        found.append(pd.DataFrame(ranges, index, ["percentile", "low", "high"]))
    return pd.concat(found)


def _starts(held_out: pd.DataFrame, recorded: Curves, curves: _Curves) -> np.ndarray:
    """What the expected percentiles amount to, in log-odds above chance."""
    found = np.empty(len(held_out))
    for target in held_out["dataset"].unique():
        own = (held_out["dataset"] == target).to_numpy()
        scores = [Score(0.0, row.percentile, row.low, row.high, True, "") for row in held_out[own].itertuples()]
        accuracy = DatasetModel.recorded(recorded, target).accuracy(percentiles_of(scores))[0]
        found[own] = logit_above_chance(accuracy, curves.classes[target])
    return found


def explained(reached: np.ndarray, expected: np.ndarray) -> float:
    """R²: the share of the variance of `reached` (n,) that `expected` (n,) explains."""
    left, whole = ((reached - expected) ** 2).sum(), ((reached - reached.mean()) ** 2).sum()
    return round(float(1 - left / max(whole, 1e-12)), 4)
