"""A made-up world of learning curves: every network learns at one pace, and steps from epoch to epoch are known."""

import numpy as np
import pandas as pd
from little_world import made_trials

from nngpt_perfclf.advice.curve_model import EPOCHS, CurveModel, Step
from nngpt_perfclf.advice.curves import CurveAdviser
from nngpt_perfclf.advice.dataset_model import BINS, Curves
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Score


def made_model() -> CurveModel:
    return CurveModel({(seen, aim): Step(0.1 * (aim - seen), 1.0, 0.2 * (aim - seen) ** 0.5, 0.1)
                       for seen in (0, *EPOCHS) for aim in EPOCHS if seen < aim})


def made_adviser(epoch=5, percentile=0.5, opinion=True) -> CurveAdviser:
    """On svhn and mnist accuracies are spread evenly from 0.1 to 0.9."""
    recorded = Curves({name: np.linspace(0.1, 0.9, BINS + 1) for name in ("svhn", "mnist")}, {"svhn": 10, "mnist": 10})

    class Fixed:
        def score(self, candidates, target):
            assert not any(candidate.seen for candidate in candidates)
            score = Score(0.0, percentile, percentile / 2, (1 + percentile) / 2, True, "made up")
            return [score if opinion else None for _ in candidates]

    return CurveAdviser(Fixed(), made_model(), recorded, dataset_properties(None), epoch)


def made_curves() -> pd.DataFrame:
    """The little world's trials at all recorded epochs: accuracy and seconds grow with each."""
    first, random = made_trials(draws=1), np.random.default_rng(1)
    final = np.clip(first["accuracy"] + random.normal(0, 0.03, len(first)), 0.01, 0.99)
    return pd.concat([first.assign(epoch=epoch, accuracy=first["accuracy"] ** (1 / epoch) * 0.5 + final * 0.5,
                                   duration=10.0 * epoch) for epoch in EPOCHS], ignore_index=True)
