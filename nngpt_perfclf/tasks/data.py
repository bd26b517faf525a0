"""TaskData: the recorded trials of a task with codes, groups, parts and pairs, in one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.tasks.pairs import (
    anchor_recipes,
    labelled_trials,
    make_pairs,
    question_of,
    recipe_of,
    recorded_curves,
)
from nngpt_perfclf.tasks.splits import add_split, split_networks, trials_of_part
from nngpt_perfclf.tasks.task import load_task
from nngpt_perfclf.types import Candidate, PerfclfError, Question

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from nngpt_perfclf.config import Config
    from nngpt_perfclf.corpus import Corpus
    from nngpt_perfclf.datasets import DatasetProperties
    from nngpt_perfclf.tasks.task import Task
    from nngpt_perfclf.types import Recipe


@dataclass(frozen=True, eq=False)
class TaskData:
    """A task's recorded trials under one configuration (epoch, seed, split)."""

    config: Config
    corpus: Corpus
    task: Task

    @staticmethod
    def load(config: Config) -> TaskData:
        """The data of a configuration; raises PerfclfError if LEMUR or the task is not found."""
        return TaskData(config, load_corpus(config), load_task(config.task))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trials at the configured epoch with both labels, `norm` and `rank`, in 0..1."""
        return labelled_trials(self.corpus, self.task, self.config.epoch)

    @cached_property
    def codes(self) -> dict[str, str]:
        """The code of every network that has trials of the task, at any epoch."""
        trials, task = self.corpus.trials, self.task
        networks = trials.loc[(trials["task"] == task.task) & (trials["metric"] == task.metric), "nn"].unique()
        return {nn: self.corpus.codes[nn] for nn in networks if nn in self.corpus.codes}

    @cached_property
    def networks(self) -> pd.DataFrame:
        """Near-duplicate group, family and part of every network, indexed by name."""
        return split_networks(self.codes, self.config.split)

    @cached_property
    def anchors(self) -> dict[str, Recipe]:
        """Anchor recipes: the recipe of each dataset's median trial in the training part."""
        return anchor_recipes(self.part("train"))

    @cached_property
    def datasets(self) -> Mapping[str, DatasetProperties]:
        """The properties of the datasets; raises PerfclfError for trials of a dataset without properties."""
        properties = dataset_properties(self.config.datasets)
        if unknown := set(self.trials["dataset"]) - set(properties):
            raise PerfclfError(f"no properties of {', '.join(sorted(unknown))}: give them in a file, datasets=FILE")
        return properties

    @property
    def fingerprint(self) -> str:
        """Hex digest of the corpus."""
        return self.corpus.fingerprint

    def curves(self, epochs: Sequence[int], value: str = "accuracy") -> pd.DataFrame:
        """Every trial's accuracy or duration at `epochs`, whatever the configured one, as `recorded_curves` gives it,
        with the `part` of its network."""
        table = recorded_curves(self.corpus, self.task, epochs, value)
        kept = table.index.get_level_values("dataset") != self.config.split.left_out
        return table.assign(part=table.index.get_level_values("nn").map(self.networks["part"]))[kept]

    def folds(self, count: int) -> list[TaskData]:
        """The same trials with each of `count` equal shares of the groups outside the test part as the validation part;
        all others are the training part. Raises PerfclfError for fewer than two."""
        if count < 2:
            raise PerfclfError(f"train.folds={count}: at least 2, or null")
        share = (1 - self.config.split.test) / count
        return [self._with_split(validation=share, fold=number) for number in range(count)]

    def without_validation(self) -> TaskData:
        """The same trials with everything outside the test part in the training part."""
        return self._with_split(validation=0.0, fold=0)

    def _with_split(self, **changes: float) -> TaskData:
        return replace(self, config=replace(self.config, split=replace(self.config.split, **changes)))

    def part(self, name: str) -> pd.DataFrame:
        """The single trials of one part (train, validation or test); raises as `trials_of_part` does."""
        return trials_of_part(self.trials, self.networks, self.config.split, name)

    def questions(self, pairs: pd.DataFrame) -> tuple[list[Question], np.ndarray]:
        """The question of each pair, with both recipes, and where `ds_a` is the better one (n,)."""
        return ([question_of(row, self.codes) for row in pairs.itertuples()],
                (pairs["better"] == pairs["ds_a"]).to_numpy())

    def candidates(self, trials: pd.DataFrame) -> Iterator[tuple[str, list[Candidate], pd.DataFrame]]:
        """Of each dataset with some of the `trials`: its name, a candidate for each of its trials, and these trials."""
        for dataset, rows in trials.groupby("dataset", observed=True):
            candidates = [Candidate(row.nn, self.codes[row.nn], recipe_of(row)) for row in rows.itertuples()]
            yield str(dataset), candidates, rows

    def pairs(self, label: str | None = None, draws: int = 1, part: str | None = None,
              ties: bool = True) -> pd.DataFrame:
        """Labelled pairs with their group, family and part.

        label: by default the configured one. draws: pairs of random trials for each network and pair of datasets (with
        best trials there is one). part: only pairs of this part. ties: whether tied pairs are included.
        """
        import pandas as pd

        config = self.config
        draws = draws if config.trial == "random" else 1
        tables = [make_pairs(self.trials, label or config.label, config.trial, config.seed + 1000 * draw)
                  for draw in range(draws)]
        pairs = add_split(pd.concat(tables, ignore_index=True), self.networks, config.split)
        kept = pairs if part is None else pairs[pairs["part"] == part]
        return kept if ties else kept[~kept["tie"]]
