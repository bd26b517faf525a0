"""Training one candidate, wherever it happens, and the folder in which finished outcomes wait for the loop."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pluggy

from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError

TRIES = 2  # trainings of a candidate whose worker dies; the death may be its doing


def train(manager: pluggy.PluginManager, candidate: Candidate, target: str) -> Outcome:
    """Through the hook `train`; an exception of the trainer is a failed outcome.

    Raises PerfclfError for a wrong configuration, for a target that no plugin trains on, and for a trainer that reports
    on another candidate.
    """
    started = time.perf_counter()
    try:
        outcome = manager.hook.train(candidate=candidate, target=target)
    except PerfclfError:
        raise  # a wrong configuration, not a bad candidate
    except Exception as error:  # noqa: BLE001 - one candidate that breaks its trainer must not end the search
        failure = f"the trainer failed: {type(error).__name__}: {error}"
        return Outcome(candidate.name, target, None, time.perf_counter() - started, failure)
    if outcome is None:
        raise PerfclfError(f"no plugin trains candidates for {target!r}")
    if (outcome.candidate, outcome.target) != (candidate.name, target):
        raise PerfclfError(f"asked to train {candidate.name!r} for {target!r}, the trainer reported on "
                           f"{outcome.candidate!r} for {outcome.target!r}")
    return outcome


@dataclass(frozen=True)
class Finished:
    """Finished outcomes, one file each in `folder`, until the loop has recorded them. A worker writes its outcome here
    before it reports it: neither its death nor that of the loop loses it."""

    folder: Path

    def find(self, candidate: Candidate, target: str) -> Outcome | None:
        file = self._file(candidate, target)
        return Outcome(**read_json(file)) if file.is_file() else None

    def add(self, candidate: Candidate, outcome: Outcome) -> None:
        write_json(self._file(candidate, outcome.target), asdict(outcome))

    def remove(self, candidate: Candidate, target: str) -> None:
        self._file(candidate, target).unlink(missing_ok=True)

    def _file(self, candidate: Candidate, target: str) -> Path:
        identity = repr((target, candidate.name, candidate.arch_code, candidate.recipe, sorted(candidate.seen.items())))
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"


@dataclass(frozen=True)
class Training:
    """What a worker does; it is pickled. `make_manager`: gives the plugins that train; `finished`: in a folder that all
    workers and the loop share."""

    make_manager: Callable[[], pluggy.PluginManager]
    finished: Finished

    def __call__(self, candidate: Candidate, target: str) -> Outcome | PerfclfError:
        """The outcome, from the folder where the training is finished already; or why nothing can be trained."""
        try:
            outcome = self.finished.find(candidate, target)
            if outcome is None:
                outcome = train(self.make_manager(), candidate, target)
                self.finished.add(candidate, outcome)
        except PerfclfError as error:
            return error
        return outcome
