"""Questions about one code as a trie: a beginning that several share is computed once.

A row of tokens holds many questions. Its attention mask lets a token see the prefix, the tokens on its own way and
itself, and its position is its depth: every question gets what it would get alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

ROW = 256  # tokens of a row, about: attention within a row grows with its square


@dataclass
class Row:
    """`ids`: tokens; `parents`: index of the token before each (−1: the prefix); `depths`: how many stand before it
    after the prefix; `ends`: index of the last token of each question."""

    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def missing(self, question: Sequence[int]) -> int:
        """How many tokens the question would add."""
        at = -1
        for depth, token in enumerate(question):
            if (at := self._children.get((at, token))) is None:
                return len(question) - depth
        return 0

    def add(self, question: Sequence[int]) -> None:
        at = -1
        for depth, token in enumerate(question):
            if (at, token) not in self._children:
                self._children[at, token] = len(self.ids)
                self.ids.append(token)
                self.parents.append(at)
                self.depths.append(depth)
            at = self._children[at, token]
        self.ends.append(at)


def rows_of(questions: Sequence[Sequence[int]], tokens: int = ROW) -> list[Row]:
    """The questions, in the order given (sorted ones share most), in rows of at most `tokens` tokens, or of one."""
    rows = [Row()]
    for question in questions:
        if rows[-1].ids and len(rows[-1].ids) + rows[-1].missing(question) > tokens:
            rows.append(Row())
        rows[-1].add(question)
    return rows


def ways(rows: Sequence[Row], width: int) -> torch.Tensor:
    """Which tokens of its row each token sees, (rows, width, width) of booleans; padding sees itself alone."""
    sees = torch.eye(width, dtype=torch.bool).repeat(len(rows), 1, 1)
    for row, own in zip(rows, sees, strict=True):
        for at, parent in enumerate(row.parents):
            if parent >= 0:
                own[at] |= own[parent]
    return sees


def masks(rows: Sequence[Row], prefix: int, settings, dtype: torch.dtype) -> dict[str, torch.Tensor] | torch.Tensor:
    """The additive attention mask (rows, 1, width, prefix + width), for each kind of layer that `settings` (the model's
    configuration) names. A sliding layer keeps the last `sliding_window` − 1 tokens of the prefix, and a token sees as
    many before it and itself."""
    width = max(len(row.ids) for row in rows)
    own = ways(rows, width)
    everything = torch.cat([torch.ones(len(rows), width, prefix, dtype=torch.bool), own], dim=2)
    kinds = set(getattr(settings, "layer_types", None) or ())
    if not kinds:
        return _additive(everything, dtype)
    places = torch.tensor([row.depths + [0] * (width - len(row.depths)) for row in rows]) + prefix
    window = getattr(settings, "sliding_window", None) or prefix + width
    kept = min(prefix, window - 1)
    keys = torch.cat([torch.arange(prefix).expand(len(rows), prefix), places], dim=1)
    near = everything & (places[:, :, None] - keys[:, None, :] < window)
    views = {"full_attention": everything, "sliding_attention": near[:, :, prefix - kept:]}
    return {kind: _additive(views[kind], dtype) for kind in kinds}


def _additive(sees: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros(sees.shape, dtype=dtype).masked_fill(~sees, torch.finfo(dtype).min)[:, None]
