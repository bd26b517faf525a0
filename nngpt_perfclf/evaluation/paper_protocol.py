"""The paper's protocol: its rows, prompts and fine-tuning, free text as the answer, and what its peak is worth.

The paper reports the best of E rounds, each measured on the same N generated answers. `run_rounds` reproduces that and
adds what is missing: the majority baseline on the same rows, an interval for each round, and how much of the peak is
the luck of taking a maximum.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.language import recorded_config
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.code_view import code_view
from nngpt_perfclf.config import Config, ModelConfig
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.evaluation import metrics, read_answer
from nngpt_perfclf.evaluation.run import RESULT, plan, run_folder
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.models import ensure_ready
from nngpt_perfclf.prompts import Prompt, find_template, render
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import TaskData, question_of
from nngpt_perfclf.tasks.pairs import PAIR_COLUMNS
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.corpus import Corpus
    from nngpt_perfclf.models.language import LanguageModel
    from nngpt_perfclf.tasks import Task

MODES = ("strict", "reference")
_SIDE = {"dataset": "ds", "accuracy": "acc", "norm": "norm", "rank": "rank", "trial": "trial", "lr": "lr",
         "momentum": "momentum", "batch": "batch", "dropout": "dropout", "transform": "transform"}

# The model as it stands in a folder (None: as it is, without an adapter) answers prompts with raw texts.
Generate = Callable[[Path | None, Sequence[Prompt]], list[str]]
# The adapter in the first folder learns prompts and their answers; the new one is left in the second folder.
FineTune = Callable[[Path | None, Sequence[Prompt], Sequence[str], Path], None]


def evaluate(config: Config, run: str | None = None) -> dict:
    """Follow the paper's protocol with `config.model`, or from the adapter of a run folder on, and write a run folder.

    `evaluate.rounds` of generating, evaluating and fine-tuning; with 1 the model is measured as it is. The folder
    receives ``evaluation.json``, each round's raw texts and adapters; ``resume=true`` does no round twice.
    """
    model = recorded_config(Path(run)).model if run else config.model
    name = Path(run).name if run else model.name
    folder = run_folder(config, run or f"{model.name}-{config.template}")
    run_place = RunFolder(folder).claim(config.resume)
    data = TaskData.load(config)
    lessons, test = (paper_rows(data.corpus, data.task, count, config.seed, best, config.epoch)
                     for count, best in ((config.train.labels_count, False), (config.evaluate.prompts, True)))
    begun = manifest("paper", plan(config), data.fingerprint, adviser=run or model.name,
                     networks=test["nn"].nunique())
    run_place.begin(begun)
    if (folder / RESULT).is_file():
        return {key: value for key, value in read_json(folder / RESULT).items() if key != "record"}
    prior = PairPrior.fit(lessons)
    chances = np.array([prior(row.ds_a, row.ds_b) for row in test.itertuples()])
    learner = Learner(config, model)
    figures = run_rounds(
        config.evaluate.rounds, (prompts_of(lessons, data.corpus.codes, config), lessons["better"].tolist()),
        prompts_of(test, data.corpus.codes, config), test["better"].tolist(),
        metrics.hits(chances, (test["better"] == test["ds_a"]).to_numpy()), learner.generate, learner.fine_tune, folder,
        Path(run) / "adapter" if run else None, config.evaluate.resamples, config.seed)
    result = {"out": str(folder), "adviser": name, "template": config.template, **figures,
              "networks": test["nn"].nunique(), "ties": int(test["tie"].sum())}
    write_json(folder / RESULT, {**result, "record": begun})
    return result


def prompts_of(rows: pd.DataFrame, codes: dict[str, str], config: Config) -> list[Prompt]:
    """The rows in the words of `config.template`, which may also tell both labels (norm_a, norm_b): the leak that shows
    whether a model can read at all."""
    template, datasets = find_template(config.template), dataset_properties(config.datasets)
    views = {nn: code_view(codes[nn], config.code_view, config.code_tokens) for nn in rows["nn"].unique()}
    return [render(template, question_of(row, codes), datasets, views[row.nn],
                   {field: getattr(row, field) for field in template.extra}) for row in rows.itertuples()]


class Learner:
    """A model that answers and learns, from the adapter in one folder to the adapter in another.

    It stays in memory from round to round: adapters on disk are in bfloat16, too coarse for steps of 1e-6, and are
    read only when a stopped run goes on.
    """

    def __init__(self, config: Config, model: ModelConfig):
        self.config, self.model = config, model
        self._loaded: LanguageModel | None = None
        self._adapter: Path | None = None

    def generate(self, adapter: Path | None, prompts: Sequence[Prompt]) -> list[str]:
        """The raw text after each prompt, sampled as the configuration says."""
        from nngpt_perfclf.models.generation import generate

        told, model = self.config.evaluate, self._with(adapter)
        model.network.eval()
        with progress() as bar:
            task = bar.add_task("generating", total=len(prompts))
            return generate(model, prompts, told.new_tokens, told.temperature, told.top_k, told.top_p,
                            seed=self.config.seed, progress=lambda count: bar.advance(task, count))

    def fine_tune(self, adapter: Path | None, prompts: Sequence[Prompt], answers: Sequence[str], out: Path) -> None:
        """Learn the answers with the configured loss; the adapter is left in `out`, whole or not at all."""
        from nngpt_perfclf.models.train import teach

        teach(self._with(adapter), prompts, answers, self.config, out)
        self._adapter = out
        shutil.rmtree(out.with_name(f"{out.name}.run"), ignore_errors=True)

    def _with(self, adapter: Path | None) -> LanguageModel:
        from nngpt_perfclf.models.adapter import with_adapter
        from nngpt_perfclf.models.language import load

        if self._loaded is None or self._adapter != adapter:
            model = load(ensure_ready(self.model), adapter, self.model.chat, self.config.train.precision)
            self._loaded, self._adapter = with_adapter(model, self.config), adapter
        return self._loaded


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
