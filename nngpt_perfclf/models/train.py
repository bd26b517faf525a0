"""Fine-tuning: questions from the training part, TRL's trainer, a LoRA adapter, a run folder with its record."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig

from nngpt_perfclf import processes
from nngpt_perfclf.budget import Work, announcement, calibrating
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.files import read_json
from nngpt_perfclf.models.adapter import save_adapter, with_adapter, writing_to
from nngpt_perfclf.models.device import resolve
from nngpt_perfclf.models.encoder import prompt_tokens
from nngpt_perfclf.models.language import LanguageModel
from nngpt_perfclf.models.rows import (
    Lesson,
    Offsets,
    completion_row,
    log_loss,
    option_row,
    row_tokens,
    side_labels,
    soft_labels,
)
from nngpt_perfclf.models.throughput import measure
from nngpt_perfclf.models.trainer import CompletionTrainer, OptionsCollator, OptionsTrainer
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.tasks import question_of
from nngpt_perfclf.types import PerfclfError, Question

AT_ONCE = 64  # lessons whose neighbours are looked up together
CHECKED = "checked"  # marks a checkpoint that is complete and was measured


@dataclass(frozen=True)
class Material:
    """What a training run is made of: `lessons` to learn, `checks` (validation pairs) to watch, the `codes`, the
    near-duplicate `groups` by network, the `offsets`: what is known of a pair before reading, and how many pairs are
    asked for `calibration` afterwards."""

    lessons: Sequence[Lesson]
    checks: pd.DataFrame
    codes: dict[str, str]
    groups: pd.Series
    offsets: Offsets
    calibration: int = 0


def fine_tune(model: LanguageModel, builder: PromptBuilder, material: Material, config: Config, out: Path) -> dict:
    """Train an adapter, leave the best one by validation log-loss in ``out/adapter``, and say what happened.

    Goes on from the last checkpoint in `out` with `config.resume`. Raises PerfclfError where `out` already holds a run
    that is not to be resumed, where a row is too long, or where rows were lost on the way to the trainer.
    """
    checkpoint = _checkpoint(out, config)
    rows = build_rows(model, builder, material, config)
    model = with_adapter(model, config)
    watch = Watch(model, builder, material, config, out)
    rates, work = measure(model, config), _work(rows, watch, material, config)
    say(announcement("training", work.lasts(rates),
                     f"{work.train:,.0f} tokens to learn from at {rates.train:,.0f} a second, "
                     f"{work.read:,.0f} to read on validation at {rates.read:,.0f}"))
    trainer = make_trainer(model, rows, config, out, [watch])
    with writing_to(out):
        result = trainer.train(resume_from_checkpoint=checkpoint)
        watch.finish()
    return {"rows": len(rows), "labels": sum(len(lesson.pairs) for lesson in material.lessons),
            "steps": trainer.state.global_step, "loss": result.training_loss,
            "seconds": round(result.metrics["train_runtime"], 1), **watch.best}


def _work(rows: Sequence[dict], watch: Watch, material: Material, config: Config) -> Work:
    """The tokens of training on `rows`, of the checks on the way and of the calibration afterwards."""
    train = config.train
    learned = sum(map(row_tokens, rows)) * train.epochs
    steps = math.ceil(len(rows) / (train.batch * train.accumulate)) * train.epochs
    checks = prompt_tokens(map(watch.model.encoder.asked, watch.prompts)) * math.ceil(steps / train.checkpoint_steps)
    return Work(read=checks, train=learned) + calibrating(material.calibration)


def make_trainer(model: LanguageModel, rows: list[dict], config: Config, out: Path,
                 callbacks: list) -> CompletionTrainer:
    """TRL's trainer for the configured loss; raises PerfclfError where rows are lost on the way to it."""
    by_options = config.train.loss == "options"
    kind, collator = (OptionsTrainer, OptionsCollator()) if by_options else (CompletionTrainer, None)
    trainer = kind(model=model.network, args=sft_config(config, out), train_dataset=Dataset.from_list(rows),
                   data_collator=collator, processing_class=model.encoder.tokenizer, callbacks=callbacks)
    if len(trainer.train_dataset) != len(rows):
        raise PerfclfError(f"{len(rows)} rows were sent and {len(trainer.train_dataset)} reached the trainer")
    if by_options:
        trainer.lm_weight = config.train.lm_weight
    # The trainer's own printing would go to standard output, which belongs to results.
    trainer.remove_callback(PrinterCallback)
    return trainer


