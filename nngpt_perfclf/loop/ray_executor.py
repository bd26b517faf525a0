"""Training with Ray, on this machine or on the cluster that the environment variable RAY_ADDRESS names."""

import time
from collections import deque

from nngpt_perfclf.extras import extras_named
from nngpt_perfclf.loop.training import TRIES, Training
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError


class RayTasks:
    """Trains up to `count` candidates at once, each with `cpus` processors and `gpus` GPUs (a share of one: 0.5). Ray
    trains a candidate whose worker or machine dies once more; after the second death it has failed."""

    def __init__(self, training: Training, count: int, cpus: int, gpus: float):
        with extras_named():
            import ray
        self._ray, self._count = ray, count
        self._ours = not ray.is_initialized()
        if self._ours:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        self._training = ray.put(training)
        self._remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=TRIES - 1)(_trained)
        self._waiting: deque[tuple[Candidate, str]] = deque()
        self._running: dict = {}

    def submit(self, candidate: Candidate, target: str) -> None:
        self._waiting.append((candidate, target))
        self._hand_out()

    def collect(self) -> tuple[Candidate, Outcome]:
        errors = self._ray.exceptions
        self._hand_out()
        [done], _ = self._ray.wait(list(self._running), num_returns=1)
        candidate, target, began = self._running.pop(done)
        try:
            answer = self._ray.get(done)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            failure = f"its worker process died, {TRIES} times: {type(error).__name__}"
            return candidate, Outcome(candidate.name, target, None, time.monotonic() - began, failure)
        except errors.RayError as error:
            raise PerfclfError(f"Ray: {' '.join(str(error).split())[-300:]}") from error
        if isinstance(answer, PerfclfError):
            raise answer
        return candidate, answer

    def close(self) -> None:
        for task in self._running:
            self._ray.cancel(task, force=True)
        self._running.clear()
        self._waiting.clear()
        if self._ours:
            self._ray.shutdown()

    def _hand_out(self) -> None:
        while self._waiting and len(self._running) < self._count:
            candidate, target = self._waiting.popleft()
            task = self._remote.remote(self._training, candidate, target)
            self._running[task] = candidate, target, time.monotonic()


def _trained(training: Training, candidate: Candidate, target: str) -> Outcome | PerfclfError:
    return training(candidate, target)
