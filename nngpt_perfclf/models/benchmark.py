"""How fast advice and training are on this machine, against the naive way of doing the same with the same weights."""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from nngpt_perfclf.budget import Rates, Work, announcement
from nngpt_perfclf.code_view import code_view
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.models.adapter import with_adapter
from nngpt_perfclf.models.device import instruction_set, matrix_rate, resolve, timed
from nngpt_perfclf.models.encoder import prompt_tokens
from nngpt_perfclf.models.generation import TOKENS, generation_seconds
from nngpt_perfclf.models.language import LanguageModel, load, threads
from nngpt_perfclf.models.rows import completion_row, option_row
from nngpt_perfclf.models.throughput import reading_rate
from nngpt_perfclf.models.train import make_trainer
from nngpt_perfclf.models.zoo import ensure_ready
from nngpt_perfclf.prompts import Prompt, find_template, render
from nngpt_perfclf.tasks import load_task
from nngpt_perfclf.types import PerfclfError, Question

NETWORK = "ResNet"  # a hand-written network whose view fills the budget of tokens
PEAK = 2048  # of the square matrices whose product is the machine's peak
REPEATS = 3
LONG = 60.0  # seconds after which a measurement is not repeated
PREFILL = (4, 512)  # rows and tokens of a reading whose FLOP/s are measured
APART = 4  # questions asked one by one; they are all alike
_TRAINED = 2.5  # a token that is trained on takes as long as so many that are read
_TOKEN = 30  # a pass over one token reads all weights
STEPS = 3  # of training; TRL's first one counts where another would take too long


def bench(config: Config, net: str | None = None) -> dict:
    """Measure scoring, prefill and training with `config.model` about one network (a file, or LEMUR's ResNet).

    Gives `pairs_vs_single`: seconds for all pairs of the task's datasets in both orders, over those for one question;
    `speedup_vs_reference`: how many times faster than generating the answers one by one; `prefill_fraction_of_peak`:
    sustained FLOP/s of reading over the machine's own matrix product; `labels_per_second_vs_trl`: of training, against
    TRL's defaults on the same rows at the same precision; `precision`, `instruction_set`, `peak_gflops` (of the matrix
    product at that precision), `peak_memory_gb`; and a table of what was timed.

    It takes minutes on any machine: all answers but a few of the slow ways are alike, and are estimated from those.
    """
    code = _code(config, net)
    with threads(config.threads):
        model = load(ensure_ready(config.model), chat=config.model.chat, precision=config.train.precision)
        prompts = _prompts(code, config)
        long = _prompts(code, replace(config, code_view="cut"))[0]
        work, rate = expected_work(model, prompts, long, config), reading_rate(model)
        say(announcement("bench", work.lasts(Rates(rate, rate / _TRAINED)),
                         f"{model.precision}, {rate:,.0f} tokens read a second"))
        say(f"scoring {len(prompts)} questions")
        single = _seconds(lambda: model.score(prompts[:1]))
        together = _seconds(lambda: model.score(prompts))
        apart = _seconds(lambda: model.score(prompts[:APART], share=False), repeats=1) * len(prompts) / APART
        say("generating answers, as the reference does")
        generated = generation_seconds(model, [long], config.evaluate) * len(prompts)
        say("reading, against a matrix product")
        peak, prefill = matrix_rate(model.network.dtype, PEAK, 10), prefill_rate(model)
        say("training, against TRL's defaults")
        ours, theirs = training_rates(model, prompts, config)
    rows = [("one question", single, 1), ("all pairs, both orders", together, len(prompts)),
            ("the same one by one", apart, len(prompts)), ("generated one by one", generated, len(prompts))]
    return {
        "model": config.model.name, "threads": config.threads or torch.get_num_threads(),
        "precision": model.precision, "instruction_set": instruction_set(),
        "pairs_vs_single": together / single, "speedup_vs_reference": generated / together,
        "speedup_vs_one_by_one": apart / together, "prefill_gflops": prefill / 1e9, "peak_gflops": peak / 1e9,
        "prefill_fraction_of_peak": prefill / peak, "labels_per_second": ours, "labels_per_second_trl": theirs,
        "labels_per_second_vs_trl": ours / theirs, "peak_memory_gb": _peak_memory(),
        "timed": [{"what": what, "seconds": seconds, "questions": count} for what, seconds, count in rows],
    }


