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
from nngpt_perfclf.models.trie import ROW, Row, masks, rows_of
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.prompts import Prompt

FUSED = "sdpa"  # transformers' name for torch's fused attention


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
        share its computation, and questions that begin alike that of their beginnings (`share`); at most about
        `batch_tokens` question tokens are computed at once. `progress` is called with the number of prompts done.
        """
        asked = [self.encoder.asked(prompt) for prompt in prompts]
        result = np.zeros(len(asked), np.float64)
        for prefix, order in _by_prefix(asked, share):
            rows = rows_of([asked[place].question for place in order])
            for some in _chunks(rows, max(1, batch_tokens // ROW)):
                done, order = np.split(order, [sum(len(row.ends) for row in some)])
                result[done] = self._score(prefix, some, [asked[place] for place in done])
                if progress:
                    progress(len(done))
        return result

    @torch.inference_mode()
    def _score(self, prefix: Sequence[int], rows: Sequence[Row], asked: Sequence[Asked]) -> np.ndarray:
        """The log-odds of the questions `asked`, which end in `rows` in this order."""
        device, decoder, count = self.network.device, self.causal.get_decoder(), len(prefix)
        cache = None
        if count:
            cache = decoder(input_ids=torch.tensor([prefix], device=device), use_cache=True).past_key_values
            if len(rows) > 1:
                cache.batch_repeat_interleave(len(rows))
        seen = masks(rows, count, self.causal.config, self.network.dtype)
        seen = {kind: mask.to(device) for kind, mask in seen.items()} if isinstance(seen, dict) else seen.to(device)
        hidden = decoder(input_ids=pad([row.ids for row in rows]).to(device), attention_mask=seen,
                         position_ids=pad([row.depths for row in rows]).to(device) + count,
                         past_key_values=cache, use_cache=cache is not None).last_hidden_state
        owner = [place for place, row in enumerate(rows) for _ in row.ends]
        last = hidden[owner, [end for row in rows for end in row.ends]]
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


def _by_prefix(asked: Sequence[Asked], share: bool) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Each prefix and the places of its questions, those with equal beginnings side by side; each alone without
    `share`."""
    if not share:
        yield from ((one.prefix, np.array([place])) for place, one in enumerate(asked))
        return
    places: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(asked):
        places.setdefault(one.prefix, []).append(place)
    for prefix, some in places.items():
        yield prefix, np.array(sorted(some, key=lambda place: asked[place].question))


def _chunks(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    yield from (rows[start:start + size] for start in range(0, len(rows), size))


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
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, precision),
                                                       attn_implementation=_attention_for_reading())
        if torch.cuda.is_available():
            network = network.cuda()
        table = network.get_output_embeddings().weight.detach()
        if adapter is not None:
            network = PeftModel.from_pretrained(network, adapter, autocast_adapter_dtype=False)
            network = network.to(getattr(torch, precision))
    except (OSError, ValueError, RuntimeError) as error:
        raise PerfclfError(f"cannot load the model in {adapter or folder}: {str(error).splitlines()[0]}") from error
    return LanguageModel(network.eval(), Encoder(tokenizer, chat), table)


def _attention_for_reading() -> str:
    """On a processor plain matrix products read a sixth faster than torch's fused attention, which is the better one on
    a GPU, and in training, where it keeps less (`models.train` asks for it)."""
    return FUSED if torch.cuda.is_available() else "eager"


def quiet() -> None:
    """Keep the libraries' bars and notices out of standard error: progress there is ours."""
    import warnings

    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.* is deprecated", category=FutureWarning)
