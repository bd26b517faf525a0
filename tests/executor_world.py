"""Trainings for executors: workers that die at a chosen time, and a log of what was begun and finished."""

import json
import os
import signal
from functools import partial
from pathlib import Path

from loop_world import accuracy_of, make_candidates

from nngpt_perfclf.config import load_config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.executor import executor_of
from nngpt_perfclf.loop.policies import Nop
from nngpt_perfclf.loop.run_database import FILE, RunDatabase
from nngpt_perfclf.loop.search import Search
from nngpt_perfclf.loop.training import Finished, Training
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import Outcome, PerfclfError

COUNT = 6


def note(folder: Path, *words: str) -> None:
    with (folder / "log").open("a") as file:
        file.write(json.dumps(words) + "\n")


def log(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def first_time(folder: Path, name: str) -> bool:
    mark = folder / f"seen-{name}"
    seen = mark.exists()
    mark.touch()
    return not seen


class Trainer:
    """The names of the candidates in `deaths` say when their worker dies: "once", "always"; "wrong" is a wrong
    configuration, "raises" a candidate that breaks its trainer."""

    def __init__(self, folder: Path, deaths: dict[str, str]):
        self.folder, self.deaths = folder, deaths

    @hookimpl
    def propose(self, target, count, seed):
        return make_candidates(count)

    @hookimpl
    def train(self, candidate, target):
        note(self.folder, "begin", candidate.name)
        print("a trainer may print", candidate.name)
        fate = self.deaths.get(candidate.name)
        if fate == "always" or (fate == "once" and first_time(self.folder, candidate.name)):
            die()
        if fate == "wrong":
            raise PerfclfError("a wrong configuration")
        if fate == "raises":
            raise MemoryError("too large")
        return Outcome(candidate.name, target, accuracy_of(candidate), 1.0)


def plugins(folder: Path, deaths: dict[str, str]):
    return get_plugin_manager(Trainer(folder, deaths), installed=False)


class DiesAfterwards(Training):
    """Its worker dies the first time that `net-2` is finished, before it reports the outcome."""

    def __call__(self, candidate, target):
        answer = super().__call__(candidate, target)
        if candidate.name == "net-2" and first_time(self.finished.folder, candidate.name):
            die()
        return answer


def training(folder: Path, deaths: dict[str, str] | None = None, kind: type[Training] = Training) -> Training:
    return kind(partial(plugins, folder, deaths or {}), Finished(folder / "finished"))


class Dying(RunDatabase):
    """Its process dies when it is about to record an outcome: `left` outcomes later."""

    left = 0

    def add_outcome(self, candidate, outcome):
        if self.left == 0:
            die()
        self.left -= 1
        super().add_outcome(candidate, outcome)


def play(folder: Path, executor: str, records: type[RunDatabase] = RunDatabase, left: int = 0) -> tuple[Outcome, ...]:
    """One generation of which everything is trained, with two workers."""
    config = load_config(None, ["loop=local", f"loop.executor={executor}", "loop.workers=2"])
    work = training(folder)
    note(folder, "start", *(one.name for one in make_candidates(COUNT) if work.finished.find(one, "svhn")))
    trained = executor_of(config, work)
    try:
        with records(folder / FILE, config) as runs:
            runs.left = left
            search = Search("a search", "svhn", "nobody", Nop(), plugins(folder, {}), runs, trained)
            return search.generation(COUNT, 0).outcomes
    finally:
        trained.close()
