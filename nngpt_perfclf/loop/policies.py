"""Pruning policies: candidates and their scores in, kept and pruned candidates with reasons out.

A policy turns what is known of the candidates into one number each (higher: more promising) and selects by one common
rule, `keep_mask`. A candidate without a decided score is never pruned.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nngpt_perfclf.advice.seconds import gain_per_second
from nngpt_perfclf.advice.upside import deviations_of, hoped, worth_order
from nngpt_perfclf.gate.decision import uniform
from nngpt_perfclf.gate.threshold import Settings, let_through
from nngpt_perfclf.types import Candidate, PerfclfError, Score


@dataclass(frozen=True)
class Rule:
    """How much may be pruned.

    `keep`: share of the scored candidates to keep, or None: as few as hold the best one with probability
    1 − `miss_probability`.
    `least_kept`: never keep fewer of the scored ones. `confidence`: a candidate goes only where the best-scored one
    beats it with a higher probability than this (0.5: where it scores lower at all).
    `inverse_temperature`: log-odds of being the better of two candidates for one unit of difference in score.
    `seen`: in a replay, the generations that a gate decided on before.
    """

    keep: float | None = 0.5
    least_kept: int = 1
    confidence: float = 0.5
    miss_probability: float = 0.1
    inverse_temperature: float = 1.0
    seen: int = 0

    def __post_init__(self):
        if self.keep is not None and not 0 < self.keep <= 1:
            raise PerfclfError(f"keep must lie in (0, 1] or be null, not {self.keep}")
        if self.least_kept < 0:
            raise PerfclfError(f"least_kept must be at least 0, not {self.least_kept}")
        if not 0.5 <= self.confidence < 1:
            raise PerfclfError(f"the loop's confidence must lie in [0.5, 1), not {self.confidence}")
        if not 0 < self.miss_probability < 1:
            raise PerfclfError(f"miss_probability must lie in (0, 1), not {self.miss_probability}")
        if self.inverse_temperature < 0:
            raise PerfclfError(f"inverse_temperature must be at least 0, not {self.inverse_temperature}")
        if self.seen < 0:
            raise PerfclfError(f"seen must be at least 0, not {self.seen}")


@dataclass(frozen=True)
class Selection:
    """What a policy decided: `kept` in the order proposed; `pruned`: candidates with the reason; `values`: what each
    candidate was ranked by, as given, None without a decided score."""

    kept: tuple[Candidate, ...]
    pruned: tuple[tuple[Candidate, str], ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Policy:
    """Base class, and the null policy: nothing is asked, so nothing is pruned."""

    rule: Rule = Rule()

    def values(self, candidates: Sequence[Candidate], scores: Sequence[Score | None],
               seeds: Sequence[int]) -> np.ndarray:
        """What candidates are ranked by, NaN without an opinion: (1, candidates), or (seeds, candidates) if random."""
        return np.full((1, len(candidates)), np.nan)

    def deviations(self, scores: Sequence[Score | None]) -> np.ndarray | None:
        """The standard deviation of each value (candidates,), NaN where it is not known; None: it does not matter."""
        return None

    def kept(self, values: np.ndarray, ties: np.ndarray, rule: Rule,
             deviations: np.ndarray | None = None) -> np.ndarray:
        """Which candidates stay: booleans (generations, candidates) from values, tie-breakers and deviations of that
        shape."""
        return keep_mask(values, ties, rule, deviations)

    def select(self, candidates: Sequence[Candidate], scores: Sequence[Score | None], seed: int,
               past: Sequence[tuple[str, float | None]] = ()) -> Selection:
        """Decide on one generation; `scores[i]` is that of `candidates[i]`; `past`: names and values of the candidates
        of the same search that were decided on before, oldest first."""
        if len(scores) != len(candidates):
            raise PerfclfError(f"{len(candidates)} candidates, but {len(scores)} scores")
        values = self.values(candidates, scores, [seed])[0]
        deviations = self.deviations(scores)
        mask = self._mask(values, deviations, candidates, seed, past)
        return Selection(
            kept=tuple(candidate for candidate, keep in zip(candidates, mask, strict=True) if keep),
            pruned=tuple((candidates[place], self._reason(values, deviations, mask, place))
                         for place in np.flatnonzero(~mask)),
            values=tuple(None if np.isnan(value) else float(value) for value in values))

    def _mask(self, values: np.ndarray, deviations: np.ndarray | None, candidates: Sequence[Candidate], seed: int,
              past: Sequence[tuple[str, float | None]]) -> np.ndarray:
        return self.kept(values[None], noise(candidates, [seed]), self.rule,
                         None if deviations is None else deviations[None])[0]

    def _reason(self, values: np.ndarray, deviations: np.ndarray | None, mask: np.ndarray, place: int) -> str:
        position = 1 + int(np.sum(values > values[place]))
        spread = ("" if deviations is None or np.isnan(deviations[place]) or self.rule.keep is None
                  else f" (standard deviation {deviations[place]:.3f}, which counts after the first tenth)")
        limit = (f"miss_probability {self.rule.miss_probability:g}" if self.rule.keep is None
                 else f"keep {self.rule.keep:g}")
        return (f"score {values[place]:.3f}{spread} is number {position} of {np.sum(~np.isnan(values))}, "
                f"the best is {np.nanmax(values):.3f}; {int(mask.sum())} of {len(mask)} kept ({limit})")


class Nop(Policy):
    """Prunes nothing: what every other policy is measured against."""


class Ask(Policy):
    """Ranks by the score of the adviser that is asked and, after the first tenth, by what a candidate may reach."""

    def values(self, candidates, scores, seeds) -> np.ndarray:
        return np.array([[score.value if score is not None and score.decided else np.nan for score in scores]], float)

    def deviations(self, scores) -> np.ndarray:
        return deviations_of(scores)


class AskPerSecond(Policy):
    """Ranks by the gain for each second: the score minus the logarithm of the seconds that an epoch is expected to
    take."""

    def values(self, candidates, scores, seeds) -> np.ndarray:
        return np.array([[gain_per_second(score) if score is not None and score.decided else np.nan
                          for score in scores]], float)


class Static(Ask):
    """As `Ask`, but what earlier rounds of the same search trained does not correct the scores."""


class Naive(Ask):
    """As `Ask`, but scored by pair questions with the same recipe on both sides: a baseline that shows why
    references need a fixed anchor recipe. A good candidate is good on both sides, and the difference says little."""


class Gate(Ask):
    """Decides on one candidate after the other, as `gate.Gate` does. In a replay each generation is a stream in its
    order, after the `rule.seen` generations before it; where nothing was seen, the first few candidates stay."""

    def values(self, candidates, scores, seeds) -> np.ndarray:
        return np.array([[hoped(score) if score is not None and score.decided else np.nan for score in scores]], float)

    def deviations(self, scores) -> None:
        return None

    def kept(self, values, ties, rule, deviations=None) -> np.ndarray:
        # Generation i comes after i - seen … i - 1; the first ones come after the last, as on a circle.
        streams, of_ties = (np.concatenate([np.roll(part, turn, axis=0) for turn in range(rule.seen, -1, -1)], axis=1)
                            for part in (values, ties))
        return let_through(streams, of_ties, _stream(rule))[:, -values.shape[1]:]

    def _mask(self, values, deviations, candidates, seed, past) -> np.ndarray:
        stream = np.array([*(np.nan if value is None else value for _, value in past), *values], float)
        names = [*(name for name, _ in past), *(candidate.name for candidate in candidates)]
        ties = np.array([uniform(0, "", name) for name in names])
        return let_through(stream[None], ties[None], _stream(self.rule))[0, len(past):]


class Random(Policy):
    """Keeps a random share: what any advice must beat."""

    def values(self, candidates, scores, seeds) -> np.ndarray:
        # Not the noise that breaks ties, which would order equals the same way.
        return noise(candidates, [~seed for seed in seeds])


@dataclass(frozen=True)
class Oracle(Policy):
    """Knows every outcome, accuracy by candidate name: the bound of all advice. For replays only."""

    outcomes: Mapping[str, float] = field(default_factory=dict)

    def values(self, candidates, scores, seeds) -> np.ndarray:
        missing = [candidate.name for candidate in candidates if candidate.name not in self.outcomes]
        if missing:
            raise PerfclfError(f"the oracle needs recorded outcomes, and {missing[0]} has none: use it in a replay")
        return np.array([[self.outcomes[candidate.name] for candidate in candidates]], dtype=float)


PER_SECOND = ("ask_per_second", "ask_halve_per_second")  # they ask for the seconds of an epoch too
POLICIES = {"nop": Nop, "ask": Ask, "ask_per_second": AskPerSecond, "static": Static, "gate": Gate, "naive": Naive,
            "random": Random, "oracle": Oracle}
ASKING = ("ask", "ask_per_second", "static", "gate", "naive")
# Their scores are corrected by what earlier rounds of the same search trained.
LEARNING = ("ask", "ask_halve", *PER_SECOND)
# They can tell the probability of a miss, so that they need no share to keep.
BY_MISS = ("ask", "static", "naive")


def build_policy(name: str, rule: Rule, outcomes: Mapping[str, float] | None = None) -> Policy:
    """The policy called `name`; `outcomes` for the oracle. Raises PerfclfError for an unknown name."""
    if name not in POLICIES:
        raise PerfclfError(f"unknown policy {name!r}; known: {', '.join(POLICIES)}")
    return Oracle(rule, dict(outcomes or {})) if name == "oracle" else POLICIES[name](rule)


def keep_mask(scores: np.ndarray, ties: np.ndarray, rule: Rule, deviations: np.ndarray | None = None) -> np.ndarray:
    """Which candidates stay, for many generations at once: (generations, candidates) of scores, of tie-breakers and of
    the scores' standard deviations give as many booleans. NaN scores always stay and count outside the share that is
    kept; `worth_order` says which the share holds.

    With `rule.keep` None the chance of each candidate to be the best is the softmax of inverse_temperature × score
    (Luce's choice axiom: pairwise odds exp(inverse_temperature × difference), as in Bradley and Terry's model), and the
    least promising ones go as long as their chances add up to at most `rule.miss_probability`.
    """
    scored = ~np.isnan(scores)
    filled = np.where(scored, scores, -np.inf)
    order = worth_order(scores, ties, deviations if rule.keep is not None else None)
    place = np.argsort(order, axis=-1)
    best = filled.max(axis=-1, keepdims=True, initial=-np.inf)  # there may be no candidate at all
    behind = np.where(scored, scores, 0.0) - np.where(np.isfinite(best), best, 0.0)
    logits = np.where(scored, rule.inverse_temperature * behind, -np.inf)
    if rule.keep is None:
        count = _enough(np.take_along_axis(logits, order, axis=-1), rule.miss_probability)
    else:
        # The small step back keeps 0.1 × 30 at 3 in floating point.
        count = np.ceil(rule.keep * scored.sum(axis=-1) - 1e-9)
    allowed = place < np.maximum(count, rule.least_kept)[..., None]
    unsure = logits >= -np.log(rule.confidence / (1 - rule.confidence)) if rule.confidence > 0.5 else filled >= best
    return allowed | unsure | ~scored


def _stream(rule: Rule) -> Settings:
    if rule.keep is None:
        raise PerfclfError("the policy gate needs shares to keep: leave null out of loop.keep")
    return Settings(rule.keep)


def chances(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; −inf gives 0, and a row of nothing but −inf gives zeros."""
    weights = np.exp(logits)
    return weights / np.maximum(weights.sum(axis=-1, keepdims=True), np.finfo(float).tiny)


def noise(candidates: Sequence[Candidate], seeds: Sequence[int]) -> np.ndarray:
    """Uniform numbers in [0, 1), (seeds, candidates), which depend on each seed and candidate alone, not on order."""
    texts = (repr((candidate.name, candidate.arch_code, candidate.recipe)).encode() for candidate in candidates)
    keys = np.array([int.from_bytes(hashlib.sha256(text).digest()[:8]) for text in texts], dtype=np.uint64)
    masked = np.array([seed & (2**64 - 1) for seed in seeds], dtype=np.uint64)
    return (_mix(keys[None, :] ^ _mix(masked)[:, None]) >> np.uint64(11)) * 2.0**-53


def _enough(logits: np.ndarray, miss_probability: float) -> np.ndarray:
    """How many of the candidates, most promising first, hold the best one with probability 1 − miss_probability."""
    lost = 1.0 - np.cumsum(chances(logits), axis=-1)
    return 1 + np.sum(lost > miss_probability + 1e-12, axis=-1)


def _mix(x: np.ndarray) -> np.ndarray:
    """Steele, Lea and Flood's SplitMix64 finaliser: neighbouring integers become unrelated ones."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
