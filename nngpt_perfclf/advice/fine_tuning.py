"""From a configuration to a calibrated language adviser in a run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nngpt_perfclf import processes
from nngpt_perfclf.advice.calibration import Calibration, save_calibrations
from nngpt_perfclf.advice.language import LanguageAdviser, prompt_builder_of
from nngpt_perfclf.advice.offset import Offset, bare, load_offset, prior_log_odds, save_offsets
from nngpt_perfclf.advice.prior import PairPrior, load_prior, save_priors
from nngpt_perfclf.advice.teacher import taught
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import say
from nngpt_perfclf.corpus import Corpus, load_corpus
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.record import record, write_json
from nngpt_perfclf.retrieval.neighbours import Neighbours
from nngpt_perfclf.tasks import (
    LABELS,
    add_split,
    codes_of,
    labelled_trials,
    load_task,
    make_pairs,
    question_of,
    split_networks,
    trials_of_part,
)
from nngpt_perfclf.types import Question

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.prompts.builder import PromptBuilder


def train_language(config: Config, out: Path) -> dict:
    """Fine-tune `config.model` on the training part, calibrate it on validation, leave a run folder that `load_advisor`
    opens: run.json, log.jsonl, adapter/, prior.json, offset.json, calibration.json and, where the prompt or the offset
    needs it, neighbours.npz.
    """
    from nngpt_perfclf.models import ensure_ready
    from nngpt_perfclf.models.language import load, threads
    from nngpt_perfclf.models.rows import draw_lessons
    from nngpt_perfclf.models.train import Material, fine_tune

    corpus = load_corpus(config)
    task = load_task(config.task)
    trials = labelled_trials(corpus, task, config.epoch)
    codes = codes_of(corpus, task)
    networks = split_networks(codes, config.split)
    networks["group"] = networks["group"].astype("category").cat.codes
    pairs = {label: add_split(make_pairs(trials, label, config.trial, config.seed), codes, config.split)
             for label in LABELS}
    priors = {label: PairPrior.fit(table[table["part"] == "train"]) for label, table in pairs.items()}
    out.mkdir(parents=True, exist_ok=True)
    with processes.main_first():
        save_priors(priors, out / "prior.json")
        _fit_neighbours(config, out, trials, codes, networks)
    _note(config, out, corpus, status="training")

    builder = prompt_builder_of(out, config, config)
    offset = {label: _fit_offset(config, builder, label, pairs[label], priors[label], codes, networks["group"])
              for label in LABELS}
    if processes.is_main():
        save_offsets(offset | {bare(label): offset[label] for label in LABELS}, out / "offset.json")
    processes.wait()

    def offsets(rows: pd.DataFrame, labels, near: np.ndarray) -> np.ndarray:
        prior = [priors[label].log_odds(a, b) for a, b, label in zip(rows["ds_a"], rows["ds_b"], labels, strict=True)]
        return np.array([offset[label].known(np.array([known]), there[None])[0]
                         for known, there, label in zip(prior, near, labels, strict=True)])

    with threads(config.threads):
        model = load(ensure_ready(config.model), chat=config.model.chat, precision=config.train.precision)
        checks = pairs[config.label][pairs[config.label]["part"] == "validation"]
        checks = checks.sample(min(config.train.eval_samples, len(checks)), random_state=config.seed).sort_values("nn")
        lessons = draw_lessons(trials, networks, config)
        if config.train.teacher:
            lessons = taught(lessons, trials, codes, networks, config)
        material = Material(lessons, checks, codes, networks["group"], offsets)
        say(f"{sum(len(one.pairs) for one in material.lessons):,} labels about {len(material.lessons):,} codes")
        result = fine_tune(model, builder, material, config, out)
        result |= _calibrate(config, out, corpus, pairs)
    _note(config, out, corpus, status="done", result=result)
    return {"run": str(out), **result}


def _note(config: Config, out: Path, corpus: Corpus, **more) -> None:
    if processes.is_main():
        told = to_dict(replace(config, out=None, resume=False))
        write_json(out / "run.json", record("language", told, corpus.fingerprint, **more))
    processes.wait()


def _fit_neighbours(config: Config, out: Path, trials: pd.DataFrame, codes: dict[str, str],
                    networks: pd.DataFrame) -> None:
    known = templates()
    shown = {*known[config.template].fields, *known[config.code_only_template].fields}
    needed = {"near_a", "near_b"} & shown or config.train.offset == "near"
    if not needed or (out / "neighbours.npz").is_file():
        return
    say("learning which recorded trials are near")
    learned, checked = (trials_of_part(trials, networks, config.split, part) for part in ("train", "validation"))
    sizes = {name: properties.size for name, properties in dataset_properties(config.datasets).items()}
    neighbours = Neighbours.fit(learned, codes, networks["group"], sizes, config.seed)
    neighbours.learn_metric(checked, codes, config.seed).save(out / "neighbours.npz")


def _fit_offset(config: Config, builder: PromptBuilder, label: str, pairs: pd.DataFrame, prior: PairPrior, codes: dict[str, str],
                groups: pd.Series) -> Offset:
    """What the configured offset weighs, learned on training pairs whose own near-duplicates' trials are hidden."""
    if config.train.offset != "near":
        return Offset(config.train.lm_weight, prior=1.0 if config.train.offset == "prior" else 0.0)
    pairs = pairs[(pairs["part"] == "train") & ~pairs["tie"]]
    pairs = pairs.sample(min(4000, len(pairs)), random_state=config.seed)
    questions = [question_of(row, codes) for row in pairs.itertuples()]
    near = builder.near(questions, [label] * len(questions), pairs["nn"].map(groups).to_numpy())
    known = prior_log_odds(prior, list(zip(pairs["ds_a"], pairs["ds_b"], strict=True)))
    return Offset.before_reading(config.train.lm_weight, known, near, (pairs["better"] == pairs["ds_a"]).to_numpy())


