"""A made-up world for the loop: networks whose accuracy is known, an adviser that can tell, and a log of every call."""

import os
import signal
from pathlib import Path

from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import Rule, build_policy
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.loop.search import Generation, Search
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Advice, Candidate, Outcome, Recipe

REFERENCES = ("cifar-10", "mnist")
ANCHORS = {name: Recipe(lr=0.01) for name in REFERENCES}


def make_candidates(count: int) -> list[Candidate]:
    return [Candidate(f"net-{place}", f"class Net{place}: pass", Recipe(lr=(place * 7 % count + 1) / 100))
            for place in range(count)]


def accuracy_of(candidate: Candidate) -> float:
    return candidate.recipe.lr


def advice_for(question, probability=None, decided=True) -> Advice:
    probability = 0.5 + question.recipe_a.lr / 2 if probability is None else probability
    return Advice(question.ds_a, probability, 0.5, decided, "made up")


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
    def advise_many(self, questions):
        self._note("asked")
        with self.log.with_suffix(".questions").open("a") as file:
            file.writelines(repr(question) + "\n" for question in questions)
        return [advice_for(question) for question in questions]

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
    """Two rounds of ten candidates, half of them trained; calls and questions are logged in `folder`."""
    policy = build_policy("anchored", Rule(keep=0.5), references=REFERENCES, anchors=ANCHORS)
    with RunDatabase(folder / FILE, load_config(None, ["loop=local"])) as runs:
        manager = get_plugin_manager(World(folder / "calls", die_at), installed=False)
        search = Search("a search", "svhn", "made up", policy, manager, runs)
        return [search.generation(10, seed) for seed in (0, 1)]
