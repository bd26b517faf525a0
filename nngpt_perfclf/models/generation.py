"""Free text from a model, and training on given prompts and answers, for the paper's protocol only."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nngpt_perfclf.budget import measured_rate
from nngpt_perfclf.config import Config, EvaluateConfig
from nngpt_perfclf.models.adapter import save_adapter, with_adapter
from nngpt_perfclf.models.device import timed
from nngpt_perfclf.models.language import LanguageModel, pad
from nngpt_perfclf.models.rows import completion_row, row_tokens
from nngpt_perfclf.models.train import make_trainer
from nngpt_perfclf.prompts import Prompt

TOKENS = (4, 12)  # lengths of two short generations, from which the time of a whole one is estimated
BATCH = 8  # prompts


def generate(model: LanguageModel, prompts: Sequence[Prompt], new_tokens: int = 150, temperature: float = 0.8,
             top_k: int = 70, top_p: float = 0.9, batch: int = BATCH, seed: int = 0,
             progress: Callable[[int], None] | None = None) -> list[str]:
    """What the model writes after each prompt, at most `new_tokens` tokens, special tokens left out.

    The sampling values are the reference's; `temperature` 0 takes the likeliest token. `progress` is called with the
    number of prompts done.
    """
    torch.manual_seed(seed)
    tokenizer = model.encoder.tokenizer
    sampling = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    texts = []
    for start in range(0, len(prompts), batch):
        ids = [model.encoder.free(prompt) for prompt in prompts[start:start + batch]]
        lengths = torch.tensor([len(prompt_ids) for prompt_ids in ids])
        tokens = pad(ids, left=True).to(model.network.device)
        mask = (torch.arange(tokens.shape[1]) >= tokens.shape[1] - lengths[:, None]).long().to(tokens.device)
        with torch.inference_mode():
            written = model.network.generate(
                input_ids=tokens, attention_mask=mask, max_new_tokens=new_tokens,
                pad_token_id=tokenizer.eos_token_id, **(sampling if temperature > 0 else {"do_sample": False}))
        texts += tokenizer.batch_decode(written[:, tokens.shape[1]:], skip_special_tokens=True)
        if progress:
            progress(len(ids))
    return texts


def generation_seconds(model: LanguageModel, prompts: Sequence[Prompt], sampling: EvaluateConfig) -> float:
    """How long `generate` takes for one batch of prompts where it writes as many tokens as it may: the time of reading
    and a few tokens, and that of each further one."""
    short, long = (timed(lambda tokens=tokens: generate(model, prompts, tokens, sampling.temperature, sampling.top_k,
                                                        sampling.top_p))[1] for tokens in TOKENS)
    token = max(0.0, long - short) / (TOKENS[1] - TOKENS[0])
    return short + token * max(0, sampling.new_tokens - TOKENS[0])


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
