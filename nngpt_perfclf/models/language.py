"""A causal language model that answers between two names, its code prefix computed once for all questions about it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from nngpt_perfclf import checksums
from nngpt_perfclf.models import gemma
from nngpt_perfclf.models.device import device_type, remembered, resolve
from nngpt_perfclf.models.encoder import Asked, Encoder
from nngpt_perfclf.models.reading import KEYS, TILES, Decoder, Group, agreed_tile, attention_agrees, prefix_of, read
from nngpt_perfclf.models.trie import Trie, padded, tries_of
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

FUSED = "sdpa"  # transformers' name for torch's fused attention


@dataclass(frozen=True)
class LanguageModel:
    """`network`: the causal model, with or without an adapter, or a decoder that only reads; `encoder`: how it is
    spoken to; `answers`: the output layer's table (vocabulary, width), of which scoring needs only the rows of the
    tokens in question."""

    network: torch.nn.Module | gemma.Gemma
    encoder: Encoder
    answers: torch.Tensor
    _agreed: dict = field(default_factory=dict, repr=False)

    @property
    def causal(self) -> torch.nn.Module:
        """The causal model inside an adapter's wrapper."""
        from peft import PeftModel

        return self.network.get_base_model() if isinstance(self.network, PeftModel) else self.network

    @property
    def decoder(self) -> Decoder:
        """What reads."""
        if isinstance(self.network, gemma.Gemma):
            return self.network
        from nngpt_perfclf.models.hosted import Hosted

        return Hosted(self.causal)

    @property
    def precision(self) -> str:
        """Of computing: ``float32`` or ``bfloat16``."""
        return str(self.network.dtype).removeprefix("torch.")

    def score(self, prompts: Sequence[Prompt], batch_tokens: int = 4096, share: bool = True,
              progress=None) -> np.ndarray:
        """The log-odds of each prompt's first option against its second, shape (n,).

        They are those of the two full names with the terminator under decoding constrained to the two: past the token
        at which the names part every token is certain, so that token's two logits say all. Prompts with the same prefix
        share its computation, and questions that begin alike that of their beginnings (`share`); at most about
        `batch_tokens` question tokens are computed at once. `progress` is called with the number of prompts done.

        A prompt's log-odds do not depend, to the last bit, on the other prompts: see `models.reading`.
        """
        asked = [self.encoder.asked(prompt) for prompt in prompts]
        result = np.zeros(len(asked), np.float64)
        tile = self._tile() if asked else None
        batches = _batches(asked, batch_tokens) if share and tile else [[place] for place in range(len(asked))]
        for places in batches:
            result[places] = self._score([asked[place] for place in places], tile or TILES[0])
            if progress:
                progress(len(places))
        return result

    @torch.inference_mode()
    def _score(self, asked: Sequence[Asked], tile: int) -> np.ndarray:
        """The log-odds of the questions, in the order given."""
        groups, ends, start = [], np.zeros(len(asked), int), 0
        by_prefix: dict[tuple[int, ...], list[int]] = {}
        for place, question in enumerate(asked):
            by_prefix.setdefault(question.prefix, []).append(place)
        decoder = self.decoder
        for ids, places in by_prefix.items():
            prefix = prefix_of(decoder, ids)
            for trie, members in self._tries([asked[place].question for place in places], len(ids), tile):
                groups.append(Group(prefix, trie, start, decoder.window))
                ends[[places[member] for member in members]] = [start + end for end in trie.ends]
                start += len(trie.ids)
        hidden = read(decoder, groups, tile)[torch.from_numpy(ends).to(self.network.device)]
        return option_logits(hidden, self.answers, asked).cpu().double().numpy()

    def _tries(self, questions: Sequence[Sequence[int]], length: int, tile: int) -> list[tuple[Trie, list[int]]]:
        """The questions after one prefix as tries, each alone where attention to several would not have the same bits.
        """
        found = []
        for width, (trie, members) in tries_of(questions).items():
            if len(members) == 1 or self._attention_agrees(padded(length, KEYS), width, tile):
                found.append((trie, members))
            else:
                found += [(tries_of([questions[member]])[width][0], [member]) for member in members]
        return found

    def _tile(self) -> int | None:
        return self._found(lambda: agreed_tile(self.decoder) or 0) or None

    def _attention_agrees(self, length: int, width: int, tile: int) -> bool:
        return bool(self._found(lambda: attention_agrees(self.decoder, length, width, tile), length, width, tile))

    @torch.inference_mode()
    def _found(self, find: Callable[[], int], *asked: int) -> int:
        key = (torch.get_num_threads(), *asked)
        if key not in self._agreed:
            self._agreed[key] = remembered(find, self.decoder.shapes, asked)
        return self._agreed[key]


