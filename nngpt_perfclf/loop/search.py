"""The reference AutoML loop: propose, score, prune, train, record, all through the hooks of one plugin manager."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pluggy

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.faults import Faults, text_faults
from nngpt_perfclf.console import progress
from nngpt_perfclf.loop.asking import Correction, ask
from nngpt_perfclf.loop.executor import Executor, Inline
from nngpt_perfclf.loop.policies import Policy
from nngpt_perfclf.loop.run_database import Decision, RunDatabase, Scored
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError

# Given the candidates that will be trained, the target, and trained candidates with the seconds of one epoch.
Announce = Callable[[Sequence[Candidate], str, Sequence[tuple[Candidate, float]]], None]
# Given a target, trained candidates with their accuracies, and a scorer: one whose scores take them into account.
Learn = Callable[[str, Sequence[tuple[Candidate, float]], Scorer], Scorer]


@dataclass(frozen=True)
class Generation:
    """One round of a search. `outcomes` of the kept candidates; `asking`: seconds spent asking about all of them."""

    candidates: tuple[Candidate, ...]
    decisions: tuple[Decision, ...]
    outcomes: tuple[Outcome, ...]
    asking: float

    @property
    def best(self) -> Outcome | None:
        """The most accurate outcome; None where every training failed."""
        worked = [outcome for outcome in self.outcomes if outcome.accuracy is not None]
        return max(worked, key=lambda outcome: outcome.accuracy, default=None)

    @property
    def trained(self) -> int:
        """How many candidates were trained."""
        return len(self.outcomes)

    @property
    def training(self) -> float:
        """Seconds spent training."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def summary(self) -> dict:
        """Counts, seconds and the best outcome, JSON-able."""
        return {"proposed": len(self.candidates), "trained": self.trained, **self._further(),
                "pruned": len(self.candidates) - self.trained,
                "failed": sum(outcome.accuracy is None for outcome in self.outcomes),
                "training_seconds": round(self.training, 2), "asking_seconds": round(self.asking, 2),
                "best_accuracy": self.best.accuracy if self.best else None,
                "best_candidate": self.best.candidate if self.best else None}

    def _further(self) -> dict[str, int]:
        """Counts that only some kinds of search have."""
        return {}


@dataclass(frozen=True)
class Search:
    """A policy at work on one target. `name` tells searches of one run apart; `adviser` names who is asked.
    `learn`: how what this search trained before corrects the scores; None: not at all. `executor`: trains the
    candidates; None: they are trained here, one after the other. `faults` finds the broken candidates. `correct`: what
    the scores always take into account; `adviser` says so. `announce`: called before the candidates are trained."""

    name: str
    target: str
    adviser: str
    policy: Policy
    manager: pluggy.PluginManager
    runs: RunDatabase
    learn: Learn | None = None
    executor: Executor | None = None
    faults: Faults = text_faults
    correct: Correction | None = None
    announce: Announce | None = None

    def generation(self, count: int, seed: int) -> Generation:
        """Propose `count` candidates, score, prune, train the rest. What the run database knows is not done again."""
        candidates = self._proposed(count, seed)
        scored = self._scored(candidates, seed)
        decisions = self._decided(candidates, scored, seed)
        kept = [candidate for candidate, decision in zip(candidates, decisions, strict=True) if decision.kept]
        self._announce(kept)
        outcomes = self._trained(kept)
        asking = sum(given.seconds for given in scored)
        return Generation(tuple(candidates), tuple(decisions), tuple(outcomes), asking)

    def _proposed(self, count: int, seed: int) -> list[Candidate]:
        recorded = self.runs.candidates(self.target, seed)
        if recorded:
            return recorded
        candidates = self.manager.hook.propose(target=self.target, count=count, seed=seed)
        if not candidates:
            raise PerfclfError(f"no plugin proposes candidates for {self.target!r}")
        names = [candidate.name for candidate in candidates]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise PerfclfError(f"the generator proposed two candidates called {twice!r}; names must differ")
        self.runs.add_candidates(self.target, seed, candidates)
        return list(candidates)

    def _scored(self, candidates: Sequence[Candidate], seed: int) -> list[Scored]:
        seen = self.runs.trained(self.name, self.target, seed) if self.learn else []
        if not seen:
            return ask(self.manager, self.runs, self.adviser, candidates, self.target, self.correct, self.faults)

        def corrected(scorer: Scorer) -> Scorer:
            learned = self.learn(self.target, seen, scorer)
            return self.correct(learned) if self.correct else learned

        digest = hashlib.sha256(repr(seen).encode()).hexdigest()[:12]
        return ask(self.manager, self.runs, f"{self.adviser} after {len(seen)} outcomes ({digest})", candidates,
                   self.target, corrected, self.faults)

    def _decided(self, candidates: Sequence[Candidate], scored: Sequence[Scored], seed: int) -> list[Decision]:
        recorded = self.runs.decisions(self.name, seed)
        if recorded:
            return recorded
        decisions = decide(self.policy, candidates, scored, seed, self.runs.earlier(self.name, seed))
        self.runs.add_decisions(self.name, seed, decisions)
        for candidate, decision in zip(candidates, decisions, strict=True):
            self.manager.hook.candidate_advised(candidate=candidate, target=self.target, score=decision.score)
        for candidate, decision in zip(candidates, decisions, strict=True):
            if not decision.kept:
                self.manager.hook.candidate_pruned(candidate=candidate, target=self.target, reason=decision.reason)
        return decisions

    def _announce(self, kept: Sequence[Candidate]) -> None:
        new = [candidate for candidate in kept if self.runs.outcome(self.target, candidate) is None]
        if self.announce and new:
            self.announce(new, self.target, self.runs.timed(self.target))

    def _trained(self, kept: Sequence[Candidate]) -> list[Outcome]:
        """Outcomes in the order of the candidates. Each is recorded as soon as it is there."""
        outcomes = {candidate: self.runs.outcome(self.target, candidate) for candidate in kept}
        new = [candidate for candidate, outcome in outcomes.items() if outcome is None]
        executor = self.executor or Inline(self.manager)
        for candidate in new:
            executor.submit(candidate, self.target)
        with progress() as bar:
            for _ in bar.track(new, description=f"training for {self.target}"):
                candidate, outcome = executor.collect()
                self.runs.add_outcome(candidate, outcome)
                self.manager.hook.candidate_trained(candidate=candidate, outcome=outcome)
                outcomes[candidate] = outcome
        return [outcomes[candidate] for candidate in kept]


def decide(policy: Policy, candidates: Sequence[Candidate], scored: Sequence[Scored], seed: int,
           past: Sequence[tuple[str, float | None]] = ()) -> list[Decision]:
    """One decision a candidate, in order. Broken candidates are never trained and take no place in the share that the
    policy keeps. `past`: as in `Policy.select`."""
    sound = [place for place, given in enumerate(scored) if not given.broken]
    selection = policy.select([candidates[place] for place in sound], [scored[place].score for place in sound], seed,
                              past)
    values = dict(zip(sound, selection.values, strict=True))
    reasons = {candidate.name: reason for candidate, reason in selection.pruned}
    return [Decision(candidate.name, False, None, f"broken: {given.reason}") if given.broken
            else Decision(candidate.name, candidate.name not in reasons, values[place],
                          reasons.get(candidate.name, ""))
            for place, (candidate, given) in enumerate(zip(candidates, scored, strict=True))]
