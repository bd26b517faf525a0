"""Whether a candidate is trained for another epoch, in searches that train candidates one by one or side by side."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.curves import going_on
from nngpt_perfclf.advice.scorers import scorer_of, scores_of
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.extras import extras_named
from nngpt_perfclf.gate.decision import Decision
from nngpt_perfclf.loop.policies import Rule
from nngpt_perfclf.loop.stopping import AskAndHalve, Known, chance_of_best, numbers_of
from nngpt_perfclf.types import Candidate, PerfclfError


class EarlyStopping:
    """Decides at the end of an epoch by the rule of the policy `ask_halve`, over all candidates of a search.

    target: the dataset. epochs: how long a candidate is trained if it is not stopped. miss_probability: a candidate is
    stopped where the best one is among those ahead of it with at least 1 − this. adviser: as in `rank`; None: the
    configured `scorer`. Nothing is remembered: every process that shares a search's results can decide.

    Raises PerfclfError for an unknown adviser, fewer than 2 epochs and more than trials are recorded of.
    """

    def __init__(self, target: str, epochs: int, miss_probability: float = 0.05,
                 adviser: str | Path | object | None = None, config: Config | None = None):
        if epochs < 2:
            raise PerfclfError(f"after {epochs} epochs there is nothing left to stop: give at least 2")
        config = replace(config or load_config(), epoch=epochs)
        self.target, self.epochs = target, epochs
        self.scorer = going_on(scorer_of(adviser, config), config)
        self.policy = AskAndHalve(Rule(miss_probability=miss_probability))

    @extras_named()
    def decide(self, candidate: Candidate, others: Iterable[Candidate] = ()) -> Decision:
        """Whether `candidate` is trained further, by its `seen` accuracies and those of the `others` of the search;
        leave out those that were stopped or failed. A candidate without a decided score goes on.

        `score`: the expected accuracy at the last epoch in log-odds above chance. Raises PerfclfError for an unknown
        dataset and for accuracies that are not in 0..1.
        """
        last = max(candidate.seen, default=0)
        if not 0 < last < self.epochs:
            return Decision(True, None, None, f"{last} of {self.epochs} epochs are done: there is nothing to stop")
        racing = [candidate, *self._rivals(others)]
        scores, why = scores_of(self.scorer, racing, self.target)
        value, deviation, seconds = (numbers[None] for numbers in numbers_of(scores))
        own = scores[0]
        if np.isnan(value[0, 0]) or np.isnan(deviation[0, 0]):
            return Decision(True, None, None, f"undecided: {own.reason if own else why}")
        unknown, everyone = np.full(value.shape, np.nan), np.ones(value.shape, bool)
        state = Known(last, unknown, value, deviation, seconds, np.arange(len(racing))[None])
        stays = self.policy.going_on(state, everyone)
        chance = chance_of_best(np.where(np.isnan(value + deviation), -np.inf, value), deviation)[0, 0]
        return Decision(bool(stays[0, 0]), own.value, None,
                        f"{own.reason}; the best of the search with a probability of {chance:.1%}")

    def _rivals(self, others: Iterable[Candidate]) -> list[Candidate]:
        """Those that are still trained, and the best of those that came to the end."""
        others = list(others)
        done = [other for other in others if self.epochs in other.seen]
        best = max(done, key=lambda candidate: candidate.seen[self.epochs], default=None)
        return [*(other for other in others if self.epochs not in other.seen), *([best] if best else [])]
