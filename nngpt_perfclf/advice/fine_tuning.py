"""From a configuration to a calibrated language adviser in a run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf import processes
from nngpt_perfclf.advice.calibration import calibrate, calibration_table, percentile_trials
from nngpt_perfclf.advice.language import (
    KIND,
    LanguageAdviser,
    computed_with,
    known_evidence,
    load,
    load_untrained,
    prompt_builder,
)
from nngpt_perfclf.advice.nearest import FILE, fit_neighbours, near_labels
from nngpt_perfclf.advice.prior import PairPrior, save_priors
from nngpt_perfclf.advice.run_folders import LANGUAGE_NAME
from nngpt_perfclf.advice.weights import Weights, fit_weights, save_weights
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.models.zoo import ensure_ready
from nngpt_perfclf.prompts import find_template
from nngpt_perfclf.retrieval import Neighbours
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.tasks import LABELS, TaskData
from nngpt_perfclf.types import AdviserSpec, PerfclfError, Question

if TYPE_CHECKING:
    import pandas as pd


FITTED_ON = 4000  # training pairs that the offset's weights are fitted on


def train(config: Config, out: Path) -> dict:
    """Fine-tune `config.model` on the training part, calibrate it on validation, leave a run folder that `load` opens:
    run.json, log.jsonl, adapter/, prior.json, weights.json, neighbours.npz and, where it scores, percentiles.json.
    Networks are built for templates that show layers, unless ``advice.profile=never``.
    """
    from nngpt_perfclf.models.language import load as load_model
    from nngpt_perfclf.models.language import threads
    from nngpt_perfclf.models.rows import draw_lessons
    from nngpt_perfclf.models.train import Material, fine_tune

    if find_template(config.template).one_side and config.train.offset != "none":
        raise PerfclfError(f"template {config.template} asks about one side at a time: it is trained with "
                           "train.offset=none")
    if config.advice.profile == "auto":
        config = replace(config, advice=replace(config.advice, profile="always"))
    data = TaskData.load(config)
    groups = data.networks["group"].astype("category").cat.codes
    priors = {label: PairPrior.fit(data.pairs(label, part="train")) for label in LABELS}
    out.mkdir(parents=True, exist_ok=True)
    with processes.main_first():
        save_priors(priors, out)
        if not (out / FILE).is_file():
            fit_neighbours(data).save(out / FILE)
    _note(config, out, data, status="training")
    builder, neighbours = prompt_builder(config, config), Neighbours.load(out / FILE)
    weights = {label: _training_weights(config, neighbours, label, data, priors[label], groups) for label in LABELS}
    if processes.is_main():
        save_weights(weights, LanguageAdviser.sources, out)
    processes.wait()
    with threads(config.threads):
        model = load_model(ensure_ready(config.model), chat=config.model.chat, precision=config.train.precision)
        checks = data.pairs(part="validation")
        checks = checks.sample(min(config.train.eval_samples, len(checks)), random_state=config.seed).sort_values("nn")
        lessons = draw_lessons(data.part("train"), data.networks, config)
        calibration = {label: calibration_table(config, data, label) for label in config.train.labels}
        asked = sum(map(len, calibration.values())) + (len(percentile_trials(config, data)) if builder.one_side else 0)
        material = Material(lessons, checks, data.codes, groups, _offsets(weights, priors, neighbours), asked)
        say(f"{sum(len(lesson.pairs) for lesson in lessons):,} labels about {len(lessons):,} codes")
        result = fine_tune(model, builder, material, config, out)
        result |= calibrate(config, out, data, weights, calibration)
    _note(config, out, data, status="done", result=result, computed_with=computed_with(model))
    return {"run": str(out), **result}


def _note(config: Config, out: Path, data: TaskData, **more) -> None:
    if processes.is_main():
        RunFolder(out).note(manifest(KIND, to_dict(replace(config, out=None, resume=False)), data.fingerprint, **more))
    processes.wait()


def _training_weights(config: Config, neighbours: Neighbours, label: str, data: TaskData, prior: PairPrior,
                      groups: pd.Series) -> Weights:
    """The weights during training: the configured one of the model, and of the offset those fitted on training pairs
    whose own near-duplicates' trials are hidden."""
    lm_weight = config.train.lm_weight
    if config.train.offset != "near":
        fixed = (lm_weight, 1.0 if config.train.offset == "prior" else 0.0, 0.0)
        return Weights(fixed, fixed)
    pairs = data.pairs(label, part="train", ties=False)
    pairs = pairs.sample(min(FITTED_ON, len(pairs)), random_state=config.seed)
    questions, won = data.questions(pairs)
    near = near_labels(neighbours, questions, [label] * len(questions), pairs["nn"].map(groups).to_numpy())
    evidence = known_evidence(prior, questions, near)
    fitted = (lm_weight, *fit_weights(evidence, won))
    return Weights(fitted, fitted)


def _offsets(weights: dict[str, Weights], priors: dict[str, PairPrior], neighbours: Neighbours) -> Callable:
    """The log-odds that are added to the model's during training."""
    def offsets(questions: Sequence[Question], labels: Sequence[str], hidden: np.ndarray) -> np.ndarray:
        near, found = near_labels(neighbours, questions, labels, hidden), np.empty(len(questions))
        for label in dict.fromkeys(labels):
            own = np.flatnonzero([name == label for name in labels])
            evidence = known_evidence(priors[label], [questions[place] for place in own], near[own])
            found[own] = (evidence * weights[label].with_recipe[1:]).sum(axis=1)
        return found

    return offsets


SPECS = (AdviserSpec(LANGUAGE_NAME, load, train, KIND), AdviserSpec("zero-shot", load_untrained))
