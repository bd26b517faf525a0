"""What is compared: a task's trials become labelled dataset pairs, split so that nothing crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nngpt_perfclf.tasks.groups import near_duplicate_groups
from nngpt_perfclf.tasks.pairs import LABELS, anchor_recipes, labelled_trials, make_pairs, question_of, recipe_of
from nngpt_perfclf.tasks.splits import add_split, family_of, folds, folds_of_pairs, split_networks, trials_of_part
from nngpt_perfclf.tasks.task import Task, load_task

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.config import Config
    from nngpt_perfclf.corpus import Corpus

__all__ = ["LABELS", "Task", "add_split", "anchor_recipes", "codes_of", "export", "family_of", "folds",
           "folds_of_pairs", "labelled_trials", "load_pairs", "load_task", "make_pairs", "near_duplicate_groups",
           "question_of", "recipe_of", "split_networks", "trials_of_part"]


def load_pairs(config: Config, corpus: Corpus, task: Task | None = None) -> pd.DataFrame:
    """The configured pairs with their split; `task` instead of the configured one."""
    task = task or load_task(config.task)
    pairs = make_pairs(labelled_trials(corpus, task, config.epoch), config.label, config.trial, config.seed)
    return add_split(pairs, codes_of(corpus, task), config.split)


def codes_of(corpus: Corpus, task: Task) -> dict[str, str]:
    """The codes of all networks that have trials of the task, at any epoch."""
    trials = corpus.trials
    networks = trials.loc[(trials["task"] == task.task) & (trials["metric"] == task.metric), "nn"].unique()
    return {nn: corpus.codes[nn] for nn in networks if nn in corpus.codes}


def export(config: Config, out: str | None = None) -> dict:
    """Make the configured pairs, write them to `out` (.jsonl or .parquet) if given, and return their counts."""
    from nngpt_perfclf.tasks.export import export as run

    return run(config, out)
