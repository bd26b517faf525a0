"""Training on given prompts and answers, as the paper's rounds do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.budget import measured_rate
from nngpt_perfclf.config import Config
from nngpt_perfclf.models.adapter import save_adapter, with_adapter
from nngpt_perfclf.models.device import timed
from nngpt_perfclf.models.rows import completion_row, row_tokens
from nngpt_perfclf.models.train import make_trainer

if TYPE_CHECKING:
    from nngpt_perfclf.models.language import LanguageModel
    from nngpt_perfclf.prompts import Prompt


def teach(model: LanguageModel, prompts: Sequence[Prompt], answers: Sequence[str], config: Config, out: Path) -> float:
    """Train on given prompts and answers; the adapter is left in `out`. Gives the mean loss.

    A model that has an adapter already learns on with it; otherwise it gets the configured one.
    """
    rows = _rows(model, prompts, answers, config)
    model = with_adapter(model, config)
    trainer = make_trainer(model, rows, config, out.with_name(out.name + ".run"), [])
    result = trainer.train()
    if trainer.is_world_process_zero():
        save_adapter(model.network, out, {}, config.model.name)
    return result.training_loss


def teaching_seconds(model: LanguageModel, prompts: Sequence[Prompt], answers: Sequence[str], config: Config) -> float:
    """How long `teach` takes, from passes forward and backward over a few rows; the weights are left as they are."""
    rows = _rows(model, prompts, answers, config)
    model = with_adapter(model, config)

    def learn(count: int) -> int:
        batch = trainer.data_collator(rows[:count])
        inputs = {name: tensor.to(model.network.device) for name, tensor in batch.items()}
        with trainer.compute_loss_context_manager():
            trainer.compute_loss(model.network, inputs).backward()
        return sum(map(row_tokens, rows[:count]))

    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(model, rows, config, Path(folder), [])
        rate = measured_rate(learn, 1, config.train.batch, timed)
    model.network.zero_grad(set_to_none=True)
    return config.train.epochs * sum(map(row_tokens, rows)) / rate


def _rows(model: LanguageModel, prompts: Sequence[Prompt], answers: Sequence[str], config: Config) -> list[dict]:
    return [completion_row(model.encoder, prompt, answer, config.train.loss == "full", config.train.max_tokens)
            for prompt, answer in zip(prompts, answers, strict=True)]
