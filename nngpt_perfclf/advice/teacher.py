"""Gradient boosting as a teacher: what it says of training questions about networks that it has not seen.

A label is one throw of a loaded coin; the teacher's probability is nearly the coin itself, so that the language model
needs fewer labels for what trees learn easily (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf.advice.features import CodeReader
from nngpt_perfclf.advice.gbdt import DRAWS, drawn_pairs, fit_forest
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.prompts import dataset_properties
from nngpt_perfclf.tasks import folds, question_of, trials_of_part

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.models.rows import Lesson

FOLDS = 3


def taught(lessons: Sequence[Lesson], trials: pd.DataFrame, codes: Mapping[str, str], networks: pd.DataFrame,
           config: Config) -> list[Lesson]:
    """The lessons with the teacher's probabilities: of each question about recipes, by trees that were fitted on the
    training part without the network, but with its near-duplicates, whose trials tell most about it; NaN for a question
    without recipes.

    trials: labelled ones at one epoch; networks: group and part by name.
    """
    import pandas as pd

    say("asking gradient boosting about what it has not seen")
    known = dataset_properties(config.datasets)
    learning = networks[networks["part"] == "train"]
    fold_of = folds(pd.Series(learning.index, learning.index), FOLDS, config.seed)
    reader = CodeReader.fit([codes[nn] for nn in sorted(learning.index)], config.seed)
    rows = pd.concat([lesson.pairs for lesson in lessons], ignore_index=True)
    labels = np.array([label for lesson in lessons for label in lesson.labels])
    told = ~np.array([bare for lesson in lessons for bare in lesson.bare])
    fold = rows["nn"].map(fold_of).to_numpy()
    chance = np.full(len(rows), np.nan)
    part = trials_of_part(trials, networks, config.split, "train")
    for label in config.train.labels:
        pairs = drawn_pairs(part, label, config, DRAWS)
        for hidden in range(FOLDS):
            asked = np.flatnonzero(told & (labels == label) & (fold == hidden))
            if not len(asked):
                continue
            others = pairs[pairs["nn"].map(fold_of) != hidden]
            forest = fit_forest(others, codes, networks["group"], reader, config, known, "both")
            odds = forest.log_odds([question_of(row, codes) for row in rows.iloc[asked].itertuples()], known)
            chance[asked] = 1 / (1 + np.exp(-odds))
    ends = np.cumsum([len(lesson.labels) for lesson in lessons])
    return [replace(lesson, teacher=chance[end - len(lesson.labels):end])
            for lesson, end in zip(lessons, ends, strict=True)]
