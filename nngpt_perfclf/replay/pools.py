"""LEMUR as generator and trainer: held-out networks are proposed, and "training" looks the recorded trial up."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.run_folders import check_held_out
from nngpt_perfclf.config import Config
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.tasks import TaskData, recipe_of
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Recipe


@dataclass(frozen=True)
class Pool:
    """The fixed candidates of one target, with what training each of them gave: `accuracy` in 0..1, `seconds`,
    and the near-duplicate `groups` of the networks; all of shape (candidates,)."""

    target: str
    candidates: tuple[Candidate, ...]
    accuracy: np.ndarray
    seconds: np.ndarray
    groups: np.ndarray

    def draw(self, count: int, seed: int) -> np.ndarray:
        """Indices of the `count` candidates that the generation `seed` consists of."""
        if count > len(self.candidates):
            raise PerfclfError(f"cannot draw {count} candidates for {self.target}: its pool has {len(self.candidates)}")
        word = int.from_bytes(hashlib.sha256(self.target.encode()).digest()[:4])
        return np.random.default_rng([seed, word]).permutation(len(self.candidates))[:count]

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each candidate by name."""
        return {candidate.name: place for place, candidate in enumerate(self.candidates)}

    @property
    def outcomes(self) -> dict[str, float]:
        """Accuracy of each candidate by name: what only an oracle may know."""
        return {candidate.name: float(accuracy)
                for candidate, accuracy in zip(self.candidates, self.accuracy, strict=True)}


class Replay:
    """The hooks `propose` and `train` over recorded trials. `anchors`: each dataset's anchor recipe; `data`: the
    fingerprint of the corpus that all this is from."""

    def __init__(self, pools: Sequence[Pool], anchors: Mapping[str, Recipe], data: str = ""):
        self.data = data
        self.pools = {pool.target: pool for pool in pools}
        self.anchors = dict(anchors)

    @hookimpl
    def propose(self, target: str, count: int, seed: int) -> list[Candidate] | None:
        """`count` candidates of the target's pool; None for a target without one."""
        if target not in self.pools:
            return None
        pool = self.pools[target]
        return [pool.candidates[place] for place in pool.draw(count, seed)]

    @hookimpl
    def train(self, candidate: Candidate, target: str) -> Outcome | None:
        """The recorded accuracy and duration; None for what is not in the pool."""
        if target not in self.pools or candidate.name not in self.pools[target].index:
            return None
        pool = self.pools[target]
        place = pool.index[candidate.name]
        return Outcome(candidate.name, target, float(pool.accuracy[place]), float(pool.seconds[place]))


def load_replay(config: Config) -> Replay:
    """Pools of `loop.pool` candidates for each of `loop.targets`, from the networks in `evaluate.part`, which no
    adviser has seen; anchors from the training part.

    Raises PerfclfError as `pools_of` does.
    """
    data = TaskData.load(config)
    return Replay(pools_of(config, data, held_out_trials(config, data)), data.anchors, data.fingerprint)


def held_out_trials(config: Config, data: TaskData) -> pd.DataFrame:
    """The trials of the networks in `evaluate.part` with their group, none twice. Raises PerfclfError where the split
    holds no network out, or one of `loop.advisers` learned from that part."""
    if config.split.by in ("pairs", "dataset"):
        raise PerfclfError(f"split.by={config.split.by} holds no network out, and a replay needs some that no "
                           "adviser has seen: use group, network or family")
    for adviser in () if config.loop.unseen_target else config.loop.advisers:
        check_held_out(adviser, config.evaluate.part)
    return _each_once(data.part(config.evaluate.part), data)


def all_trials(data: TaskData) -> pd.DataFrame:
    """The trials of all networks with their group, none twice."""
    return _each_once(data.trials, data)


def _each_once(trials: pd.DataFrame, data: TaskData) -> pd.DataFrame:
    return trials.join(data.networks["group"], on="nn").drop_duplicates(["dataset", "nn", "trial"])


def pools_of(config: Config, data: TaskData, trials: pd.DataFrame) -> list[Pool]:
    """A pool of candidates for each target, drawn from held-out trials. Raises PerfclfError for an unknown target or
    one with too few trials."""
    targets = config.loop.targets or data.task.datasets
    unknown = [target for target in targets if target not in data.task.datasets]
    if unknown:
        raise PerfclfError(f"unknown target {unknown[0]!r}; the task {data.task.name} has "
                           f"{', '.join(data.task.datasets)}")
    return [_pool(trials[trials["dataset"] == target], target, data.codes, config) for target in targets]


def _pool(trials, target: str, codes: Mapping[str, str], config: Config) -> Pool:
    if len(trials) < config.loop.pool:
        raise PerfclfError(f"{target} has {len(trials)} recorded trials of networks in the {config.evaluate.part} "
                           f"part, not {config.loop.pool}; lower loop.pool")
    # In turn: every network's first trial of a random order before any network's second.
    mixed = trials.sort_values(["nn", "trial"]).sample(frac=1, random_state=config.seed)
    turns = mixed.groupby("nn", sort=False).cumcount()
    chosen = mixed.loc[turns.sort_values(kind="stable").index[:config.loop.pool]]
    return Pool(
        target=target,
        candidates=tuple(Candidate(f"{row.nn}/{row.trial}", codes[row.nn], recipe_of(row, side=""),
                                   {"nn": row.nn, "trial": str(row.trial)}) for row in chosen.itertuples()),
        accuracy=chosen["accuracy"].to_numpy(float), seconds=chosen["duration"].to_numpy(float),
        groups=chosen["group"].astype(str).to_numpy())
