"""A gate's decision about a candidate, and the statistics of its decisions."""

import hashlib
from dataclasses import dataclass

from nngpt_perfclf.types import Candidate


@dataclass(frozen=True)
class Decision:
    """Whether a candidate is worth training. `score`: the adviser's, None without an opinion; `threshold`: the score
    from which it would have been let through, None where no threshold was asked for; `reason`: why, in words."""

    train: bool
    score: float | None
    threshold: float | None
    reason: str


@dataclass(frozen=True)
class GateState:
    """How a gate has decided so far. `share`: of the `decided` candidates with a score, those let `through`;
    `outcomes`: reported accuracies of scored candidates; `hit_rate`: of pairs of recent outcomes, the share in which
    the higher score reached the higher accuracy; `correlation`: rank correlation of the two; None: too few to say."""

    target: str
    decided: int
    through: int
    undecided: int
    broken: int
    share: float | None
    outcomes: int
    hit_rate: float | None
    correlation: float | None
    warning: str


def key_of(candidate: Candidate) -> str:
    """What makes two candidates the same for a gate: code and recipe, whatever they are called."""
    return hashlib.sha256(repr((candidate.arch_code, candidate.recipe)).encode()).hexdigest()[:32]


def uniform(seed: int, target: str, key: str) -> float:
    """A number in [0, 1) that depends on these alone, so that a decision is the same again on every machine."""
    digest = hashlib.sha256(f"{seed}\0{target}\0{key}".encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:8]) >> 11) * 2.0**-53