def option_logits(hidden: torch.Tensor, answers: torch.Tensor, asked: Sequence[Asked]) -> torch.Tensor:
    """Log-odds of the first option, shape (n,), from the hidden states (n, width) where the answers part: only the rows
    of the two tokens in question are multiplied, in float32."""
    first = answers[torch.tensor([question.first for question in asked], device=answers.device)]
    second = answers[torch.tensor([question.second for question in asked], device=answers.device)]
    return (hidden.float() * (first.float() - second.float())).sum(-1)


def pad(sequences: Sequence[Sequence[int]], left: bool = False) -> torch.Tensor:
    """Token ids as one tensor, shape (n, longest), padded with 0 (always masked) on the right, or on the left."""
    longest = max(map(len, sequences))
    padding = [[0] * (longest - len(sequence)) for sequence in sequences]
    filled = [[*zeros, *sequence] if left else [*sequence, *zeros]
              for zeros, sequence in zip(padding, sequences, strict=True)]
    return torch.tensor(filled, dtype=torch.long)


def _batches(asked: Sequence[Asked], tokens: int) -> Iterator[list[int]]:
    """Places of questions that are read in one pass, those with the same prefix together."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, question in enumerate(asked):
        places.setdefault(question.prefix, []).append(place)
    batch, size = [], 0
    for group in places.values():
        for place in group:
            batch.append(place)
            size += len(asked[place].question)
            if size >= tokens:
                yield batch
                batch, size = [], 0
        size += len(asked[group[0]].prefix)
    if batch:
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


def load(folder: Path, adapter: Path | None = None, chat: bool = False, precision: str = "auto",
         merge: bool = False) -> LanguageModel:
    """The model of a dense folder, with the LoRA adapter of another; ready to score. `precision`: see `device.resolve`;
    `merge`: add the adapter to the weights, which reads faster but cannot be trained any further.

    Raises PerfclfError where either cannot be read or they do not fit each other.
    """
    from safetensors import SafetensorError

    dtype = getattr(torch, resolve(precision))
    for file in (adapter.glob("adapter_*") if adapter is not None else ()):
        checksums.check(file)
    try:
        if merge and not chat and adapter is not None and gemma.can_read(folder, adapter):
            return _reader(folder, adapter, dtype)
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        quiet()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype,
                                                       attn_implementation=_attention_for_reading())
        network = network.to(device_type())
        table = network.get_output_embeddings().weight.detach()
        if adapter is not None:
            network = PeftModel.from_pretrained(network, adapter, autocast_adapter_dtype=False)
            network = _merged(network) if merge else network.to(dtype)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PerfclfError(f"cannot load the model in {adapter or folder}: {str(error).splitlines()[0]}") from error
    return LanguageModel(network.eval(), Encoder(tokenizer, chat), table)


def _reader(folder: Path, adapter: Path, dtype: torch.dtype) -> LanguageModel:
    """The model without transformers."""
    network = gemma.load(folder, adapter, dtype, device_type())
    return LanguageModel(network, Encoder(gemma.PlainTokenizer(folder), chat=False), network.table)


def _merged(network: torch.nn.Module) -> torch.nn.Module:
    """The model with its adapter's updates added to the weights, in float32, then rounded to the model's precision."""
    from peft.tuners.lora import LoraLayer

    for layer in network.modules():
        if isinstance(layer, LoraLayer):
            weight = layer.get_base_layer().weight
            for name in layer.active_adapters:
                weight.data = (weight.float() + layer.get_delta_weight(name).float()).to(weight.dtype)
    return network.unload()


def _attention_for_reading() -> str:
    """On a processor plain matrix products read a sixth faster than torch's fused attention, which is the better one on
    a GPU, and in training, where it keeps less (`models.train` asks for it)."""
    return FUSED if device_type() == "cuda" else "eager"


def quiet() -> None:
    """Keep the libraries' bars and notices out of standard error: progress there is ours."""
    import warnings

    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.* is deprecated", category=FutureWarning)