def _calibrate(config: Config, out: Path, corpus: Corpus, pairs: dict[str, pd.DataFrame]) -> dict:
    """Weigh model, prior and nearby trials anew on each label's validation pairs, which calibrates their sum, once
    asked with the recipes and once without; returns how right the adviser is there (a little too good, since the
    weights were chosen on these pairs)."""
    with processes.main_first():
        save_calibrations(dict.fromkeys(LABELS, Calibration()), out / "calibration.json")
    adviser = LanguageAdviser.load(out, replace(config, advice=replace(config.advice, memory=False)))
    offsets = {name: load_offset(out / "offset.json", name) for label in LABELS for name in (label, bare(label))}
    result = {}
    for label, table in pairs.items():
        table = table[(table["part"] == "validation") & ~table["tie"]]
        if label not in config.train.labels or not len(table):
            continue
        adviser.label, adviser.prior = label, load_prior(out / "prior.json", label)
        told = [question_of(row, corpus.codes) for row in table.itertuples()]
        untold = [question.without_recipes() for question in told]
        won = (table["better"] == table["ds_a"]).to_numpy()
        for name, questions in ((label, told), (bare(label), untold)):
            offsets[name], figures = _weighed(adviser, offsets[name], questions, won)
            result |= {f"validation_{name}{what}": figure for what, figure in figures.items()}
    if processes.is_main():
        save_offsets(offsets, out / "offset.json")
    processes.wait()
    return result


def _weighed(adviser: LanguageAdviser, offset: Offset, questions: list[Question],
             won: np.ndarray) -> tuple[Offset, dict]:
    """The offset refitted where the first dataset `won` (n,), and how often it and the unread one are right there."""
    from nngpt_perfclf.models.rows import log_loss

    # Both orders in one call: a code is read once for all its questions.
    scores, prior, near = adviser.parts([*questions, *(question.swapped() for question in questions)])
    count = len(questions)
    parts = (scores[:count] - scores[count:]) / 2, prior[:count], near[:count]
    fitted = offset.refit(*parts, won)
    odds = fitted.weigh(*parts)
    right, unread = (float(np.mean((one > 0) == won)) for one in (odds, offset.known(*parts[1:])))
    return fitted, {"": right, "_n": count, "_unread": unread, "_log_loss": log_loss(odds, won)}
