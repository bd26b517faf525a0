"""Predictions of an adviser for many pairs, written in shards so that a killed run loses at most one shard, and how
long they will take on this machine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf import processes
from nngpt_perfclf.advice.adapters import both_orders
from nngpt_perfclf.advice.base import Adviser, some_networks
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.advice.stack import StackAdviser
from nngpt_perfclf.budget import measured_rate
from nngpt_perfclf.console import progress
from nngpt_perfclf.files import read_parquet, write_parquet
from nngpt_perfclf.tasks import question_of
from nngpt_perfclf.types import Question

RecipeView = Callable[[Question], Question]  # a question as the adviser sees it
_LEAST, _LARGEST = 4, 256  # networks in a sample, by whose time that of all is estimated
SHARD = 128  # pairs, at least: all questions about a network are in one shard, so that its code is computed once


def predict(adviser: object, pairs: pd.DataFrame, codes: Mapping[str, str], prior: PairPrior,
            view: RecipeView = lambda question: question) -> pd.DataFrame:
    """The pairs with the adviser's predictions, in the same order.

    New columns: `logit_ab` and `logit_ba`, the log-odds that `ds_a` is the better one, for each order of the question;
    `p_a`, the probability of the averaged log-odds (NaN: no opinion); `prior_a`, the majority baseline's probability.
    """
    questions = [view(question_of(row, codes)) for row in pairs.itertuples()]
    logit_ab, logit_ba = both_orders(adviser, questions)
    p_a = 1 / (1 + np.exp(-(logit_ab + logit_ba) / 2))
    prior_a = [prior(question.ds_a, question.ds_b) for question in questions]
    return pairs.assign(p_a=p_a, logit_ab=logit_ab, logit_ba=logit_ba, prior_a=np.array(prior_a, float))


def predict_in_shards(adviser: object, pairs: pd.DataFrame, codes: Mapping[str, str], folder: Path,
                      prior: PairPrior, view: RecipeView = lambda question: question) -> pd.DataFrame:
    """As `predict`, with the rows sorted by network; shards that are in `folder` already are read, not computed."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = _ordered(pairs)
    shards = []
    with progress() as bar:
        task = bar.add_task(f"asking {folder.name}", total=len(ordered))
        for number, chunk in enumerate(_chunks(ordered)):
            file = _shard(folder, number)
            # Several processes take turns and read each other's shards afterwards.
            if number % processes.count() == processes.rank() and not file.is_file():
                write_parquet(predict(adviser, chunk, codes, prior, view), file)
            shards.append(file)
            bar.advance(task, len(chunk))
    processes.wait()
    return pd.concat([read_parquet(file, "table of answers", ("nn", "p_a")) for file in shards], ignore_index=True)


def unanswered(pairs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The pairs that `predict_in_shards` still has to ask about."""
    chunks = list(_chunks(_ordered(pairs)))
    return pd.concat([pairs.head(0), *(chunk for number, chunk in enumerate(chunks)
                                       if not _shard(folder, number).is_file())])


def expected_seconds(adviser: object, questions: Sequence[Question]) -> float:
    """Seconds that the questions take in both orders: what the adviser says itself, else from a sample of them."""
    if not questions:
        return 0.0
    if isinstance(adviser, StackAdviser):
        return sum(expected_seconds(part, questions) for part in adviser.parts)
    stated = adviser.reading_seconds(questions) if isinstance(adviser, Adviser) else None
    return _by_sample(adviser, questions) if stated is None else stated


def _by_sample(adviser: object, questions: Sequence[Question]) -> float:
    def ask(networks: int) -> int:
        sample = some_networks(questions, networks)
        both_orders(adviser, sample)
        return len(sample)

    return len(questions) / measured_rate(ask, _LEAST, _LARGEST)


def _ordered(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.sort_values(["nn", "epoch", "ds_a", "ds_b"], ignore_index=True)


def _shard(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.parquet"


def _chunks(pairs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Parts of at least SHARD rows that end with the last row of a network."""
    names = pairs["nn"].to_numpy()
    ends = np.flatnonzero(np.append(names[1:] != names[:-1], True)) + 1
    start = 0
    for end in ends:
        if end - start >= SHARD or end == len(pairs):
            yield pairs.iloc[start:end]
            start = end
