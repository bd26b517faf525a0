"""What the server does, without HTTP: requests that come in together are scored in one call."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from nngpt_perfclf.advice import load_pair_adviser, load_scorer
from nngpt_perfclf.advice.adapters import PairAdviser
from nngpt_perfclf.advice.base import check_dataset
from nngpt_perfclf.advice.curves import CurveAdviser
from nngpt_perfclf.advice.faults import BuildFaults
from nngpt_perfclf.advice.ranking import STATUSES, columns, ranked
from nngpt_perfclf.advice.scorers import scores_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.gate.record import Record
from nngpt_perfclf.serve import completions
from nngpt_perfclf.types import Advice, Candidate, Question, Score

TOGETHER = 0.003  # seconds for which a request waits for others
REMEMBERED = 50_000  # scores


class Service:
    """`file` keeps the gates' decisions; their share is `config.serve.keep`. One thread computes, others wait."""

    def __init__(self, config: Config, file: Path):
        self.config, self.file = config, file
        self.datasets = dataset_properties(config.datasets)
        self.scorer = load_scorer(config.scorer, config)
        self.record = Record(file)
        self.faults = BuildFaults(config)
        self.score_calls = 0
        self._gates: dict[str, Gate] = {}
        self._known: dict[tuple[str, str, object], Score | None] = {}
        self._thread = ThreadPoolExecutor(1, "scoring")
        self._waiting: dict[str, list[tuple[list[Candidate], asyncio.Future]]] = {}
        self._scoring = False

    async def rank(self, candidates: Sequence[Candidate], target: str) -> list[dict]:
        """Rows as those of the verb `rank`, best first. Raises PerfclfError for an unknown target."""
        check_dataset(target, self.datasets)
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(target, []).append((list(candidates), future))
        if not self._scoring:
            self._scoring = True
            asyncio.get_running_loop().call_later(TOGETHER, self._flush)
        rows = await future
        return sorted(rows, key=lambda row: (STATUSES.index(row["status"]), -(row["score"] or 0.0)))

    async def advise(self, questions: Sequence[Question]) -> list[Advice | None]:
        return await self._in_thread(lambda: self.adviser.advise_many(list(questions)))

    @cached_property
    def adviser(self) -> PairAdviser:
        """Loaded at the first question: a language model takes a while."""
        return load_pair_adviser(self.config.adviser, self.config)

    async def best(self, request: completions.Request) -> tuple[float, int]:
        """The highest accuracy that a network is expected to reach, and its epoch."""
        check_dataset(request.dataset, self.datasets)
        return await self._in_thread(lambda: completions.best(request, self.curves))

    @cached_property
    def curves(self) -> dict[int, CurveAdviser]:
        """Loaded at the first question of this kind."""
        return completions.curve_advisers(self.scorer, self.config)

    async def gate(self, candidates: Sequence[Candidate], target: str) -> list[dict]:
        check_dataset(target, self.datasets)
        decisions = await self._in_thread(lambda: self.gate_of(target).decide(candidates))
        return [{"name": candidate.name, **asdict(decision)}
                for candidate, decision in zip(candidates, decisions, strict=True)]

    async def report(self, outcomes: Sequence[tuple[Candidate, float | None, int]], target: str) -> dict:
        """Tell the target's gate the accuracy (None: the training failed) and epoch of each candidate; its state."""
        check_dataset(target, self.datasets)

        def work() -> dict:
            gate = self.gate_of(target)
            for candidate, accuracy, epoch in outcomes:
                gate.report(candidate, accuracy, epoch)
            return asdict(gate.state)

        return await self._in_thread(work)

    def gate_of(self, target: str) -> Gate:
        """The target's gate, made at its first question."""
        if target not in self._gates:
            self._gates[target] = Gate(target, self.config.serve.keep, adviser=self.config.scorer, file=self.file,
                                       seed=self.config.seed, config=self.config, scorer=self.scorer)
        return self._gates[target]

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        for gate in self._gates.values():
            gate.close()
        self.record.close()

    def _flush(self) -> None:
        """Score what waits for the target that has waited longest. What comes in meanwhile is scored in the next call:
        the busier the server, the larger the calls, and a large call costs less for each candidate."""
        self._scoring = bool(self._waiting)
        if not self._scoring:
            return
        target = next(iter(self._waiting))
        waiting = self._waiting.pop(target)
        task = self._in_thread(self._rows, [candidate for candidates, _ in waiting for candidate in candidates], target)

        def deliver(done: asyncio.Future) -> None:
            self._flush()
            start = 0
            for candidates, future in waiting:
                if not future.done():
                    if error := done.exception():
                        future.set_exception(error)
                    else:
                        future.set_result(done.result()[start:start + len(candidates)])
                start += len(candidates)

        task.add_done_callback(deliver)

    def _rows(self, candidates: list[Candidate], target: str) -> list[dict]:
        keys = [(target, candidate.arch_code, candidate.recipe) for candidate in candidates]
        faults = self.faults(candidates, target)
        sound = {key: candidate for key, candidate, why in zip(keys, candidates, faults, strict=True) if why is None}
        new = {key: candidate for key, candidate in sound.items() if key not in self._known}
        if len(self._known) + len(new) > REMEMBERED:
            self._known.clear()
            new = sound
        if new:
            self.score_calls += 1
            scores, _ = scores_of(self.scorer, list(new.values()), target)
            self._known |= dict(zip(new, scores, strict=True))
        return [columns(ranked(candidate, fault, None if fault else self._known[key], "no opinion"))
                for candidate, fault, key in zip(candidates, faults, keys, strict=True)]

    def _in_thread(self, work, *arguments) -> asyncio.Future:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
