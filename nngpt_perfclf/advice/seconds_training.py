"""Which recorded trials the seconds of an epoch are learned from."""

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.seconds_model import SecondsModel
from nngpt_perfclf.advice.side_models import sides_in
from nngpt_perfclf.advice.structures import profiles_of
from nngpt_perfclf.console import say
from nngpt_perfclf.profiling.types import shapes_of
from nngpt_perfclf.tasks import TaskData

NETWORKS = 800  # (network, images) in the sample: each has to be built
TRIALS = 4  # of one network and images on one dataset


def fit_seconds(data: TaskData) -> tuple[SecondsModel, dict]:
    """The model of the training part, and what it was fitted on."""
    trials = sample_of(data)
    say(f"building the networks of {len(trials):,} trials")
    sides, seconds = sides_in(trials, data.codes), seconds_of(trials, data)
    structures = [found.structure for found in profiles_of(sides, data.datasets)]
    built = sum(structure is not None for structure in structures)
    model = SecondsModel.fit(sides, structures, seconds, data.datasets, data.config.seed, data.config.threads)
    return model, {"trials": len(trials), "built": built}


def seconds_of(trials: pd.DataFrame, data: TaskData) -> np.ndarray:
    """The seconds of one epoch of each trial: epochs of one training hardly differ."""
    return trials["duration"].to_numpy(float) / data.config.epoch


def sample_of(data: TaskData) -> pd.DataFrame:
    """Trials of `NETWORKS` networks at one size of images, near-duplicates less likely than others: with probability in
    proportion to one over the square root of their number."""
    trials = data.part("train")
    trials = trials.assign(group=trials["nn"].map(data.networks["group"]).astype("str"),
                           shapes=[shapes_of(recipe, dataset, data.datasets)
                                   for _, dataset, recipe in sides_in(trials, data.codes)])
    size = trials.drop_duplicates("nn")["group"].value_counts()
    networks = trials.drop_duplicates(["nn", "shapes"])
    weights = networks["group"].map(size).to_numpy(float) ** -0.5
    # The largest of these keys are a sample without replacement (Efraimidis and Spirakis, 2006).
    keys = np.log(np.random.default_rng(data.config.seed).random(len(networks))) / weights
    chosen = networks.iloc[np.argsort(-keys)[:NETWORKS]]
    drawn = set(zip(chosen["nn"], chosen["shapes"], strict=True))
    kept = [key in drawn for key in zip(trials["nn"], trials["shapes"], strict=True)]
    ordered = trials[kept].sort_values(["nn", "dataset", "trial"])
    return ordered.groupby(["nn", "shapes", "dataset"], observed=True, sort=False).head(TRIALS)
