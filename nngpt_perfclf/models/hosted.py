"""Any causal model of transformers, read as `models.reading` asks for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from transformers import AttentionInterface
from transformers.cache_utils import Cache

from nngpt_perfclf.models.device import shapes_of
from nngpt_perfclf.models.reading import Group, attend_groups
from nngpt_perfclf.types import PerfclfError

ATTENTION = "perfclf_questions"  # the name under which transformers knows `_attention`

_CURRENT: ContextVar[tuple[Sequence[Group], int]] = ContextVar("questions that are being read, and the tile")


@dataclass(frozen=True)
class Hosted:
    """A decoder for `models.reading`; `causal`: transformers' model."""

    causal: torch.nn.Module

    @property
    def device(self) -> torch.device:
        return self.causal.device

    @property
    def dtype(self) -> torch.dtype:
        return self.causal.dtype

    @property
    def window(self) -> int | None:
        return getattr(self.causal.config, "sliding_window", None)

    @property
    def shapes(self) -> str:
        return shapes_of(self.causal.named_parameters(), self.causal.config.to_json_string())

    def prefix(self, ids: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        decoder = self.causal.get_decoder()
        cache = decoder(input_ids=torch.tensor([ids], device=decoder.device), use_cache=True).past_key_values
        return [(layer.keys[0], layer.values[0]) for layer in cache.layers]

    def questions(self, ids: torch.Tensor, positions: torch.Tensor, groups: Sequence[Group],
                  tile: int) -> torch.Tensor:
        decoder = self.causal.get_decoder()
        nothing = torch.zeros(1, 1, 1, 1, dtype=self.dtype, device=self.device)  # the groups know what is seen
        kinds = set(getattr(self.causal.config, "layer_types", None) or ())
        with self._attention_by_groups(), _current(groups, tile):
            return decoder(input_ids=ids, position_ids=positions, past_key_values=_Nothing(),
                           attention_mask=dict.fromkeys(kinds, nothing) if kinds else nothing).last_hidden_state

    @contextmanager
    def _attention_by_groups(self) -> Iterator[None]:
        before = self.causal.config._attn_implementation
        self.causal.set_attn_implementation(ATTENTION)
        try:
            yield
        finally:
            self.causal.set_attn_implementation(before)


@contextmanager
def _current(groups: Sequence[Group], tile: int) -> Iterator[None]:
    token = _CURRENT.set((groups, tile))
    try:
        yield
    finally:
        _CURRENT.reset(token)


class _Nothing(Cache):
    """Keeps nothing: a question's keys and values are those of its pass."""

    def __init__(self):
        super().__init__(layers=[])

    def update(self, keys, values, *_, **__):
        return keys, values

    def get_seq_length(self, *_, **__) -> int:
        return 0


def _attention(module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask, scaling: float,
               softcap: float | None = None, **_) -> tuple[torch.Tensor, None]:
    """transformers' interface: query (1, heads, nodes, width) to (1, nodes, heads, width)."""
    if softcap is not None:
        raise PerfclfError("models that cap their attention scores are not supported")
    kinds = getattr(module.config, "layer_types", None)
    sliding = bool(kinds) and kinds[module.layer_idx] == "sliding_attention"
    groups, tile = _CURRENT.get()
    return attend_groups(groups, query[0], key[0], value[0], module.layer_idx, tile, scaling, sliding)[None], None


AttentionInterface.register(ATTENTION, _attention)
