"""The paper's protocol: its rows, its order of generating, evaluating and fine-tuning, and what its peak is worth.

The paper reports the best of E rounds, each measured on the same N generated answers. `run_rounds` reproduces that and
adds what is missing: the prior on the same rows, an interval for each round, and how much of the peak is the luck of
taking a maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nngpt_perfclf.console import say
from nngpt_perfclf.evaluation import metrics, read_answer
from nngpt_perfclf.record import read_json, write_json
from nngpt_perfclf.tasks.pairs import PAIR_COLUMNS
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.corpus import Corpus
    from nngpt_perfclf.prompts import Prompt
    from nngpt_perfclf.tasks import Task

MODES = ("strict", "reference")
_SIDE = {"dataset": "ds", "accuracy": "acc", "norm": "norm", "rank": "rank", "trial": "trial", "lr": "lr",
         "momentum": "momentum", "batch": "batch", "dropout": "dropout", "transform": "transform"}

# The model as it stands in a folder (None: as it is, without an adapter) answers prompts with raw texts.
Generate = Callable[[Path | None, Sequence["Prompt"]], list[str]]
# The adapter in the first folder learns prompts and their answers; the new one is left in the second folder.
FineTune = Callable[[Path | None, Sequence["Prompt"], Sequence[str], Path], None]


def paper_rows(corpus: Corpus, task: Task, count: int, seed: int, best: bool, label_epoch: int = 5) -> pd.DataFrame:
    """`count` rows as the reference's query draws them: pairs of trials of one network and epoch on two datasets.

    The query (nn-dataset's join, `JoinConf`) meets trials in random order and lists, for each, all its partners with a
    later identifier before it meets the next: 1,024 rows come from about fifty networks, and the 30 rows of a test from
    a few. So is it done here, cell by cell, without the 6.4 million rows of the whole join. `best`: only the most
    accurate trials of a network, epoch and dataset take part (ties all do), as in the reference's test.

    Columns: those of pairs. The labels are normalised by the dataset's best accuracy at `label_epoch`, whatever the
    row's epoch, and rounded to four places; a tie goes to `ds_a`. Raises PerfclfError where there are fewer rows.
    """
    trials = _trials(corpus, task, label_epoch)
    if best:
        trials = trials[trials["accuracy"] == trials.groupby(["nn", "epoch", "dataset"])["accuracy"].transform("max")]
    trials = trials.reset_index(drop=True)
    first, second = _walk(trials, count, np.random.default_rng(seed))
    if len(first) < count:
        raise PerfclfError(f"task {task.name} has only {len(first)} of the {count} rows that were asked for")
    keep = ["nn", "epoch", *_SIDE]
    sides = [trials.loc[rows, keep].rename(columns={name: f"{short}_{side}" for name, short in _SIDE.items()})
             .reset_index(drop=True) for rows, side in ((first, "a"), (second, "b"))]
    table = pd.concat([sides[0], sides[1].drop(columns=["nn", "epoch"])], axis=1)
    tie = table["norm_a"] == table["norm_b"]
    table = table.assign(better=table["ds_a"].where(table["norm_a"] >= table["norm_b"], table["ds_b"]), tie=tie,
                         margin=(table["norm_a"] - table["norm_b"]).abs())
    return table[list(PAIR_COLUMNS)]


def peak_spread(results: np.ndarray, resamples: int, seed: int = 0) -> dict:
    """What the best of E rounds on the same N prompts is worth; `results`: hits (0..1), shape (E, N).

    `peak`, `last` and `first` round's accuracy (the first is zero-shot); `peak_low` and `peak_high`, the 95 % range of
    the peak when the prompts are drawn anew with replacement; `peak_by_luck`, the mean peak of E rounds that all have
    the mean accuracy of these and differ by chance alone.
    """
    results = np.asarray(results, float)
    rounds, prompts = results.shape
    random = np.random.default_rng(seed)
    drawn = random.integers(0, prompts, (resamples, prompts))
    peaks = results[:, drawn].mean(axis=2).max(axis=0)
    chance = random.binomial(prompts, results.mean(), (resamples, rounds)).max(axis=1) / prompts
    accuracy = results.mean(axis=1)
    low, high = np.quantile(peaks, [(1 - metrics.CONFIDENCE) / 2, (1 + metrics.CONFIDENCE) / 2])
    return {"rounds": rounds, "n": prompts, "peak": float(accuracy.max()), "peak_round": int(accuracy.argmax()),
            "peak_low": float(low), "peak_high": float(high), "peak_by_luck": float(chance.mean()),
            "first": float(accuracy[0]), "last": float(accuracy[-1]), "mean": float(accuracy.mean())}


def run_rounds(rounds: int, lessons: tuple[Sequence[Prompt], Sequence[str]], test: Sequence[Prompt],
               better: Sequence[str], prior_hits: np.ndarray, generate: Generate, fine_tune: FineTune, out: Path,
               adapter: Path | None = None, resamples: int = 2000, seed: int = 0) -> dict:
    """Generate, evaluate, fine-tune, `rounds` times: round 0 is the model as it comes, and nothing is learned after the
    last evaluation, which the reference does and never looks at.

    lessons: prompts and answers to learn; test: prompts whose answers are `better`; prior_hits: the prior's on the same
    rows. Each round's raw texts and adapter stay in `out`, and what stands there is not done again. Gives the rounds'
    rows (n, accuracy with its interval, both ways of matching, unparsed answers, which count as wrong) and the peaks.
    """
    hits: dict[str, list[np.ndarray]] = {mode: [] for mode in MODES}
    rows = []
    for number in range(rounds):
        texts = _generated(out / f"round-{number:02d}.json", lambda: generate(adapter, test))  # noqa: B023
        answers = {mode: [read_answer(text, prompt.options, mode) for text, prompt in zip(texts, test, strict=True)]
                   for mode in MODES}
        for mode in MODES:
            hits[mode].append(np.array([answer == right for answer, right in zip(answers[mode], better, strict=True)],
                                       float))
        rows.append({"round": number, **metrics.rate(hits["strict"][-1]),
                     "as_reference": float(hits["reference"][-1].mean()), "prior": float(np.mean(prior_hits)),
                     "unparsed": sum(answer is None for answer in answers["strict"]),
                     "unparsed_as_reference": sum(answer is None for answer in answers["reference"])})
        say(f"round {number}: {rows[-1]['accuracy']:.1%} of {len(test)} (prior {rows[-1]['prior']:.1%})")
        if number + 1 < rounds:
            learned = out / f"adapter-{number + 1:02d}"
            if not learned.is_dir():
                fine_tune(adapter, *lessons, learned)
            adapter = learned
    spread = {mode: peak_spread(np.array(hits[mode]), resamples, seed) for mode in MODES}
    prior = metrics.rate(prior_hits)
    return {"n": len(test), "peak": spread["strict"]["peak"], "peak_low": spread["strict"]["peak_low"],
            "peak_high": spread["strict"]["peak_high"], "last": spread["strict"]["last"], "prior": prior["accuracy"],
            "prior_low": prior["low"], "prior_high": prior["high"],
            "peaks": [{"matching": mode, **spread[mode]} for mode in MODES], "rounds": rows}


def _generated(file: Path, generate: Callable[[], list[str]]) -> list[str]:
    if not file.is_file():
        write_json(file, {"texts": generate()})
    return read_json(file)["texts"]


def _trials(corpus: Corpus, task: Task, label_epoch: int) -> pd.DataFrame:
    """The task's trials at all epochs with `norm` by the best at one of them, and `rank` at their own."""
    trials = corpus.trials
    trials = trials[(trials["task"] == task.task) & (trials["metric"] == task.metric)
                    & trials["dataset"].isin(task.datasets)]
    trials = trials.astype({"nn": "str", "dataset": "str", "transform": "str"})
    best = trials[trials["epoch"] == label_epoch].groupby("dataset")["accuracy"].max()
    missing = sorted(set(trials["dataset"]) - set(best[best > 0].index))
    if missing:
        raise PerfclfError(f"task {task.name}: {', '.join(missing)} has no accuracy above zero at epoch {label_epoch}")
    rank = trials.groupby(["dataset", "epoch"])["accuracy"].rank(pct=True)
    return trials.assign(norm=(trials["accuracy"] / trials["dataset"].map(best)).round(4), rank=rank)


def _walk(trials: pd.DataFrame, count: int, random: np.random.Generator) -> tuple[list[int], list[int]]:
    """Row numbers of both sides of `count` pairs, in the order in which the reference's query meets them."""
    identifier = random.permutation(len(trials))
    dataset = trials["dataset"].astype("category").cat.codes.to_numpy()
    cell = trials.groupby(["nn", "epoch"]).ngroup().to_numpy()
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(cell.max() + 2)) if len(cell) else np.array([0])
    first: list[int] = []
    second: list[int] = []
    for row in random.permutation(len(trials)):
        same = order[starts[cell[row]]:starts[cell[row] + 1]]
        partners = same[(dataset[same] != dataset[row]) & (identifier[same] > identifier[row])]
        first += [int(row)] * len(partners)
        second += partners.tolist()
        if len(first) >= count:
            break
    return first[:count], second[:count]
