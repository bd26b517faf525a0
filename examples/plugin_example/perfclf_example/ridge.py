"""Ridge regression of a trial's percentile on its recipe, one for each dataset; the code of the network is not read."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf import AdviserSpec, PerfclfError, Score
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.run_folder import RunFolder, manifest

NAME = "ridge"
FILE = "ridge.json"  # dataset -> weights, and the spread of validation trials around the prediction
PENALTY = 1.0


@dataclass(frozen=True)
class RidgeAdviser:
    """`models`: by dataset. It has `score` alone: pair questions are answered by the difference of two scores."""

    models: dict

    def score(self, candidates, target):
        if target not in self.models:
            return [None] * len(candidates)
        return [self._score(candidate.recipe, **self.models[target]) for candidate in candidates]

    def _score(self, recipe, weights, spread):
        if recipe.lr is None:
            return None
        expected = float(np.clip(numbers(recipe) @ np.array(weights), 0.01, 0.99))
        low, high = max(0.0, expected - 1.28 * spread), min(1.0, expected + 1.28 * spread)  # 80 % of a normal law
        # An interval as wide as that of a network about which nothing is known decides nothing.
        return Score(math.log(expected / (1 - expected)), expected, low, high, decided=high - low < 0.8,
                     reason=f"ridge regression on the recipe: better than {expected:.0%} of the recorded trials")


def numbers(recipe):
    """What is regressed on; what a recipe does not state takes LEMUR's usual value."""
    lr, momentum = math.log10(recipe.lr or 0.01) + 2, 0.5 if recipe.momentum is None else recipe.momentum
    return np.array([1.0, lr, lr * lr, momentum, math.log2(recipe.batch or 64) - 6])


def load(config):
    """The run folder that `config.adviser` names; by its own name, the models that come with this package."""
    folder = Path(__file__).parent if config.adviser == NAME else Path(config.adviser)
    return RidgeAdviser(read_json(folder / FILE))


def train(config, out):
    """Fit on the training trials, measure the spread on the validation trials, leave a run folder that `load` opens."""
    from nngpt_perfclf.config import to_dict
    from nngpt_perfclf.tasks import TaskData

    data = TaskData.load(config)
    learned, held_out = data.part("train"), data.part("validation")
    models, missed = {}, []
    for dataset in sorted(set(learned["dataset"]) & set(held_out["dataset"])):
        rows, ranks = rows_of(learned[learned["dataset"] == dataset])
        weights = np.linalg.solve(rows.T @ rows + PENALTY * np.eye(rows.shape[1]), rows.T @ ranks)
        rows, ranks = rows_of(held_out[held_out["dataset"] == dataset])
        errors = ranks - rows @ weights
        models[dataset] = {"weights": weights.round(6).tolist(), "spread": round(float(errors.std()), 6)}
        missed += errors.tolist()
    if not models:
        raise PerfclfError("no dataset has trials to learn from and to check by: change split.*")
    result = {"validation_n": len(missed), "validation_error": float(np.std(missed))}
    write_json(out / FILE, models)
    RunFolder(out).note(manifest(NAME, to_dict(config), data.fingerprint, status="done", result=result))
    return {"run": str(out), **result}


def rows_of(trials):
    """The numbers (n, 5) of the trials' recipes, and their percentiles (n,)."""
    from nngpt_perfclf.tasks import recipe_of

    return np.stack([numbers(recipe_of(row)) for row in trials.itertuples()]), trials["rank"].to_numpy(float)


SPEC = AdviserSpec(NAME, load, train)
