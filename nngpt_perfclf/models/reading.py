"""Questions about codes scored in one pass; each answer is bitwise equal in any batch.

What a matrix product gives for a row depends in its last bits on how many rows there are: libraries choose other
kernels and other orders of summing. So every product over questions is computed in tiles of a fixed number of rows, and
attention in shapes that follow from the prefix and the question's own padded length. `agreed_tile` finds out at first
use which number of rows gives a row the same bits wherever in the tile it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface
from transformers.cache_utils import Cache

from nngpt_perfclf.models.trie import WIDTH, Trie, padded
from nngpt_perfclf.types import PerfclfError

TILES = (64, 96, 128, 192, 256, 512)  # rows of a matrix product, tried in this order
KEYS = 64  # a prefix's keys are padded to a multiple of it
ATTENTION = "perfclf_questions"  # the name under which transformers knows `_attention`
_ROWS = 256  # tokens of questions that attend to themselves in one product, about


@dataclass(frozen=True)
class Prefix:
    """The keys and values of a code, by layer: each (heads, tokens, width); `length`: tokens of the code. A sliding
    layer keeps the last ones only."""

    length: int
    layers: Sequence[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Group:
    """The questions of one trie after one prefix, at the nodes from `start` of the pass."""

    prefix: Prefix
    trie: Trie
    start: int
    window: int | None

    def __post_init__(self):
        self.count = len(self.trie.ids)
        self.block = max(1, _ROWS // self.trie.width)
        rows = self.trie.rows + [self.trie.rows[0]] * (padded(len(self.trie.rows), self.block) - len(self.trie.rows))
        self.rows = torch.tensor(rows)
        self.depths = torch.tensor(self.trie.depths)
        self.first = torch.tensor(self.trie.places) * self.trie.width + self.depths
        self._masks: dict[tuple[int, bool], torch.Tensor] = {}

    def to(self, device: torch.device) -> Group:
        """Itself, with its indices on the device."""
        self.rows, self.depths, self.first = (one.to(device) for one in (self.rows, self.depths, self.first))
        return self

    def mask(self, kept: int, sliding: bool, dtype: torch.dtype) -> torch.Tensor:
        """The additive mask (nodes, 1, 1, keys of the prefix and of the question); `kept`: tokens that a layer has of
        the prefix."""
        if (kept, sliding) not in self._masks:
            device, width = self.depths.device, self.trie.width
            keys = torch.arange(padded(kept, KEYS), device=device)
            own = torch.arange(width, device=device)
            at = self.depths[:, None]
            sees_prefix, sees_own = (keys < kept).expand(self.count, -1), own <= at
            if sliding and self.window:
                sees_prefix = sees_prefix & (self.prefix.length + at - (keys + self.prefix.length - kept) < self.window)
                sees_own = sees_own & (at - own < self.window)
            sees = torch.cat([sees_prefix, sees_own], dim=1)
            mask = torch.zeros(sees.shape, dtype=dtype, device=device).masked_fill(~sees, torch.finfo(dtype).min)
            self._masks[kept, sliding] = mask[:, None, None]
        return self._masks[kept, sliding]


@dataclass(frozen=True)
class Pass:
    """What the layers need to know while questions are read."""

    groups: Sequence[Group]
    tile: int


_CURRENT: ContextVar[Pass] = ContextVar("questions that are being read")


def prefix_of(decoder, ids: Sequence[int]) -> Prefix:
    """Read a code by itself: the same tokens give the same bits."""
    if not ids:
        return Prefix(0, ())
    cache = decoder(input_ids=torch.tensor([ids], device=decoder.device), use_cache=True).past_key_values
    return Prefix(len(ids), [(_padded_keys(layer.keys[0]), _padded_keys(layer.values[0])) for layer in cache.layers])


def _padded_keys(states: torch.Tensor) -> torch.Tensor:
    missing = padded(states.shape[1], KEYS) - states.shape[1]
    return torch.nn.functional.pad(states, (0, 0, 0, missing)).contiguous()


def read(causal, groups: Sequence[Group], tile: int) -> torch.Tensor:
    """The hidden states of all nodes of the groups, in order, shape (nodes, width)."""
    decoder, device = causal.get_decoder(), causal.device
    count = sum(group.count for group in groups)
    ids = torch.zeros(1, padded(count, tile), dtype=torch.long)
    positions = torch.zeros_like(ids)
    for group in groups:
        place = slice(group.start, group.start + group.count)
        ids[0, place] = torch.tensor(group.trie.ids)
        positions[0, place] = group.depths.cpu() + group.prefix.length
        group.to(device)
    nothing = torch.zeros(1, 1, 1, 1, dtype=causal.dtype, device=device)  # the groups know what is seen
    kinds = set(getattr(causal.config, "layer_types", None) or ())
    with _attention_by_groups(causal), _current(Pass(groups, tile)), _FixedRows(tile):
        hidden = decoder(input_ids=ids.to(device), position_ids=positions.to(device), past_key_values=_Nothing(),
                         attention_mask=dict.fromkeys(kinds, nothing) if kinds else nothing).last_hidden_state
    return hidden[0, :count]


@contextmanager
def _attention_by_groups(causal) -> Iterator[None]:
    before = causal.config._attn_implementation
    causal.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        causal.set_attn_implementation(before)


@contextmanager
def _current(now: Pass) -> Iterator[None]:
    token = _CURRENT.set(now)
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


class _FixedRows(TorchFunctionMode):
    """Computes every linear layer in tiles of as many rows."""

    def __init__(self, tile: int):
        super().__init__()
        self.tile = tile

    def __torch_function__(self, function, types, arguments=(), named=None):
        if function is torch.nn.functional.linear:
            return self._linear(*arguments, **(named or {}))
        return function(*arguments, **(named or {}))

    def _linear(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        result = rows.new_empty(len(rows), len(weight))
        for start in range(0, len(rows), self.tile):
            torch.mm(rows[start:start + self.tile], weight.T, out=result[start:start + self.tile])
        return (result if bias is None else result + bias).view(*x.shape[:-1], -1)


def _attention(module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask, scaling: float,
               softcap: float | None = None, **_) -> tuple[torch.Tensor, None]:
    """transformers' interface: query (1, heads, nodes, width) to (1, nodes, heads, width)."""
    if softcap is not None:
        raise PerfclfError("models that cap their attention scores are not supported")
    now = _CURRENT.get()
    kinds = getattr(module.config, "layer_types", None)
    sliding = bool(kinds) and kinds[module.layer_idx] == "sliding_attention"
    result = query.new_zeros(query.shape[2], query.shape[1], query.shape[3])
    for group in now.groups:
        place = slice(group.start, group.start + group.count)
        prefix = group.prefix.layers[module.layer_idx] if group.prefix.layers else None
        result[place] = attend(group, query[0, :, place], key[0, :, place], value[0, :, place], prefix,
                               now.tile, scaling, sliding)
    return result[None], None


