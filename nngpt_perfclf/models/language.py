"""A causal language model that answers between two names, its code prefix computed once for all questions about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from nngpt_perfclf.models.encoder import Asked, Encoder
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.prompts import Prompt


@dataclass(frozen=True)
class LanguageModel:
    """`network`: the causal model, with or without an adapter; `encoder`: how it is spoken to; `answers`: the output
    layer's table (vocabulary, width), of which scoring needs only the rows of the tokens in question."""

    network: torch.nn.Module
    encoder: Encoder
    answers: torch.Tensor

    @property
    def causal(self) -> torch.nn.Module:
        """The causal model inside an adapter's wrapper."""
        from peft import PeftModel

        return self.network.get_base_model() if isinstance(self.network, PeftModel) else self.network

    def score(self, prompts: Sequence[Prompt], batch_tokens: int = 4096, share: bool = True,
              progress=None) -> np.ndarray:
        """The log-odds of each prompt's first option against its second, shape (n,).

        They are those of the two full names with the terminator under decoding constrained to the two: past the token
        at which the names part every token is certain, so that token's two logits say all. Prompts with the same prefix
        share its computation (`share`); at most about `batch_tokens` question tokens are computed at once. `progress`
        is called with the number of prompts done.
        """
        asked = [self.encoder.asked(prompt) for prompt in prompts]
        result = np.zeros(len(asked), np.float64)
        for rows in _batches(asked, batch_tokens, share):
            result[rows] = self._score([asked[row] for row in rows])
            if progress:
                progress(len(rows))
        return result

    @torch.inference_mode()
    def _score(self, asked: list[Asked]) -> np.ndarray:
        prefix = torch.tensor([asked[0].prefix], device=self.network.device)
        decoder = self.causal.get_decoder()
        cache = decoder(input_ids=prefix, use_cache=True).past_key_values if prefix.shape[1] else None
        if cache is not None and len(asked) > 1:
            cache.batch_repeat_interleave(len(asked))
        lengths = [len(one.question) for one in asked]
        ids = pad([one.question for one in asked]).to(prefix.device)
        seen = torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]
        mask = torch.cat([torch.ones(len(asked), prefix.shape[1], dtype=torch.bool), seen], dim=1).to(prefix.device)
        hidden = decoder(input_ids=ids, attention_mask=mask.long(), past_key_values=cache).last_hidden_state
        last = hidden[torch.arange(len(asked)), torch.tensor(lengths) - 1]
        return option_logits(last, self.answers, asked).cpu().double().numpy()


def option_logits(hidden: torch.Tensor, answers: torch.Tensor, asked: Sequence[Asked]) -> torch.Tensor:
    """Log-odds of the first option, shape (n,), from the hidden states (n, width) where the answers part: only the rows
    of the two tokens in question are multiplied, in float32."""
    first = answers[torch.tensor([one.first for one in asked], device=answers.device)]
    second = answers[torch.tensor([one.second for one in asked], device=answers.device)]
    return (hidden.float() * (first.float() - second.float())).sum(-1)


def pad(sequences: Sequence[Sequence[int]], left: bool = False) -> torch.Tensor:
    """Token ids as one tensor, shape (n, longest), padded with 0 (always masked) on the right, or on the left."""
    longest = max(map(len, sequences))
    filled = [[*[0] * (longest - len(one)), *one] if left else [*one, *[0] * (longest - len(one))] for one in sequences]
    return torch.tensor(filled, dtype=torch.long)


def _batches(asked: Sequence[Asked], batch_tokens: int, share: bool) -> Iterator[list[int]]:
    """Rows that are computed together: the same prefix, questions of similar length, within the budget of tokens."""
    by_prefix: dict[tuple[int, ...], list[int]] = {}
    for row, one in enumerate(asked):
        by_prefix.setdefault(one.prefix, []).append(row)
    for rows in by_prefix.values():
        rows.sort(key=lambda row: len(asked[row].question))
        batch: list[int] = []
        for row in rows:
            if batch and (not share or (len(batch) + 1) * len(asked[row].question) > batch_tokens):
                yield batch
                batch = []
            batch.append(row)
        yield batch


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute with `count` processor threads; None: as many as torch likes."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load(folder: Path, adapter: Path | None = None, chat: bool = False, precision: str = "bfloat16") -> LanguageModel:
    """The model of a dense folder, with the LoRA adapter of another; ready to score.

    Raises PerfclfError where either cannot be read or they do not fit each other.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, precision))
        if torch.cuda.is_available():
            network = network.cuda()
        table = network.get_output_embeddings().weight.detach()
        if adapter is not None:
            network = PeftModel.from_pretrained(network, adapter, autocast_adapter_dtype=False)
            network = network.to(getattr(torch, precision))
    except (OSError, ValueError, RuntimeError) as error:
        raise PerfclfError(f"cannot load the model in {adapter or folder}: {str(error).splitlines()[0]}") from error
    return LanguageModel(network.eval(), Encoder(tokenizer, chat), table)


def quiet() -> None:
    """Keep the libraries' bars and notices out of standard error: progress there is ours."""
    import warnings

    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.* is deprecated", category=FutureWarning)