def build_rows(model: LanguageModel, builder: PromptBuilder, material: Material, config: Config) -> list[dict]:
    """The lessons as the configured loss reads them: a row for each code (options) or for each label."""
    rows = []
    builder.prepare([material.codes[nn] for lesson in material.lessons for nn in lesson.pairs["nn"].unique()])
    with progress() as bar:
        done = bar.add_task("prompts", total=len(material.lessons))
        for start in range(0, len(material.lessons), AT_ONCE):
            lessons = material.lessons[start:start + AT_ONCE]
            for asked in ask_lessons(lessons, builder, material, config):
                rows += lesson_rows(model, *asked, config)
            bar.advance(done, len(lessons))
    return rows


def lesson_rows(model: LanguageModel, prompts: list[Prompt], target: np.ndarray, offset: np.ndarray,
                config: Config) -> list[dict]:
    """One lesson in tokens: a row for all its questions that share a prefix (options) or for each of them."""
    longest = config.train.max_tokens
    if config.train.loss == "options":
        # Questions with recipes and without are of two templates, which may frame the code differently.
        prefixes = [prompt.prefix for prompt in prompts]
        places = [[at for at, own in enumerate(prefixes) if own == prefix] for prefix in dict.fromkeys(prefixes)]
        return [option_row(model.encoder, [prompts[at] for at in members], target[members], offset[members], longest)
                for members in places]
    return [completion_row(model.encoder, prompt, prompt.options[0 if aim >= 0.5 else 1],
                           config.train.loss == "full", longest)
            for prompt, aim in zip(prompts, target, strict=True)]


def ask_lessons(lessons: Sequence[Lesson], builder: PromptBuilder, material: Material, config: Config) -> list[tuple]:
    """(prompts, targets, offsets) of each lesson, its own near-duplicates' trials hidden from the offsets.

    They are asked together, since looking up near trials costs little more for many than for one.
    """
    questions = [_asked(row, code_only, material.codes) for lesson in lessons
                 for row, code_only in zip(lesson.pairs.itertuples(), lesson.code_only, strict=True)]
    labels = [label for lesson in lessons for label in lesson.labels]
    hidden = pd.concat([lesson.pairs["nn"] for lesson in lessons]).map(material.groups).to_numpy()
    by_code = [lesson.by_code for lesson in lessons for _ in lesson.labels]
    if builder.one_side:
        return _ask_sides(lessons, builder, questions, labels, by_code)
    prompts, offsets = builder.ask(questions, labels, by_code), material.offsets(questions, labels, hidden)
    temperature = config.train.label_temperature
    return [(prompts[own], soft_labels(lesson.pairs, lesson.labels, temperature), offsets[own])
            for lesson, own in zip(lessons, _places(lessons), strict=True)]


def _ask_sides(lessons: Sequence[Lesson], builder: PromptBuilder, questions: Sequence[Question],
               labels: Sequence[str], by_code: Sequence[bool]) -> list[tuple]:
    """The same where each side has a prompt of its own: the targets are the sides' labels, without offset."""
    first = builder.ask(questions, labels, by_code)
    second = builder.ask([question.swapped() for question in questions], labels, by_code)
    asked = []
    for lesson, own in zip(lessons, _places(lessons), strict=True):
        targets = side_labels(lesson.pairs, lesson.labels).T.ravel()
        asked.append(([*first[own], *second[own]], targets, np.zeros(len(targets))))
    return asked


def _places(lessons: Sequence[Lesson]) -> list[slice]:
    """Where each lesson's questions are among those of all."""
    ends = np.cumsum([len(lesson.labels) for lesson in lessons])
    return [slice(end - len(lesson.labels), end) for lesson, end in zip(lessons, ends, strict=True)]


def _asked(row, code_only: bool, codes: dict[str, str]) -> Question:
    question = question_of(row, codes)
    return question.without_recipes() if code_only else question


