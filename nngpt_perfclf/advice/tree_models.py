"""What the two LightGBM advisers share: how they answer, are trained and are kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from nngpt_perfclf.advice.base import Adviser, note_on_recipes
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.run_folders import common, folder_of
from nngpt_perfclf.advice.trees import Forest
from nngpt_perfclf.advice.weights import DRAWS, MODES, Weights, accuracy, fit_weights, load_weights, save_weights
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import TaskData, question_of
from nngpt_perfclf.types import PerfclfError, Question


@dataclass(frozen=True)
class TreeModel:
    """Trees of one label and mode. `datasets`: that were learned from, whose order numbers them; `reads`: code, recipe,
    both or nothing."""

    forest: Forest | None
    datasets: tuple[str, ...]
    reads: str

    @property
    def reads_code(self) -> bool:
        return self.reads in ("code", "both")

    @property
    def reads_recipe(self) -> bool:
        return self.reads in ("recipe", "both")

    def log_odds(self, questions: Sequence[Question], datasets: Mapping[str, DatasetProperties]) -> np.ndarray:
        """Evidence (n,) that `ds_a` is the better one; exchanging the sides changes the sign and no bit."""
        raise NotImplementedError


# Data, and by mode the models that were fitted on its training part.
Held = tuple["TaskData", Mapping[str, TreeModel]]


@dataclass
class TreeAdviser(Adviser):
    """`models`: for questions with both recipes, and for all others, which read the code alone."""

    models: Mapping[str, TreeModel] = field(default_factory=dict)
    sources: ClassVar[tuple[str, ...]] = ("trees",)

    def evidence(self, questions: Sequence[Question]) -> np.ndarray:
        found = np.empty(len(questions))
        has_recipes = np.array([question.has_recipes for question in questions], bool)
        for mode, chosen in zip(MODES, (has_recipes, ~has_recipes), strict=True):
            asked = [questions[place] for place in np.flatnonzero(chosen)]
            found[chosen] = self.models[mode].log_odds(asked, self.datasets)
        return found[:, None]

    def note(self, question: Question) -> str:
        return note_on_recipes(question)


def load_trees(kind: str, model: type[TreeModel], config: Config) -> dict:
    """What a TreeAdviser of this kind is made with, by the names of its fields; raises PerfclfError where a file is
    missing or damaged."""
    folder = folder_of(config, kind)
    record = RunFolder(folder).manifest
    models = {mode: model(Forest.load(folder / file_of(config.label, mode)), tuple(record["datasets"]), reads)
              for mode, reads in reads_of(record["reads"]).items()}
    return {"name": folder.name, "prior": load_prior(folder, config.label), "models": models, **common(config),
            "weights": load_weights(folder, config.label, TreeAdviser.sources)}


def train_trees(kind: str, model: type[TreeModel], config: Config, out: Path,
                fit: Callable[[TaskData, str, dict[str, TreeModel]], dict[str, TreeModel]],
                check: Callable[[str, Sequence[Held]], None] = lambda label, held: None) -> dict:
    """Fit and calibrate the trees of each of `config.train.labels`; leave a run folder that `load_trees` reads.

    fit: given the data, a label and a model without trees for each mode, returns them with trees, fitted on the
    training part. check: given a label and, for each fold, the data with the models that have not learned from its
    validation part. Raises PerfclfError for a split that leaves nothing to learn from or to calibrate on.
    """
    import pandas as pd

    data = TaskData.load(config)
    learned, folds = data_of(data)
    out.mkdir(parents=True, exist_ok=True)
    priors, weights, result, datasets = {}, {}, {}, ()
    for label in config.train.labels:
        say(f"fitting {kind} trees for label={label}")
        pairs = data.pairs(label, DRAWS, ties=False)
        parts = [pairs[(pairs["part"] != "test") & (pairs["nn"].map(fold.networks["part"]) == "validation")]
                 for fold in folds]
        questions = [[question_of(row, data.codes) for row in part.itertuples()] for part in parts]
        checked = pd.concat(parts)
        if checked.empty:
            raise PerfclfError("no pairs to calibrate on: change split.*")
        blanks = {mode: model(None, (), reads) for mode, reads in reads_of(config.advice.features).items()}
        held = [(fold, fit(fold, label, blanks)) for fold in folds]
        check(label, held)
        won, slopes = (checked["better"] == checked["ds_a"]).to_numpy(), {}
        for mode, fitted in (held[0][1] if learned is data else fit(learned, label, blanks)).items():
            fitted.forest.save(out / file_of(label, mode))
            datasets = fitted.datasets
            log_odds = np.concatenate([models[mode].log_odds(asked, data.datasets)
                                       for (_, models), asked in zip(held, questions, strict=True)])
            slopes[mode] = fit_weights(log_odds[:, None], won)
            result[f"validation_{label}_{mode}"] = accuracy(log_odds, won)
        result[f"validation_{label}_n"] = len(checked)
        priors[label], weights[label] = PairPrior.fit(data.pairs(label, part="train")), Weights(**slopes)
    save_priors(priors, out)
    save_weights(weights, TreeAdviser.sources, out)
    RunFolder(out).note(manifest(kind, to_dict(config), data.fingerprint, status="done", result=result,
                                 datasets=list(datasets), reads=config.advice.features))
    return {"run": str(out), **result}


def data_of(data: TaskData) -> tuple[TaskData, list[TaskData]]:
    """The data whose training part the trees of an adviser learn from, and those whose validation parts it is
    calibrated on, by trees of their training parts: the same, or with `train.folds` cross-validation folds."""
    count = data.config.train.folds
    return (data, [data]) if count is None else (data.without_validation(), data.folds(count))


def file_of(label: str, mode: str) -> str:
    """The file of a label's trees, for questions with recipes or without."""
    return f"{label}-{mode}.npz"


def reads_of(features: str) -> dict[str, str]:
    """What the trees of each mode read, given what the configuration lets them read."""
    return dict(zip(MODES, (features, "nothing" if features == "recipe" else "code"), strict=True))