AttentionInterface.register(ATTENTION, _attention)


def attend(group: Group, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
           prefix: tuple[torch.Tensor, torch.Tensor] | None, tile: int, scaling: float,
           sliding: bool) -> torch.Tensor:
    """Attention of a group's nodes, query (heads, nodes, width) with as many or fewer key heads, to their prefix and to
    the tokens on their own way; shape (nodes, heads, width)."""
    heads, count, width = query.shape
    shared = len(key)  # key heads; each is used by `heads // shared` query heads
    if prefix is None:
        empty = key.new_zeros(shared, KEYS, width)
        prefix = empty, empty
    kept = group.prefix.length
    if sliding and group.window:
        kept = min(kept, group.window - 1)
    keys, values = prefix
    query = query.view(shared, heads // shared, count, width).permute(2, 0, 1, 3)
    before = _tiled(query, keys.transpose(1, 2), tile)
    mine = group.rows
    own_keys, own_values = key.transpose(0, 1)[mine], value.transpose(0, 1)[mine]
    within = _by_rows(query[mine], own_keys.permute(0, 2, 3, 1), group)
    scores = torch.cat([before, within], dim=-1) * scaling + group.mask(kept, sliding, query.dtype)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    before, within = weights[..., :keys.shape[1]], weights[..., keys.shape[1]:]
    result = _tiled(before, values, tile) + _by_rows(within[mine], own_values.permute(0, 2, 1, 3), group)
    return result.reshape(count, heads, width)


def _tiled(rows: torch.Tensor, matrix: torch.Tensor, tile: int) -> torch.Tensor:
    """rows (nodes, key heads, query heads of each, k) times matrix (key heads, k, m), tile by tile."""
    count, shared, each, inner = rows.shape
    filled = rows.new_zeros(padded(count, tile), shared, each, inner)
    filled[:count] = rows
    found = []
    for part in filled.split(tile):
        product = torch.bmm(part.permute(1, 2, 0, 3).reshape(shared, each * tile, inner), matrix)
        found.append(product.view(shared, each, tile, -1).permute(2, 0, 1, 3))
    return torch.cat(found)[:count]


def _by_rows(left: torch.Tensor, right: torch.Tensor, group: Group) -> torch.Tensor:
    """left (rows, tokens, key heads, query heads of each, k) times right (rows, key heads, k, m), a block of rows at a
    time; of the result the first occurrence of each node, (nodes, key heads, query heads of each, m)."""
    _, tokens, shared, each, inner = left.shape
    found = []
    for some, matrix in zip(left.split(group.block), right.split(group.block), strict=True):
        flat = some.permute(0, 2, 3, 1, 4).reshape(-1, each * tokens, inner)
        product = torch.bmm(flat, matrix.reshape(-1, inner, matrix.shape[-1]))
        found.append(product.view(len(some), shared, each, tokens, -1).permute(0, 3, 1, 2, 4).flatten(0, 1))
    return torch.cat(found)[group.first]


def agreed_tile(causal) -> int | None:
    """The smallest number of rows of a product at which a row has the same bits wherever it is, found by reading as
    many equal questions; None where there is none. It follows from the machine and the number of threads."""
    for tile in TILES:
        group = _equal_questions(tile, KEYS - 1, causal)
        if _all_equal(read(causal, [group], tile)):
            return tile
    return None



def attention_agrees(causal, length: int, width: int, tile: int) -> bool:
    """The same of attention, for prefixes of about `length` tokens and questions padded to `width`: the shapes of its
    products depend on both."""
    group = _equal_questions(tile, length, causal, width)
    return _all_equal(read(causal, [group], tile))


def _equal_questions(count: int, length: int, causal, width: int = 1) -> Group:
    """As many questions of one token after a random prefix."""
    every = list(range(count))
    trie = Trie(padded(width, WIDTH), ids=[7] * count, depths=[0] * count, ends=every, places=every)
    trie.rows = [[at] + [0] * (trie.width - 1) for at in range(count)]
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 100, (length,), generator=random).tolist()
    return Group(prefix_of(causal.get_decoder(), ids), trie, 0, getattr(causal.config, "sliding_window", None))


def _all_equal(rows: torch.Tensor) -> bool:
    return bool((rows == rows[:1]).all())
