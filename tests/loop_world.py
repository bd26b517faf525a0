"""A made-up world for the loop: networks whose accuracy is known, an adviser that can tell, and a log of every call."""

import os
import signal
from pathlib import Path

from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import Ask, Rule
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.loop.search import Generation, Search
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Candidate, Outcome, Recipe, Score

NETWORK = """class Net:
    width = {width}
    def forward(self, x): return x
    def learn(self, data): pass
    def train_setup(self, prm): pass

def supported_hyperparameters(): return {{'lr'}}
"""


def make_candidates(count: int) -> list[Candidate]:
    return [Candidate(f"net-{place}", NETWORK.format(width=place), Recipe(lr=(place * 7 % count + 1) / 100))
            for place in range(count)]


def accuracy_of(candidate: Candidate) -> float:
    return candidate.recipe.lr


def score_for(candidate: Candidate, decided=True, **changes) -> Score:
    """The higher the learning rate, the better, in this world."""
    rate = candidate.recipe.lr
    return Score(**{"value": rate, "percentile": min(rate, 1.0), "low": 0.0, "high": 1.0, "decided": decided,
                    "reason": "made up", **changes})


class Scoring:
    """An adviser plugin that answers with `score(candidate)` for each candidate, or with whatever `answer` makes of
    them all."""

    def __init__(self, score=score_for, answer=None):
        self.answer = answer or (lambda candidates: [score(candidate) for candidate in candidates])

    @hookimpl(tryfirst=True)
    def score(self, candidates, target):
        return self.answer(candidates)


class World:
    """Generator, trainer, adviser and listener; every call is a line of `log`. Kills its process at call `die_at`,
    before anything of that call is done."""

    def __init__(self, log: Path, die_at: int | None = None):
        self.log, self.left = log, die_at

    def _note(self, line: str) -> None:
        if self.left is not None:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        with self.log.open("a") as file:
            file.write(line + "\n")

    @hookimpl
    def propose(self, target, count, seed):
        self._note(f"propose {target} {seed}")
        return make_candidates(count)

    @hookimpl
    def score(self, candidates, target):
        self._note("asked")
        with self.log.with_suffix(".asked").open("a") as file:
            file.writelines(f"{candidate.name} {target}\n" for candidate in candidates)
        return [score_for(candidate) for candidate in candidates]

    @hookimpl
    def train(self, candidate, target):
        self._note(f"train {candidate.name} {target}")
        return Outcome(candidate.name, target, accuracy_of(candidate), 1.0)

    @hookimpl
    def candidate_advised(self, candidate, target, score):
        self._note(f"advised {candidate.name} {target} {score is not None}")

    @hookimpl
    def candidate_pruned(self, candidate, target, reason):
        self._note(f"pruned {candidate.name} {target} {reason}")

    @hookimpl
    def candidate_trained(self, candidate, outcome):
        self._note(f"trained {candidate.name} {outcome.accuracy}")


def play(folder: Path, die_at: int | None = None) -> list[Generation]:
    """Two rounds of ten candidates, half of them trained; calls and candidates asked about are logged in `folder`."""
    with RunDatabase(folder / FILE, load_config(None, ["loop=local"])) as runs:
        manager = get_plugin_manager(World(folder / "calls", die_at), installed=False)
        search = Search("a search", "svhn", "made up", Ask(Rule(keep=0.5)), manager, runs)
        return [search.generation(10, seed) for seed in (0, 1)]
