"""The fork server's client: sends it networks, one for each processor at a time, and reads the answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from nngpt_perfclf.profiling.checking import read_answer
from nngpt_perfclf.profiling.server import NO_SANDBOX, frame
from nngpt_perfclf.profiling.types import Shapes, Structure
from nngpt_perfclf.sandbox.process import Limits, environment, lock_limits
from nngpt_perfclf.types import PerfclfError


class NoSandboxError(PerfclfError):
    """No process can be locked here, so no candidate code may run."""


SERVER = "nngpt_perfclf.profiling.server"
LIMITS = Limits(seconds=10, memory=6, output=1 << 20)
_PATIENCE = 3  # seconds of wall time for each of processor time: other work may be going on
_LARGEST_HEAD = 1 << 12


@dataclass(frozen=True)
class Task:
    """One network to be built: its `code` and the `shapes` that it is built for."""

    code: str
    shapes: Shapes


@dataclass(frozen=True)
class Answer:
    """What came of a task. `stage` and `reason` say why there is no `structure`; `timed_out`: it was stopped after the
    limit of time; `seconds` that it took."""

    seconds: float
    structure: Structure | None = None
    stage: str = ""
    reason: str = ""
    timed_out: bool = False


class Pool:
    """A running fork server; a context manager. `limits`: of each network, its seconds those of processor time;
    `workers`: networks at a time, by default one a processor, two at most."""

    def __init__(self, limits: Limits = LIMITS, workers: int | None = None):
        self.limits = limits
        self.workers = workers or min(2, len(os.sched_getaffinity(0)))

    def __enter__(self) -> Pool:
        self._folder = Path(tempfile.mkdtemp(prefix="perfclf-profile-"))
        limits = {**lock_limits(self.limits, self._folder), "seconds": _PATIENCE * self.limits.seconds,
                  "output": self.limits.output, "parent": os.getpid()}
        self._server = subprocess.Popen([sys.executable, "-P", "-m", SERVER, json.dumps(limits)], cwd=self._folder,
                                        env=environment(self._folder, threads=1), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(self, *error) -> None:
        self._server.kill()
        self._server.wait()
        for stream in (self._server.stdin, self._server.stdout, self._server.stderr):
            stream.close()
        shutil.rmtree(self._folder)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Each task and its answer, in the order in which they are done. Raises PerfclfError where the server ends."""
        waiting, running = iter(tasks), {}
        for number, task in enumerate(waiting):
            self._send(number, task)
            running[number] = task
            if len(running) >= self.workers:
                yield self._receive(running)
        while running:
            yield self._receive(running)

    def _send(self, number: int, task: Task) -> None:
        shapes = asdict(task.shapes)
        kind = "complex" if task.shapes.complex else "norm"
        head = {"number": number, "request": {**shapes, "transform": f"{kind}_{task.shapes.size}"}}
        message = frame(head, task.code.encode())
        try:
            self._server.stdin.write(message)
            self._server.stdin.flush()
        except BrokenPipeError:
            self._ended()

    def _receive(self, running: dict[int, Task]) -> tuple[Task, Answer]:
        line = self._server.stdout.readline(_LARGEST_HEAD)
        if not line:
            self._ended()
        head = json.loads(line)
        answer = self._server.stdout.read(head["length"])
        return running.pop(head["number"]), self._answer(head, answer)

    def _answer(self, head: dict, said: bytes) -> Answer:
        seconds, limits = head["seconds"], self.limits
        if head["stopped"] == "time":
            return Answer(seconds, reason=f"took longer than {_PATIENCE * limits.seconds:g} s", timed_out=True)
        if head["stopped"] == "output":
            return Answer(seconds, stage="forward", reason=f"handed back more than {limits.output:,} bytes")
        if head["signal"] == signal.SIGXCPU:
            return Answer(seconds, reason=f"used more than {limits.seconds:g} s of processor time", timed_out=True)
        if head["signal"]:
            return Answer(seconds, stage="forward", reason=f"died of {signal.Signals(head['signal']).name}")
        if not said:
            return Answer(seconds, stage="forward", reason="ended without a word")
        found = read_answer(said)
        if isinstance(found, Structure):
            return Answer(seconds, found)
        stage, reason = found
        return Answer(seconds, stage=stage, reason=reason.replace(str(self._folder), "."))  # its name is random

    def _ended(self) -> None:
        self._server.stdout.close()
        status = self._server.wait()
        lines = [line for line in self._server.stderr.read().decode(errors="replace").splitlines() if line.strip()]
        if status == NO_SANDBOX:
            raise NoSandboxError(lines[-1] if lines else "no sandbox")
        raise PerfclfError(f"the profiling server ended: {lines[-1] if lines else 'no message'}")
