"""Questions about codes scored in one pass; each answer is bitwise equal in any batch.

What a matrix product gives for a row depends in its last bits on how many rows there are: libraries choose other
kernels and other orders of summing. So every product over questions is computed in tiles of a fixed number of rows, and
attention in shapes that follow from the prefix and the question's own padded length. `agreed_tile` finds out at first
use which number of rows gives a row the same bits wherever in the tile it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.overrides import TorchFunctionMode

from nngpt_perfclf.models.trie import WIDTH, Trie, padded

TILES = (64, 96, 128, 192, 256, 512)  # rows of a matrix product, tried in this order
KEYS = 64  # a prefix's keys are padded to a multiple of it
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
        self.rows, self.depths, self.first = (indices.to(device) for indices in (self.rows, self.depths, self.first))
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


class Decoder(Protocol):
    """A causal language model without its output layer. `window`: tokens that a sliding layer sees, None where there is
    no sliding layer. `shapes`: a digest of what decides how its products are computed."""

    device: torch.device
    dtype: torch.dtype
    window: int | None
    shapes: str

    def prefix(self, ids: Sequence[int]) -> Sequence[tuple[torch.Tensor, torch.Tensor]]:
        """The keys and values of the tokens by layer, each (heads, tokens, width); of a sliding layer the last ones."""

    def questions(self, ids: torch.Tensor, positions: torch.Tensor, groups: Sequence[Group],
                  tile: int) -> torch.Tensor:
        """The hidden states (1, nodes, width) of nodes (1, nodes), whose attention `attend_groups` computes."""


def prefix_of(decoder: Decoder, ids: Sequence[int]) -> Prefix:
    """Read a code by itself: the same tokens give the same bits."""
    if not ids:
        return Prefix(0, ())
    return Prefix(len(ids), [(_padded_keys(keys), _padded_keys(values)) for keys, values in decoder.prefix(ids)])


def _padded_keys(states: torch.Tensor) -> torch.Tensor:
    missing = padded(states.shape[1], KEYS) - states.shape[1]
    return torch.nn.functional.pad(states, (0, 0, 0, missing)).contiguous()


def read(decoder: Decoder, groups: Sequence[Group], tile: int) -> torch.Tensor:
    """The hidden states of all nodes of the groups, in order, shape (nodes, width)."""
    count = sum(group.count for group in groups)
    ids = torch.zeros(1, padded(count, tile), dtype=torch.long)
    positions = torch.zeros_like(ids)
    for group in groups:
        place = slice(group.start, group.start + group.count)
        ids[0, place] = torch.tensor(group.trie.ids)
        positions[0, place] = group.depths.cpu() + group.prefix.length
        group.to(decoder.device)
    with _FixedRows(tile):
        hidden = decoder.questions(ids.to(decoder.device), positions.to(decoder.device), groups, tile)
    return hidden[0, :count]


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


def attend_groups(groups: Sequence[Group], query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layer: int,
                  tile: int, scaling: float, sliding: bool) -> torch.Tensor:
    """Attention of all nodes in one layer, query (heads, nodes, width), to (nodes, heads, width)."""
    result = query.new_zeros(query.shape[1], query.shape[0], query.shape[2])
    for group in groups:
        place = slice(group.start, group.start + group.count)
        prefix = group.prefix.layers[layer] if group.prefix.layers else None
        result[place] = attend(group, query[:, place], key[:, place], value[:, place], prefix, tile, scaling, sliding)
    return result


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
    for block, matrix in zip(left.split(group.block), right.split(group.block), strict=True):
        flat = block.permute(0, 2, 3, 1, 4).reshape(-1, each * tokens, inner)
        product = torch.bmm(flat, matrix.reshape(-1, inner, matrix.shape[-1]))
        found.append(product.view(len(block), shared, each, tokens, -1).permute(0, 3, 1, 2, 4).flatten(0, 1))
    return torch.cat(found)[group.first]


def agreed_tile(decoder: Decoder) -> int | None:
    """The smallest number of rows of a product at which a row has the same bits wherever it is, found by reading as
    many equal questions; None where there is none. It follows from the machine and the number of threads."""
    for tile in TILES:
        group = _equal_questions(tile, KEYS - 1, decoder)
        if _all_equal(read(decoder, [group], tile)):
            return tile
    return None


def attention_agrees(decoder: Decoder, length: int, width: int, tile: int) -> bool:
    """The same of attention, for prefixes of about `length` tokens and questions padded to `width`: the shapes of its
    products depend on both."""
    group = _equal_questions(tile, length, decoder, width)
    return _all_equal(read(decoder, [group], tile))


def _equal_questions(count: int, length: int, decoder: Decoder, width: int = 1) -> Group:
    """As many questions of one token after a random prefix."""
    every = list(range(count))
    trie = Trie(padded(width, WIDTH), ids=[7] * count, depths=[0] * count, ends=every, places=every)
    trie.rows = [[at] + [0] * (trie.width - 1) for at in range(count)]
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 100, (length,), generator=random).tolist()
    return Group(prefix_of(decoder, ids), trie, 0, decoder.window)


def _all_equal(rows: torch.Tensor) -> bool:
    return bool((rows == rows[:1]).all())
