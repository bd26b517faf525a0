"""What the trainer learns from: questions drawn from the training part, several about each code, as tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nngpt_perfclf.config import Config
from nngpt_perfclf.models.encoder import Encoder
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.tasks import LABELS, make_pairs
from nngpt_perfclf.types import PerfclfError, Question

LEAST_DRAWS, MOST_DRAWS = 3, 10  # of the trials of each pair: so many different recipes
_LABELS_A_DRAW = 8_000


@dataclass(frozen=True)
class Lesson:
    """Questions about one network: `pairs` (its rows), the `labels` asked about, and which have no recipes; `by_code`:
    whether its code view is shown even where it could be built."""

    pairs: pd.DataFrame
    labels: tuple[str, ...]
    code_only: tuple[bool, ...]
    by_code: bool = False


def draw_lessons(trials: pd.DataFrame, networks: pd.DataFrame, config: Config) -> list[Lesson]:
    """`config.train.labels_count` labels, `questions_per_code` about each drawn network.

    trials: labelled ones of the training part at one epoch; networks: group by name. A network is drawn the less often
    the more near-duplicates it has (by the square root), so that the largest groups do not dominate. Raises
    PerfclfError where the training part has no pair.
    """
    random = np.random.default_rng(config.seed)
    most = min(MOST_DRAWS, LEAST_DRAWS + config.train.labels_count // _LABELS_A_DRAW)
    draws = [make_pairs(trials, config.label, config.trial, config.seed + 1000 * draw) for draw in range(most)]
    pool = pd.concat(draws, ignore_index=True)
    rows_of = {nn: rows.to_numpy() for nn, rows in pool.groupby("nn").groups.items()}
    names = sorted(rows_of)
    sizes = networks.loc[names, "group"].map(networks.loc[names, "group"].value_counts()).to_numpy(float)
    chance = sizes**-0.5 / (sizes**-0.5).sum()
    lessons, left = [], config.train.labels_count
    while left > 0:
        rows = rows_of[names[random.choice(len(names), p=chance)]]
        count = min(config.train.questions_per_code, len(rows), left)
        chosen = random.choice(rows, count, replace=False)
        labels = tuple(random.choice(config.train.labels, count).tolist())
        code_only = tuple((random.random(count) < config.train.code_only_share).tolist())
        lessons.append(Lesson(pool.loc[chosen], labels, code_only, random.random() < config.train.code_view_share))
        left -= count
    return lessons


def soft_labels(pairs: pd.DataFrame, labels: Sequence[str], label_temperature: float) -> np.ndarray:
    """The target, shape (n,): 1 where `ds_a` is the better one, 0 where it is not, 0.5 for a tie; with a
    `label_temperature` > 0 the logistic of the labels' difference divided by it."""
    gap = np.array([row[f"{LABELS[label]}_a"] - row[f"{LABELS[label]}_b"]
                    for (_, row), label in zip(pairs.iterrows(), labels, strict=True)], float)
    return 1 / (1 + np.exp(-gap / label_temperature)) if label_temperature > 0 else (np.sign(gap) + 1) / 2


def side_labels(pairs: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """The labels of both sides of each pair, shape (n, 2), in 0..1."""
    return np.array([[row[f"{LABELS[label]}_{side}"] for side in "ab"]
                     for (_, row), label in zip(pairs.iterrows(), labels, strict=True)], float).reshape(-1, 2)


def log_loss(log_odds: np.ndarray, target: np.ndarray) -> float:
    """The mean log-loss, in nats a question, of log-odds (n,) that `ds_a` is the better one; target: 0..1, as
    `soft_labels` gives it."""
    return float(np.mean(np.logaddexp(0, log_odds) - target * log_odds))


def option_row(encoder: Encoder, prompts: Sequence[Prompt], target: np.ndarray, offset: np.ndarray,
               longest: int) -> dict[str, list]:
    """One code and its questions as the OptionsCollator reads them; raises PerfclfError where a row is too long."""
    asked = [encoder.asked(prompt) for prompt in prompts]
    if len({question.prefix for question in asked}) != 1:
        raise PerfclfError("questions of one row must share their prefix: does the template put the code first?")
    _check_length(max(len(question.prefix) + len(question.question) for question in asked), longest)
    return {"prefix": list(asked[0].prefix), "questions": [list(question.question) for question in asked],
            "first": [question.first for question in asked], "second": [question.second for question in asked],
            "target": target.tolist(), "offset": offset.tolist()}


def completion_row(encoder: Encoder, prompt: Prompt, answer: str, full: bool, longest: int) -> dict[str, list[int]]:
    """One prompt and its answer with the terminator; `full`: the loss covers the prompt too, as in the reference."""
    ids, completion = encoder.row(prompt, answer)
    _check_length(len(ids) + len(completion), longest)
    labels = (ids if full else [-100] * len(ids)) + completion
    return {"input_ids": ids + completion, "labels": labels}


def row_tokens(row: dict[str, list]) -> int:
    """The tokens of a training row of either kind."""
    return len(row["input_ids"]) if "input_ids" in row else len(row["prefix"]) + sum(map(len, row["questions"]))


def _check_length(length: int, longest: int) -> None:
    if length > longest:
        raise PerfclfError(f"a training row of {length} tokens is longer than train.max_tokens={longest}: "
                           "lower code_tokens or raise train.max_tokens; rows are never cut")


# From questions, the label of each and the near-duplicate group (n,) whose trials must not count: log-odds of `ds_a`
# known before reading, (n,).
Offsets = Callable[[Sequence[Question], Sequence[str], np.ndarray], np.ndarray]
