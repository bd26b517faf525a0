"""Labelled pairs of datasets from a task's trials, and splits that keep near-duplicate networks together."""

from nngpt_perfclf.tasks.data import TaskData
from nngpt_perfclf.tasks.groups import near_duplicate_groups
from nngpt_perfclf.tasks.pairs import LABELS, anchor_recipes, labelled_trials, make_pairs, question_of, recipe_of
from nngpt_perfclf.tasks.splits import add_split, family_of, folds, folds_of_pairs, split_networks, trials_of_part
from nngpt_perfclf.tasks.task import Task, load_task

__all__ = ["LABELS", "Task", "TaskData", "add_split", "anchor_recipes", "family_of", "folds",
           "folds_of_pairs", "labelled_trials", "load_task", "make_pairs", "near_duplicate_groups", "question_of",
           "recipe_of", "split_networks", "trials_of_part"]
