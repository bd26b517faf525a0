"""Pruning policies: candidates and what was advised about them in, kept and pruned with reasons out.

A policy says which questions it wants answered, turns the answers into one score a candidate (higher: more
promising) and selects by one common rule, `keep_mask`. A candidate without a score is never pruned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nngpt_perfclf.types import Advice, Candidate, PerfclfError, Question, Recipe

Answers = Sequence[Advice | None]


@dataclass(frozen=True)
class Rule:
    """How much may be pruned.

    `keep`: share of the scored candidates to keep, or None: as few as hold the best one with probability 1 − `miss_probability`.
    `least_kept`: never keep fewer of the scored ones. `confidence`: a candidate goes only where the best-scored one
    beats it with a higher probability than this (0.5: where it scores lower at all).
    `inverse_temperature`: logits of "this one is the better of two candidates" for one unit of difference in score.
    """

    keep: float | None = 0.5
    least_kept: int = 1
    confidence: float = 0.5
    miss_probability: float = 0.1
    inverse_temperature: float = 1.0

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


@dataclass(frozen=True)
class Selection:
    """What a policy decided: `kept` in the order proposed; `pruned`: candidates with the reason;
    `scores`: one for each candidate as given, None without an opinion."""

    kept: tuple[Candidate, ...]
    pruned: tuple[tuple[Candidate, str], ...]
    scores: tuple[float | None, ...]


@dataclass(frozen=True)
class Policy:
    """Base class, and the null policy: no question, no opinion, so nothing is pruned."""

    rule: Rule = Rule()

    def questions(self, candidate: Candidate, target: str) -> list[Question]:
        """What must be asked about one candidate; may be nothing."""
        return []

    def scores(self, candidates: Sequence[Candidate], answers: Sequence[Answers], target: str,
               seeds: Sequence[int]) -> np.ndarray:
        """One score a candidate, NaN without an opinion: (1, candidates), or (seeds, candidates) if chance plays."""
        return np.full((1, len(candidates)), np.nan)

    def select(self, candidates: Sequence[Candidate], answers: Sequence[Answers], target: str,
               seed: int) -> Selection:
        """Decide on one generation; `answers[i]` are those to the questions about `candidates[i]`, in order."""
        if len(answers) != len(candidates):
            raise PerfclfError(f"{len(candidates)} candidates, but answers about {len(answers)}")
        scores = self.scores(candidates, answers, target, [seed])[0]
        mask = keep_mask(scores[None], noise(candidates, [seed]), self.rule)[0]
        return Selection(
            kept=tuple(candidate for candidate, keep in zip(candidates, mask, strict=True) if keep),
            pruned=tuple((candidates[i], self._reason(scores, mask, i)) for i in np.flatnonzero(~mask)),
            scores=tuple(None if np.isnan(score) else float(score) for score in scores))

    def _reason(self, scores: np.ndarray, mask: np.ndarray, i: int) -> str:
        place = 1 + int(np.sum(scores > scores[i]))
        limit = f"miss_probability {self.rule.miss_probability:g}" if self.rule.keep is None else f"keep {self.rule.keep:g}"
        return (f"score {scores[i]:.3f} is number {place} of {np.sum(~np.isnan(scores))}, "
                f"the best is {np.nanmax(scores):.3f}; {int(mask.sum())} of {len(mask)} kept ({limit})")


class Nop(Policy):
    """Prunes nothing: what every other policy is measured against."""


@dataclass(frozen=True)
class Naive(Policy):
    """The candidate's probability of doing better on the target than on each reference, under one and the same recipe.

    Kept to show why not: a good candidate is good on both sides, so the difference says little about the target.
    """

    references: tuple[str, ...] = ()
    epoch: int = 1

    def questions(self, candidate: Candidate, target: str) -> list[Question]:
        return [Question(candidate.arch_code, target, reference, candidate.recipe,
                         self.reference_recipe(candidate, reference), self.epoch)
                for reference in self.references if reference != target]

    def reference_recipe(self, candidate: Candidate, reference: str) -> Recipe | None:
        return candidate.recipe

    def scores(self, candidates, answers, target, seeds) -> np.ndarray:
        return np.array([[self.score(given, target) for given in answers]], dtype=float)

    def score(self, answers: Answers, target: str) -> float:
        """Mean over the references of logit P(target wins) − logit of its prior; NaN where no answer is decided."""
        if not any(advice is not None and advice.decided for advice in answers):
            return float("nan")
        gains = [_logit(advice, advice.probability, target) - _logit(advice, advice.prior, target)
                 for advice in answers if advice is not None]
        # Rounded, so that equal advice gives equal scores whatever the order of its sums.
        return round(float(np.mean(gains)), 6)


@dataclass(frozen=True)
class Anchored(Naive):
    """As `Naive`, but each reference stands under its fixed anchor recipe, so that only the candidate's side varies.

    The candidate's network stands on both sides, though: what makes it good at everything cancels. An adviser that
    tells the strength of each side lets it be counted, and then the target's strength alone is the score.
    """

    anchors: Mapping[str, Recipe] = field(default_factory=dict)

    def scores(self, candidates, answers, target, seeds) -> np.ndarray:
        # One scale for all: strengths only where every advice has them.
        if any(advice is not None and advice.strengths is None for given in answers for advice in given):
            return super().scores(candidates, answers, target, seeds)
        return np.array([[_strength(given, target) for given in answers]], dtype=float)

    def reference_recipe(self, candidate: Candidate, reference: str) -> Recipe | None:
        if reference not in self.anchors:
            raise PerfclfError(f"no anchor recipe for the reference dataset {reference!r}")
        return self.anchors[reference]


class Prior(Anchored):
    """The pair prior alone, the code unread. It says the same of every candidate of a target, so it prunes nothing."""

    def score(self, answers: Answers, target: str) -> float:
        return float("nan") if all(advice is None for advice in answers) else 0.0


class Random(Policy):
    """Keeps a random share: what any advice must beat."""

    def scores(self, candidates, answers, target, seeds) -> np.ndarray:
        # Not the noise that breaks ties, which would order equals the same way.
        return noise(candidates, [~seed for seed in seeds])


@dataclass(frozen=True)
class Oracle(Policy):
    """Knows every outcome, accuracy by candidate name: the bound that no advice passes. For replays only."""

    outcomes: Mapping[str, float] = field(default_factory=dict)

    def scores(self, candidates, answers, target, seeds) -> np.ndarray:
        missing = [candidate.name for candidate in candidates if candidate.name not in self.outcomes]
        if missing:
            raise PerfclfError(f"the oracle needs recorded outcomes, and {missing[0]} has none: use it in a replay")
        return np.array([[self.outcomes[candidate.name] for candidate in candidates]], dtype=float)


POLICIES = {"nop": Nop, "anchored": Anchored, "naive": Naive, "prior": Prior, "random": Random, "oracle": Oracle}
ASKING = ("anchored", "naive")


def build_policy(name: str, rule: Rule, *, references: Sequence[str] = (), anchors: Mapping[str, Recipe] | None = None,
                 outcomes: Mapping[str, float] | None = None, epoch: int = 1) -> Policy:
    """The policy called `name`; `references` and `anchors` for those that ask, `outcomes` for the oracle.

    Raises PerfclfError for an unknown name.
    """
    if name not in POLICIES:
        raise PerfclfError(f"unknown policy {name!r}; known: {', '.join(POLICIES)}")
    kind = POLICIES[name]
    told: dict = {}
    if issubclass(kind, Naive):
        told = {"references": tuple(references), "epoch": epoch}
    if issubclass(kind, Anchored):
        told["anchors"] = dict(anchors or {})
    if kind is Oracle:
        told = {"outcomes": dict(outcomes or {})}
    return kind(rule, **told)


def keep_mask(scores: np.ndarray, ties: np.ndarray, rule: Rule) -> np.ndarray:
    """Which candidates stay, for many generations at once: (generations, candidates) of scores and of tie-breakers
    give as many booleans. NaN scores always stay and count outside the share that is kept.

    With `rule.keep` None the chance of each candidate to be the best is the softmax of inverse_temperature × score (Luce's choice
    axiom: pairwise odds exp(inverse_temperature × difference), as Bradley and Terry have them), and the least promising ones
    go as long as their chances add up to at most `rule.miss_probability`.
    """
    scored = ~np.isnan(scores)
    filled = np.where(scored, scores, -np.inf)
    order = np.lexsort((ties, -filled), axis=-1)
    place = np.argsort(order, axis=-1)
    best = filled.max(axis=-1, keepdims=True)
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


def chances(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; −inf gives 0, and a row of nothing but −inf gives zeros."""
    weights = np.exp(logits)
    return weights / np.maximum(weights.sum(axis=-1, keepdims=True), np.finfo(float).tiny)


