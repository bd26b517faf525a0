"""What a pointwise run folder keeps besides its trees, so that outcomes can be taken into account."""

from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.dataset_model import Curves
from nngpt_perfclf.advice.outcomes import numbers_of
from nngpt_perfclf.advice.residuals import Similarity
from nngpt_perfclf.advice.side_models import LARGE_GROUPS_TRIALS, training_trials
from nngpt_perfclf.tasks import TaskData

SAMPLE = 4_000  # trials that the scales are taken from


def leave_knowledge(data: TaskData, out: Path) -> None:
    """Write the recorded accuracies of each dataset and the scales of likeness, both of the training part."""
    Curves.fit(data.part("train"), {name: properties.classes for name, properties in data.datasets.items()}).save(out)
    scales_of(data).save(out)


def scales_of(data: TaskData) -> Similarity:
    """The scales of likeness in a sample of the training trials."""
    trials = training_trials(data, LARGE_GROUPS_TRIALS["text"])
    trials = trials.sample(min(SAMPLE, len(trials)), random_state=data.config.seed)
    recipes, networks = [], []
    for target, candidates, _ in data.candidates(trials):
        recipe, network = numbers_of(candidates, target, data.datasets)
        recipes.append(recipe)
        networks.append(network)
    return Similarity.fit(np.concatenate(recipes), np.concatenate(networks))