def expected_work(model: LanguageModel, prompts: Sequence[Prompt], long: Prompt, config: Config) -> Work:
    """The tokens that `bench` reads and trains on, about. A generated token costs as much as `_TOKEN` that are read.
    TRL's defaults compute the whole vocabulary for each token and share no code."""
    asked = [model.encoder.asked(prompt) for prompt in prompts]
    first_prompt, all_prompts = prompt_tokens(asked[:1]), prompt_tokens(asked)
    generated = len(TOKENS) * prompt_tokens([model.encoder.asked(long)]) + _TOKEN * sum(TOKENS)
    read = (REPEATS + 1) * (first_prompt + all_prompts + PREFILL[0] * PREFILL[1]) + APART * first_prompt + generated
    batch, table = SFTConfig.per_device_train_batch_size, model.answers.numel()
    weights = sum(weight.numel() for weight in model.causal.get_decoder().parameters()) - table
    ours = all_prompts * config.train.batch * config.train.questions_per_code / len(prompts)
    return Work(read=read, train=STEPS * (ours + batch * first_prompt * (weights + table) / weights))


def prefill_rate(model: LanguageModel, rows: int = PREFILL[0], tokens: int = PREFILL[1]) -> float:
    """FLOP/s of reading `rows` sequences: two for each weight outside the embedding and token, and the attention."""
    decoder, settings = model.causal.get_decoder(), model.causal.config
    ids = torch.randint(settings.vocab_size, (rows, tokens), device=model.network.device)
    table = model.answers.numel()
    weights = sum(weight.numel() for weight in decoder.parameters()) - table
    width = settings.head_dim * settings.num_attention_heads
    attention = 4 * settings.num_hidden_layers * width * tokens / 2
    with torch.inference_mode():
        seconds = _seconds(lambda: decoder(input_ids=ids, use_cache=False))
    return rows * tokens * (2 * weights + attention) / seconds


def training_rates(model: LanguageModel, prompts: Sequence[Prompt], config: Config) -> tuple[float, float]:
    """(ours, TRL's): labels per second of optimiser steps on the same questions, ours sharing each code. The first step
    of each, which prepares more than it learns, counts only where it takes more than a minute: then it is the last."""
    size = config.train.questions_per_code
    used = list(prompts[:size * (len(prompts) // size)])
    model = with_adapter(model, config)
    with tempfile.TemporaryDirectory() as folder:
        rows = [option_row(model.encoder, used[at:at + size], np.ones(size), np.zeros(size), config.train.max_tokens)
                for at in range(0, len(used), size)]
        options = replace(config, train=replace(config.train, loss="options", epochs=1.0, accumulate=1))
        ours = make_trainer(model, _repeated(rows, STEPS * config.train.batch), options, Path(folder), [])
        plain = [completion_row(model.encoder, prompt, prompt.options[0], False, config.train.max_tokens)
                 for prompt in used]
        bf16 = resolve(config.train.precision) == "bfloat16"
        defaults = SFTConfig(output_dir=folder, report_to=[], bf16=bf16, use_cpu=not torch.cuda.is_available(),
                             num_train_epochs=1, save_strategy="no", disable_tqdm=True,
                             dataset_kwargs={"skip_prepare_dataset": True})
        batch = defaults.per_device_train_batch_size
        theirs = SFTTrainer(model=model.network, args=defaults, processing_class=model.encoder.tokenizer,
                            train_dataset=Dataset.from_list(_repeated(plain, STEPS * batch)))
        return config.train.batch * size / _step_seconds(ours), batch / _step_seconds(theirs)


class _Clock(TrainerCallback):
    def __init__(self):
        self.taken: list[float] = []

    def on_step_begin(self, *_, **__):
        self.started = time.perf_counter()

    def on_step_end(self, args, state, control, **__):
        self.taken.append(time.perf_counter() - self.started)
        control.should_training_stop = self.taken[-1] > LONG


def _step_seconds(trainer: SFTTrainer) -> float:
    clock = _Clock()
    trainer.add_callback(clock)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return float(np.median(clock.taken[1:] or clock.taken))


def _repeated(rows: list[dict], count: int) -> list[dict]:
    return [rows[at % len(rows)] for at in range(count)]


def _prompts(code: str, config: Config) -> list[Prompt]:
    datasets = load_task(config.task).datasets
    view = code_view(code, config.code_view, config.code_tokens)
    return [render(find_template("code"), Question(code, *pair), dataset_properties(config.datasets), view)
            for pair in permutations(datasets, 2)]


def _code(config: Config, net: str | None) -> str:
    if net is None:
        return load_corpus(config).codes[NETWORK]
    try:
        return Path(net).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PerfclfError(f"cannot read {net}: {error}") from error


def _seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median time of a call, after one that does not count where several are timed."""
    if repeats > 1:
        timed(work)
    taken = []
    for _ in range(repeats):
        taken.append(timed(work)[1])
        if sum(taken) > LONG:
            break
    return float(np.median(taken))


def _peak_memory() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