def noise(candidates: Sequence[Candidate], seeds: Sequence[int]) -> np.ndarray:
    """Uniform numbers in [0, 1), (seeds, candidates), which depend on each seed and candidate alone, not on order."""
    told = (repr((candidate.name, candidate.arch_code, candidate.recipe)).encode() for candidate in candidates)
    keys = np.array([int.from_bytes(hashlib.sha256(text).digest()[:8]) for text in told], dtype=np.uint64)
    masked = np.array([seed & (2**64 - 1) for seed in seeds], dtype=np.uint64)
    return (_mix(keys[None, :] ^ _mix(masked)[:, None]) >> np.uint64(11)) * 2.0**-53


def _enough(logits: np.ndarray, miss_probability: float) -> np.ndarray:
    """How many of the candidates, most promising first, hold the best one with probability 1 − miss_probability."""
    lost = 1.0 - np.cumsum(chances(logits), axis=-1)
    return 1 + np.sum(lost > miss_probability + 1e-12, axis=-1)


def _logit(advice: Advice, probability: float, target: str) -> float:
    """Log-odds that `target` wins; `probability` that of `advice.better`, at most a million to one."""
    sure = float(np.clip(probability, 1e-6, 1 - 1e-6))
    odds = float(np.log(sure / (1 - sure)))
    return odds if advice.better == target else -odds


def _strength(answers: Answers, target: str) -> float:
    """The strength of `target`'s side, which every advice tells alike; NaN where no answer is decided."""
    told = [advice.strengths[advice.better != target] for advice in answers if advice is not None]
    decided = any(advice is not None and advice.decided for advice in answers)
    return round(float(np.mean(told)), 6) if decided else float("nan")


def _mix(x: np.ndarray) -> np.ndarray:
    """Steele, Lea and Flood's SplitMix64 finaliser: neighbouring integers become unrelated ones."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
