"""The loop with a policy that may stop training: ask, train for one epoch, ask again, stop or go on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nngpt_perfclf.loop.policies import noise
from nngpt_perfclf.loop.run_database import Decision, Scored
from nngpt_perfclf.loop.search import Generation, Search
from nngpt_perfclf.loop.stopping import Known, StoppingPolicy, numbers_of
from nngpt_perfclf.types import Candidate, Outcome

_NOT_ASKED = Scored(None, 0.0)


@dataclass(frozen=True)
class StoppedGeneration(Generation):
    """`outcomes`: of the candidates that were trained to the last epoch or failed; `earlier`: of all epochs before;
    `started`: how many candidates were trained at all."""

    earlier: tuple[Outcome, ...] = ()
    started: int = 0

    @property
    def trained(self) -> int:
        return self.started

    @property
    def training(self) -> float:
        return sum(outcome.seconds for outcome in (*self.earlier, *self.outcomes))

    def _further(self) -> dict[str, int]:
        return {"finished": sum(outcome.accuracy is not None for outcome in self.outcomes),
                "epochs": len(self.earlier) + len(self.outcomes)}


@dataclass(frozen=True)
class StoppingSearch(Search):
    """A search whose policy decides at the end of each epoch who goes on, by the code that the replay uses. All running
    candidates are trained for one epoch before the next decision."""

    policy: StoppingPolicy
    epochs: int = 1

    def generation(self, count: int, seed: int) -> StoppedGeneration:
        """Propose `count` candidates and train those that are worth it for up to `epochs` epochs. What the run database
        knows is not done again."""
        candidates = self._proposed(count, seed)
        now, running = list(candidates), np.ones(len(candidates), bool)  # `now`: with the epochs that they have seen
        last: list[Decision | None] = [None] * len(candidates)
        ended: list[Outcome] = []
        earlier: list[Outcome] = []
        asking, started = 0.0, 0
        for epoch in range(self.epochs):
            scored = self._asked(now, running, epoch, seed)
            asking += sum(given.seconds for given in scored)
            for place, decision in self._going_on(now, running, scored, epoch, seed).items():
                last[place], running[place] = decision, decision.kept
            places = np.flatnonzero(running)
            if epoch == 0:
                started = len(places)
                self._announce([now[place] for place in places])
            for place, outcome in zip(places, self._trained([now[place] for place in places]), strict=True):
                running[place] = outcome.accuracy is not None
                over = not running[place] or epoch + 1 == self.epochs
                (ended if over else earlier).append(outcome)
                now[place] = now[place].after(outcome)
        return StoppedGeneration(tuple(candidates), tuple(last), tuple(ended), asking, tuple(earlier), started)

    def _asked(self, now: Sequence[Candidate], running: np.ndarray, epoch: int, seed: int) -> list[Scored]:
        """What is said of each candidate at the end of `epoch`; only those that are running are asked about."""
        scored = [_NOT_ASKED] * len(now)
        if self.policy.asks_at(epoch):
            places = np.flatnonzero(running)
            for place, given in zip(places, self._scored([now[place] for place in places], seed), strict=True):
                scored[place] = given
        return scored

    def _going_on(self, now: Sequence[Candidate], running: np.ndarray, scored: Sequence[Scored], epoch: int,
                  seed: int) -> dict[int, Decision]:
        """The decision on each candidate that is running at the end of `epoch`, by its place."""
        places, search = np.flatnonzero(running).tolist(), f"{self.name} after epoch {epoch}" if epoch else self.name
        recorded = self.runs.decisions(search, seed)
        if recorded:
            return dict(zip(places, recorded, strict=True))
        decisions = dict(zip(places, decide(self.policy, now, running, scored, epoch, seed), strict=True))
        self.runs.add_decisions(search, seed, list(decisions.values()))
        for place, decision in decisions.items():
            if self.policy.asks_at(epoch):
                self.manager.hook.candidate_advised(candidate=now[place], target=self.target, score=decision.score)
            if not decision.kept:
                self.manager.hook.candidate_pruned(candidate=now[place], target=self.target, reason=decision.reason)
        return decisions


def decide(policy: StoppingPolicy, now: Sequence[Candidate], running: np.ndarray, scored: Sequence[Scored], epoch: int,
           seed: int) -> list[Decision]:
    """One decision for each running candidate, in order. Broken candidates are never trained."""
    sound = running & ~np.array([given.broken for given in scored], bool)
    values, deviations, seconds = numbers_of([given.score for given in scored])
    accuracies = np.array([candidate.seen.get(epoch) if runs else None
                           for candidate, runs in zip(now, running, strict=True)], float)
    state = Known(epoch, accuracies[None], values[None], deviations[None], seconds[None], noise(now, [seed]))
    kept = policy.going_on(state, sound[None])[0]
    ranked_by = values if policy.asks_at(epoch) else accuracies
    decisions = []
    for place in np.flatnonzero(running):
        score = None if np.isnan(values[place]) else float(values[place])
        reason = ""
        if not sound[place]:
            reason = f"broken: {scored[place].reason}"
        elif not kept[place]:
            reason = _reason(ranked_by, kept, sound, place, epoch)
        decisions.append(Decision(now[place].name, bool(kept[place]), score, reason))
    return decisions


def _reason(ranked_by: np.ndarray, kept: np.ndarray, sound: np.ndarray, place: int, epoch: int) -> str:
    number = 1 + int(np.sum(ranked_by[sound] > ranked_by[place]))
    when = f"stopped after epoch {epoch}" if epoch else "not trained"
    return f"{when}: number {number} of {int(sound.sum())}, {int(kept.sum())} go on"
