"""Executors train the candidates of a loop: in this process, or several at once in worker processes."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Protocol

import pluggy

from nngpt_perfclf.config import Config
from nngpt_perfclf.loop.training import TRIES, Training, train
from nngpt_perfclf.loop.worker import READY
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError

WORKER = "nngpt_perfclf.loop.worker"


class Executor(Protocol):
    """Trains candidates in any order; every candidate that was submitted is collected once."""

    def submit(self, candidate: Candidate, target: str) -> None:
        """Train it as soon as there is room."""

    def collect(self) -> tuple[Candidate, Outcome]:
        """Wait for the next candidate that is finished. Raises PerfclfError where nothing can be trained."""

    def close(self) -> None:
        """Stop what is still being trained."""


def executor_of(config: Config, training: Training) -> Executor:
    """The executor that the configuration names. Raises PerfclfError where it is not installed."""
    loop = config.loop
    if loop.workers < 1 or loop.gpus < 0:
        raise PerfclfError(f"loop.workers={loop.workers} must be at least 1, and loop.gpus={loop.gpus:g} at least 0")
    if loop.executor == "ray":
        from nngpt_perfclf.loop.ray_executor import RayTasks

        return RayTasks(training, loop.workers, config.threads or 1, loop.gpus)
    return Processes(training, loop.workers)


class Inline:
    """Trains in this process, one candidate after the other."""

    def __init__(self, manager: pluggy.PluginManager):
        self._manager = manager
        self._waiting: deque[tuple[Candidate, str]] = deque()

    def submit(self, candidate: Candidate, target: str) -> None:
        self._waiting.append((candidate, target))

    def collect(self) -> tuple[Candidate, Outcome]:
        candidate, target = self._waiting.popleft()
        return candidate, train(self._manager, candidate, target)

    def close(self) -> None:
        self._waiting.clear()


@dataclass
class Task:
    candidate: Candidate
    target: str
    tries: int = 0


class Processes:
    """Trains in up to `count` worker processes of this machine, which end with this process. A candidate whose worker
    dies is trained once more by another one; after the second death it has failed."""

    def __init__(self, training: Training, count: int):
        self._training, self._count = training, count
        self._waiting: deque[Task] = deque()
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}

    def submit(self, candidate: Candidate, target: str) -> None:
        self._waiting.append(Task(candidate, target))
        self._hand_out()

    def collect(self) -> tuple[Candidate, Outcome]:
        while True:
            self._hand_out()
            worker = self._busy.pop(wait(self._busy)[0])
            task = worker.task
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                death = worker.stop()
                if task.tries < TRIES:
                    self._waiting.appendleft(task)
                    continue
                failure = f"its worker process {death}, {TRIES} times"
                return task.candidate, Outcome(task.candidate.name, task.target, None, worker.seconds, failure)
            self._idle.append(worker)
            if isinstance(answer, PerfclfError):
                raise answer
            return task.candidate, answer

    def close(self) -> None:
        for worker in (*self._idle, *self._busy.values()):
            worker.stop()
        self._idle.clear()
        self._busy.clear()
        self._waiting.clear()

    def _hand_out(self) -> None:
        while self._waiting and len(self._busy) < self._count:
            worker = self._idle.pop() if self._idle else _Worker(self._training)
            if worker.take(self._waiting[0]):
                self._waiting.popleft()
                self._busy[worker.connection] = worker
            else:
                worker.stop()  # it died while it was idle


class _Worker:
    """One worker process and what it is training."""

    def __init__(self, training: Training):
        self.connection, theirs = Pipe()
        path = os.pathsep.join([*(path for path in sys.path if path), str(Path(__file__).resolve().parents[2])])
        # A session of its own: Ctrl-C reaches the loop alone, which stops its workers.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", WORKER, str(theirs.fileno())], pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, stdout=2,  # results are on 1
            start_new_session=True)
        theirs.close()
        try:
            self.connection.send(training)
            ready = self.connection.recv() == READY
        except (EOFError, OSError):
            ready = False
        if not ready:
            raise PerfclfError(f"a worker process could not start: it {self.stop()}")

    def take(self, task: Task) -> bool:
        """Begin with a task; False where the process is dead."""
        try:
            self.connection.send((task.candidate, task.target))
        except OSError:
            return False
        self.task, self._began = task, time.monotonic()
        task.tries += 1
        return True

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def stop(self) -> str:
        """End the process; returns how it ended, in words."""
        self.connection.close()
        try:
            status = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
