"""The paper's protocol on a real model: its prompts, its fine-tuning, free text as the answer."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.language import recorded_config
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.code_view import code_view
from nngpt_perfclf.config import Config, ModelConfig
from nngpt_perfclf.console import progress
from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.evaluation.metrics import hits
from nngpt_perfclf.evaluation.paper import paper_rows, run_rounds
from nngpt_perfclf.evaluation.run import RESULT, begin, plan, refuse_taken, run_folder
from nngpt_perfclf.models import ensure_ready
from nngpt_perfclf.prompts import Prompt, render, templates
from nngpt_perfclf.record import read_json, record, write_json
from nngpt_perfclf.tasks import load_task, question_of

if TYPE_CHECKING:
    from nngpt_perfclf.models.language import LanguageModel


def evaluate(config: Config, run: str | None = None) -> dict:
    """Follow the paper's protocol with `config.model`, or from the adapter of a run folder on, and write a run folder.

    `evaluate.rounds` of generating, evaluating and fine-tuning; with 1 the model is measured as it is. The folder
    receives ``evaluation.json``, each round's raw texts and adapters; ``resume=true`` does no round twice.
    """
    model = recorded_config(Path(run)).model if run else config.model
    name = Path(run).name if run else model.name
    folder = run_folder(config, run or f"{model.name}-{config.template}")
    refuse_taken(folder, config)
    corpus, task = load_corpus(config), load_task(config.task)
    lessons, test = (paper_rows(corpus, task, count, config.seed, best, config.epoch)
                     for count, best in ((config.train.labels_count, False), (config.evaluate.prompts, True)))
    begun = record("paper", plan(config), corpus.fingerprint, adviser=run or model.name, networks=test["nn"].nunique())
    begin(folder, begun)
    if (folder / RESULT).is_file():
        return {key: value for key, value in read_json(folder / RESULT).items() if key != "record"}
    prior = PairPrior.fit(lessons)
    chances = np.array([prior(row.ds_a, row.ds_b) for row in test.itertuples()])
    learner = Learner(config, model)
    figures = run_rounds(
        config.evaluate.rounds, (prompts_of(lessons, corpus.codes, config), lessons["better"].tolist()),
        prompts_of(test, corpus.codes, config), test["better"].tolist(),
        hits(chances, (test["better"] == test["ds_a"]).to_numpy()), learner.generate, learner.fine_tune, folder,
        Path(run) / "adapter" if run else None, config.evaluate.resamples, config.seed)
    result = {"out": str(folder), "adviser": name, "template": config.template, **figures,
              "networks": test["nn"].nunique(), "ties": int(test["tie"].sum())}
    write_json(folder / RESULT, {**result, "record": begun})
    return result


def prompts_of(rows: pd.DataFrame, codes: dict[str, str], config: Config) -> list[Prompt]:
    """The rows in the words of `config.template`, which may also tell both labels (norm_a, norm_b): the leak that shows
    whether a model can read at all."""
    template, datasets = templates()[config.template], dataset_properties(config.datasets)
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
        from nngpt_perfclf.models.language import load
        from nngpt_perfclf.models.train import with_adapter

        if self._loaded is None or self._adapter != adapter:
            model = load(ensure_ready(self.model), adapter, self.model.chat, self.config.train.precision)
            self._loaded, self._adapter = with_adapter(model, self.config), adapter
        return self._loaded
