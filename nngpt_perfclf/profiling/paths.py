"""How far a tensor lies from the network's input: layers with weights on the way, and the pixels that it sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log

_FARTHEST = 1e6  # pixels; a network of dilated layers may see more than any image has


@dataclass(frozen=True, slots=True)
class Edge:
    """`longest`, `shortest`, `mean`: layers with weights on the longest, the shortest and the mean path from the input;
    `paths`: natural logarithm of the number of paths; `field`: pixels of the input that one position sees, by
    direction; `step`: pixels between two positions."""

    longest: int
    shortest: int
    mean: float
    paths: float
    field: tuple[float, float]
    step: tuple[float, float]


EDGE = Edge(0, 0, 0.0, 0.0, (1.0, 1.0), (1.0, 1.0))


def joined(edges: list[Edge]) -> Edge:
    """Of what is computed from several tensors."""
    if len(edges) == 1:
        return edges[0]
    most = max(edge.paths for edge in edges)
    shares = [exp(edge.paths - most) for edge in edges]
    mean = sum(share * edge.mean for share, edge in zip(shares, edges, strict=True)) / sum(shares)
    return Edge(max(edge.longest for edge in edges), min(edge.shortest for edge in edges), mean,
                most + log(sum(shares)),
                tuple(max(edge.field[way] for edge in edges) for way in (0, 1)),
                tuple(max(edge.step[way] for edge in edges) for way in (0, 1)))


def through_convolution(edge: Edge, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int],
                        transposed: bool, weighted: bool) -> Edge:
    """After a convolution; `weighted`: its kernel is learned and not computed from the input."""
    edge = through_product(edge, weighted)
    kernel, stride, dilation = _two(kernel), _two(stride), _two(dilation)
    step = tuple(distance / by for distance, by in zip(edge.step, stride, strict=True)) if transposed else edge.step
    field = tuple(min(_FARTHEST, old + (size - 1) * apart * distance)
                  for old, size, apart, distance in zip(edge.field, kernel, dilation, step, strict=True))
    if not transposed:
        step = tuple(min(_FARTHEST, distance * by) for distance, by in zip(step, stride, strict=True))
    return replace(edge, field=field, step=step)


def through_pool(edge: Edge, kernel: Sequence[int], stride: Sequence[int]) -> Edge:
    """After a pooling window."""
    return through_convolution(edge, kernel, stride, (1, 1), transposed=False, weighted=False)


def through_product(edge: Edge, weighted: bool) -> Edge:
    """After a product of matrices; `weighted`: with a learned one."""
    if not weighted:
        return edge
    return replace(edge, longest=edge.longest + 1, shortest=edge.shortest + 1, mean=edge.mean + 1)


def _two(sizes: Sequence[int]) -> tuple[int, int]:
    sizes = [int(size) for size in sizes] or [1]
    return (sizes[-2], sizes[-1]) if len(sizes) > 1 else (sizes[0], sizes[0])
