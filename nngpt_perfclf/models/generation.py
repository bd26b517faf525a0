"""Free text from a model, for the paper's protocol only: advice does not use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from nngpt_perfclf.models.device import timed
from nngpt_perfclf.models.language import LanguageModel, pad

if TYPE_CHECKING:
    from nngpt_perfclf.config import EvaluateConfig
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