class Watch(TrainerCallback):
    """Writes ``log.jsonl`` with the loss and the validation part's accuracy, shows progress, keeps the best adapter."""

    def __init__(self, model: LanguageModel, builder: PromptBuilder, material: Material, config: Config, out: Path):
        self.model, self.config, self.out = model, config, out
        labels = [config.train.labels[at % len(config.train.labels)] for at in range(len(material.checks))]
        lesson = Lesson(material.checks, tuple(labels), (False,) * len(labels))
        hard = replace(config, train=replace(config.train, label_temperature=0.0))
        nothing = ([], None, None)
        self.prompts, self.target, self.offset = (
            ask_lessons([lesson], builder, material, hard)[0] if labels else nothing)
        self.best: dict = _read_best(out)
        self.bar = progress()

    def on_train_begin(self, args, state, control, **_):
        self.bar.start()
        self.task = self.bar.add_task("training", total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args, state, control, **_):
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args, state, control, logs=None, **_):
        if state.is_world_process_zero and "loss" in logs:
            self._write({"step": state.global_step, "epoch": round(state.epoch, 4), "loss": float(logs["loss"])})

    def on_save(self, args, state, control, **_):
        if not state.is_world_process_zero:
            return
        if self.prompts:
            self._check(state)
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / CHECKED).touch()

    def _check(self, state) -> None:
        """Measure on validation, and keep the adapter where it is the best so far."""
        self.model.network.eval()
        scores = self.model.score(self.prompts, self.config.advice.batch_tokens)
        log_odds = self.config.train.lm_weight * scores + self.offset
        self.model.network.train()
        loss = log_loss(log_odds, self.target)
        right = float(np.mean((log_odds > 0) == (self.target > 0.5)))
        self._write({"step": state.global_step, "validation_loss": loss, "validation_accuracy": right,
                     "n": len(self.target)})
        say(f"step {state.global_step}/{state.max_steps}: validation accuracy {100 * right:.1f} %, log-loss {loss:.4f} "
            f"(n {len(self.target)})")
        if loss < self.best.get("validation_loss", math.inf):
            self.best = {"best_step": state.global_step, "validation_loss": loss, "validation_accuracy": right}
            save_adapter(self.model.network, self.out / "adapter", self.best, self.config.model.name)

    def on_train_end(self, args, state, control, **_):
        self.bar.stop()

    def finish(self) -> None:
        """Without validation pairs the last adapter is the best that is known."""
        if not self.prompts and processes.is_main():
            save_adapter(self.model.network, self.out / "adapter", {}, self.config.model.name)
        processes.wait()

    def _write(self, entry: dict) -> None:
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _read_best(out: Path) -> dict:
    score = out / "adapter" / "score.json"
    return read_json(score) if score.is_file() else {}


def _checkpoint(out: Path, config: Config) -> str | None:
    """The last checkpoint that is complete and was measured: a killed run leaves half of one."""
    if (out / "adapter").is_dir() and not config.resume:
        raise PerfclfError(f"{out} already holds a run: name another out=, or go on with resume=true")
    found = [file.parent for file in (out / "checkpoints").glob(f"checkpoint-*/{CHECKED}")]
    last = max(found, key=lambda folder: int(folder.name.partition("-")[2]), default=None)
    return str(last) if config.resume and last else None


def sft_config(config: Config, out: Path) -> SFTConfig:
    """TRL's configuration for this run."""
    train = config.train
    bf16 = resolve(train.precision) == "bfloat16"
    if train.batch % processes.count():
        raise PerfclfError(f"train.batch={train.batch} does not divide among {processes.count()} processes")
    return SFTConfig(
        output_dir=str(out / "checkpoints"), per_device_train_batch_size=train.batch // processes.count(),
        gradient_accumulation_steps=train.accumulate, num_train_epochs=train.epochs, learning_rate=train.lr,
        lr_scheduler_type=train.schedule, warmup_steps=train.warmup, max_grad_norm=train.clip,
        weight_decay=train.weight_decay, optim=train.optimiser, bf16=bf16, use_cpu=not torch.cuda.is_available(),
        seed=config.seed, data_seed=config.seed, logging_steps=5, save_steps=train.checkpoint_steps, save_total_limit=2,
        report_to=[], remove_unused_columns=False, gradient_checkpointing=False, max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True}, dataloader_pin_memory=False, disable_tqdm=True)
