"""Questions about one code as a trie: a beginning that several share is computed once.

A question's place in the computation follows from the question alone, so that its answer has the same bits in any
company: see `models.reading`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 32  # tokens: questions are padded to a multiple of it where they attend to themselves


@dataclass
class Trie:
    """`ids`: tokens, a node each; `depths`: how many tokens come before it after the prefix; `ends`: the node of the
    last token of each question; `rows`: the nodes of each question, padded with node 0 to `width`; `places`: in which
    row each node occurs first. Two questions share nodes only if they are padded to the same width."""

    width: int
    ids: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, question: Sequence[int]) -> None:
        """Add a question's tokens, without those that are there already."""
        way, at = [], -1
        for depth, token in enumerate(question):
            if (at, token) not in self._children:
                self._children[at, token] = len(self.ids)
                self.ids.append(token)
                self.depths.append(depth)
                self.places.append(len(self.rows))
            at = self._children[at, token]
            way.append(at)
        self.ends.append(at)
        self.rows.append(way + [0] * (self.width - len(way)))


def padded(length: int, step: int) -> int:
    """The next multiple of `step`, at least one."""
    return max(1, -(-length // step)) * step


def tries_of(questions: Sequence[Sequence[int]]) -> dict[int, tuple[Trie, list[int]]]:
    """By padded width: a trie, and the places in `questions` of those that it holds."""
    found: dict[int, tuple[Trie, list[int]]] = {}
    for place, question in enumerate(questions):
        width = padded(len(question), WIDTH)
        trie, places = found.setdefault(width, (Trie(width), []))
        trie.add(question)
        places.append(place)
    return found
