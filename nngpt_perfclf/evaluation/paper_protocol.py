"""The paper's protocol: its rows, prompts and fine-tuning, generated answers, and the best of several rounds.

The paper reports the best of E rounds, each evaluated on the same N generated answers. `run_rounds` reproduces that and
adds the majority baseline on the same rows, an interval for each round, and the peak that chance alone would give.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.language import recorded_config
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.budget import announcement
from nngpt_perfclf.code_view import code_view
from nngpt_perfclf.config import Config, ModelConfig
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.evaluation import metrics
from nngpt_perfclf.evaluation.matching import read_answer
from nngpt_perfclf.evaluation.run import RESULT, finished_result, plan, run_folder
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.models.adapter import with_adapter
from nngpt_perfclf.models.generation import BATCH, generate, generation_seconds, teach, teaching_seconds
from nngpt_perfclf.models.language import LanguageModel, load
from nngpt_perfclf.models.zoo import ensure_ready
from nngpt_perfclf.prompts import Prompt, find_template, render
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import Task, TaskData, question_of
from nngpt_perfclf.tasks.pairs import OF_A_SIDE, PAIR_COLUMNS, trials_of_task
from nngpt_perfclf.types import PerfclfError

MODES = ("strict", "reference")

# Raw texts that the model with the adapter in a folder (None: without an adapter) generates for the prompts.
Generate = Callable[[Path | None, Sequence[Prompt]], list[str]]
# Fine-tunes the adapter of the first folder on prompts and answers, and writes the new one into the second folder.
FineTune = Callable[[Path | None, Sequence[Prompt], Sequence[str], Path], None]


def evaluate_generated(config: Config, run: str | None = None) -> dict:
    """Follow the paper's protocol with `config.model`, or with the adapter of a run folder, and write a run folder.

    Each of `evaluate.rounds` rounds generates, evaluates and fine-tunes; 1 evaluates the model as it is. The folder
    receives ``evaluation.json``, each round's raw texts and adapter. ``resume=true`` repeats no finished round.
    """
    model = recorded_config(Path(run)).model if run else config.model
    name = Path(run).name if run else model.name
    folder = run_folder(config, run or f"{model.name}-{config.template}")
    claimed = RunFolder(folder).claim(config.resume)
    data = TaskData.load(config)
    train, test = (paper_rows(data.corpus, data.task, count, config.seed, best, config.epoch)
                   for count, best in ((config.train.labels_count, False), (config.evaluate.prompts, True)))
    record = manifest("paper", plan(config), data.fingerprint, adviser=run or model.name,
                      networks=test["nn"].nunique())
    claimed.begin(record)
    if (finished := finished_result(folder)) is not None:
        return finished
    prior = PairPrior.fit(train)
    prior_p = np.array([prior(row.ds_a, row.ds_b) for row in test.itertuples()])
    tuner, adapter = FineTuner(config, model), Path(run) / "adapter" if run else None
    training = prompts_of(train, data.corpus.codes, config), train["better"].tolist()
    asked = prompts_of(test, data.corpus.codes, config)
    generations, tunings = _left(folder, config.evaluate.rounds)
    say(announcement("evaluation", tuner.seconds(adapter, asked, generations, training, tunings),
                     f"{generations} times {len(asked):,} answers of at most {config.evaluate.new_tokens} tokens, "
                     f"{tunings} times {len(training[0]):,} rows to learn from"))
    figures = run_rounds(
        config.evaluate.rounds, training, asked, test["better"].tolist(),
        metrics.hits(prior_p, (test["better"] == test["ds_a"]).to_numpy()), tuner.generate, tuner.fine_tune, folder,
        adapter, config.evaluate.resamples, config.seed)
    result = {"out": str(folder), "adviser": name, "template": config.template, **figures,
              "networks": test["nn"].nunique(), "ties": int(test["tie"].sum())}
    write_json(folder / RESULT, {**result, "record": record})
    return result


def prompts_of(rows: pd.DataFrame, codes: dict[str, str], config: Config) -> list[Prompt]:
    """The rows rendered with `config.template`. A template may contain both labels (norm_a, norm_b): a deliberate leak,
    which checks whether the model can use a label that the prompt gives it."""
    template, datasets = find_template(config.template), dataset_properties(config.datasets)
    views = {nn: code_view(codes[nn], config.code_view, config.code_tokens) for nn in rows["nn"].unique()}
    return [render(template, question_of(row, codes), datasets, views[row.nn],
                   {field: getattr(row, field) for field in template.extra}) for row in rows.itertuples()]


class FineTuner:
    """A model that generates answers and is fine-tuned round by round.

    It stays in memory between rounds: adapters on disk are in bfloat16, which is too coarse for steps of 1e-6, and are
    read only when a stopped run continues.
    """

    def __init__(self, config: Config, model: ModelConfig):
        self.config, self.model = config, model
        self._loaded: LanguageModel | None = None
        self._adapter: Path | None = None

    def generate(self, adapter: Path | None, prompts: Sequence[Prompt]) -> list[str]:
        """The raw text that is generated for each prompt."""
        sampling, model = self.config.evaluate, self._with(adapter)
        model.network.eval()
        with progress() as bar:
            task = bar.add_task("generating", total=len(prompts))
            return generate(model, prompts, sampling.new_tokens, sampling.temperature, sampling.top_k,
                            sampling.top_p, seed=self.config.seed, progress=lambda count: bar.advance(task, count))

    def fine_tune(self, adapter: Path | None, prompts: Sequence[Prompt], answers: Sequence[str], out: Path) -> None:
        """Fine-tune on the answers with the configured loss and write the adapter into `out`, atomically."""
        teach(self._with(adapter), prompts, answers, self.config, out)
        self._adapter = out
        shutil.rmtree(out.with_name(f"{out.name}.run"), ignore_errors=True)

    def seconds(self, adapter: Path | None, asked: Sequence[Prompt], generations: int,
                training: tuple[Sequence[Prompt], Sequence[str]], tunings: int) -> float:
        """How long so many rounds of generating and of fine-tuning take at most, from a few tokens and rows."""
        model, taken = self._with(adapter), 0.0
        model.network.eval()
        if generations:
            batch = asked[:BATCH]
            taken += generations * generation_seconds(model, batch, self.config.evaluate) * len(asked) / len(batch)
        if tunings:
            taken += tunings * teaching_seconds(model, *training, self.config)
        return taken

    def _with(self, adapter: Path | None) -> LanguageModel:
        if self._loaded is None or self._adapter != adapter:
            model = load(ensure_ready(self.model), adapter, self.model.chat, self.config.train.precision)
            self._loaded, self._adapter = with_adapter(model, self.config), adapter
        return self._loaded


def paper_rows(corpus: Corpus, task: Task, count: int, seed: int, best: bool, label_epoch: int = 5) -> pd.DataFrame:
    """`count` rows as the reference's query returns them: pairs of trials of one network and epoch on two datasets.

    The query (nn-dataset's join, `JoinConf`) visits trials in random order and lists for each all partners with a later
    identifier before it visits the next. So 1,024 rows come from about fifty networks, and the 30 rows of a test from
    a few. This function does the same without the 6.4 million rows of the whole join. `best`: only the most accurate
    trials (all that tie) of each network, epoch and dataset, as in the reference's test.

    The columns are those of pairs. Labels are normalised by the dataset's best accuracy at `label_epoch`, whatever the
    row's epoch, and rounded to four places; a tie goes to `ds_a`. Raises PerfclfError if there are fewer rows.
    """
    trials = _trials(corpus, task, label_epoch)
    if best:
        trials = trials[trials["accuracy"] == trials.groupby(["nn", "epoch", "dataset"])["accuracy"].transform("max")]
    trials = trials.reset_index(drop=True)
    first, second = _join(trials, count, np.random.default_rng(seed))
    if len(first) < count:
        raise PerfclfError(f"task {task.name} has only {len(first)} rows, not {count}")
    keep = ["nn", "epoch", *OF_A_SIDE]
    sides = [trials.loc[rows, keep].rename(columns={name: f"{short}_{side}" for name, short in OF_A_SIDE.items()})
             .reset_index(drop=True) for rows, side in ((first, "a"), (second, "b"))]
    table = pd.concat([sides[0], sides[1].drop(columns=["nn", "epoch"])], axis=1)
    tie = table["norm_a"] == table["norm_b"]
    table = table.assign(better=table["ds_a"].where(table["norm_a"] >= table["norm_b"], table["ds_b"]), tie=tie,
                         margin=(table["norm_a"] - table["norm_b"]).abs())
    return table[list(PAIR_COLUMNS)]


def peak_spread(results: np.ndarray, resamples: int, seed: int = 0) -> dict:
    """The best of E rounds on the same N prompts, with its spread; `results`: hits (0..1), shape (E, N).

    Returns the accuracy of the best (`peak`), `first` (zero-shot) and `last` round and their `mean`; `peak_low` and
    `peak_high`, the 95 % bootstrap interval of the peak over prompts; `peak_by_luck`, the expected peak of E rounds
    that all have the mean accuracy and differ by chance alone.
    """
    results = np.asarray(results, float)
    rounds, prompts = results.shape
    random = np.random.default_rng(seed)
    sampled = random.integers(0, prompts, (resamples, prompts))
    peaks = results[:, sampled].mean(axis=2).max(axis=0)
    chance = random.binomial(prompts, results.mean(), (resamples, rounds)).max(axis=1) / prompts
    accuracy = results.mean(axis=1)
    low, high = np.quantile(peaks, [(1 - metrics.CONFIDENCE) / 2, (1 + metrics.CONFIDENCE) / 2])
    return {"rounds": rounds, "n": prompts, "peak": float(accuracy.max()), "peak_round": int(accuracy.argmax()),
            "peak_low": float(low), "peak_high": float(high), "peak_by_luck": float(chance.mean()),
            "first": float(accuracy[0]), "last": float(accuracy[-1]), "mean": float(accuracy.mean())}


def run_rounds(rounds: int, training: tuple[Sequence[Prompt], Sequence[str]], test: Sequence[Prompt],
               better: Sequence[str], prior_hits: np.ndarray, generate: Generate, fine_tune: FineTune, out: Path,
               adapter: Path | None = None, resamples: int = 2000, seed: int = 0) -> dict:
    """Generate, evaluate and fine-tune `rounds` times; round 0 is the model without fine-tuning.

    The last round does not fine-tune (the reference does, and does not use the result). training: prompts and answers;
    test: prompts whose right answers are `better`; prior_hits: hits of the majority baseline on the same rows. Each
    round's raw texts and adapter are kept in `out` and not computed again. Returns `rounds` (n, accuracy with its
    interval, accuracy with the reference's matching, unparsed answers, which count as wrong) and `peaks`.
    """
    hits: dict[str, list[np.ndarray]] = {mode: [] for mode in MODES}
    rows = []
    for number in range(rounds):
        texts = _generated(_texts_of(out, number), lambda: generate(adapter, test))  # noqa: B023
        answers = {mode: [read_answer(text, prompt.options, mode) for text, prompt in zip(texts, test, strict=True)]
                   for mode in MODES}
        for mode in MODES:
            hits[mode].append(np.array([answer == right for answer, right in zip(answers[mode], better, strict=True)],
                                       float))
        rows.append({"round": number, **metrics.rate(hits["strict"][-1]),
                     "as_reference": float(hits["reference"][-1].mean()), "prior": float(np.mean(prior_hits)),
                     "unparsed": sum(answer is None for answer in answers["strict"]),
                     "unparsed_as_reference": sum(answer is None for answer in answers["reference"])})
        say(f"round {number}: {rows[-1]['accuracy']:.1%} of {len(test)} (majority baseline {rows[-1]['prior']:.1%})")
        if number + 1 < rounds:
            tuned = _adapter_of(out, number + 1)
            if not tuned.is_dir():
                fine_tune(adapter, *training, tuned)
            adapter = tuned
    spread = {mode: peak_spread(np.array(hits[mode]), resamples, seed) for mode in MODES}
    prior = metrics.rate(prior_hits)
    return {"n": len(test), "peak": spread["strict"]["peak"], "peak_low": spread["strict"]["peak_low"],
            "peak_high": spread["strict"]["peak_high"], "last": spread["strict"]["last"], "prior": prior["accuracy"],
            "prior_low": prior["low"], "prior_high": prior["high"],
            "peaks": [{"matching": mode, **spread[mode]} for mode in MODES], "rounds": rows}


def _left(out: Path, rounds: int) -> tuple[int, int]:
    """How many rounds still have to generate, and how many to fine-tune."""
    return (sum(not _texts_of(out, number).is_file() for number in range(rounds)),
            sum(not _adapter_of(out, number).is_dir() for number in range(1, rounds)))


def _texts_of(out: Path, number: int) -> Path:
    return out / f"round-{number:02d}.json"


def _adapter_of(out: Path, number: int) -> Path:
    """What the round learns on with; the first one has none of its own."""
    return out / f"adapter-{number:02d}"


def _generated(file: Path, generate: Callable[[], list[str]]) -> list[str]:
    if not file.is_file():
        write_json(file, {"texts": generate()})
    return read_json(file)["texts"]


def _trials(corpus: Corpus, task: Task, label_epoch: int) -> pd.DataFrame:
    """The task's trials at all epochs: `norm` relative to the best at `label_epoch`, `rank` at their own epoch."""
    trials = trials_of_task(corpus, task).astype({"nn": "str", "dataset": "str", "transform": "str"})
    best = trials[trials["epoch"] == label_epoch].groupby("dataset")["accuracy"].max()
    missing = sorted(set(trials["dataset"]) - set(best[best > 0].index))
    if missing:
        raise PerfclfError(f"task {task.name}: {', '.join(missing)} has no accuracy above zero at epoch {label_epoch}")
    rank = trials.groupby(["dataset", "epoch"])["accuracy"].rank(pct=True)
    return trials.assign(norm=(trials["accuracy"] / trials["dataset"].map(best)).round(4), rank=rank)


def _join(trials: pd.DataFrame, count: int, random: np.random.Generator) -> tuple[list[int], list[int]]:
    """Row numbers of both sides of `count` pairs, in the order of the reference's query."""
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
