"""Pools of candidates whose recorded trials have a result at each epoch, and what stopping some of them early costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nngpt_perfclf.config import Config
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.loop.stopping import Known, StoppingPolicy, numbers_of
from nngpt_perfclf.replay.pools import Pool, held_out_trials, pools_of
from nngpt_perfclf.replay.regret import Draws, by_block
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.types import Candidate, PerfclfError

METRICS = ("regret_points", "time_saved", "epochs_saved", "finished", "best_kept")


@dataclass(frozen=True)
class CurvePool:
    """A pool with the `accuracy` (candidates, epochs) after each epoch and the `seconds` (candidates, epochs) from the
    start of the training to its end."""

    pool: Pool
    accuracy: np.ndarray
    seconds: np.ndarray

    @property
    def epochs(self) -> int:
        return self.accuracy.shape[1]

    def seen(self, epoch: int) -> list[Candidate]:
        """The candidates as they are at the end of `epoch` (0: untrained)."""
        numbers = range(1, epoch + 1)
        return [replace(candidate, seen=dict(zip(numbers, accuracies[:epoch].tolist(), strict=True)),
                        seconds=dict(zip(numbers, seconds[:epoch].tolist(), strict=True)))
                for candidate, accuracies, seconds in zip(self.pool.candidates, self.accuracy, self.seconds,
                                                          strict=True)]


def load_curves(config: Config) -> tuple[list[CurvePool], str]:
    """Pools for each of `loop.targets` of held-out trials with results at all epochs up to `config.epoch`, and the
    corpus' fingerprint. Raises PerfclfError as `load_replay` does, and where there is no epoch to stop at."""
    if config.epoch < 2:
        raise PerfclfError("after a single epoch there is nothing left to stop: set epoch=5")
    data, epochs = TaskData.load(config), range(1, config.epoch + 1)
    accuracy, seconds = (data.curves(epochs, value)[list(epochs)].dropna() for value in ("accuracy", "duration"))
    trials = held_out_trials(config, data)
    keys = list(zip(trials["dataset"].astype("str"), trials["nn"].astype("str"), trials["trial"], strict=True))
    pools = pools_of(config, data, trials[[key in accuracy.index for key in keys]])
    found = []
    for pool in pools:
        rows = [(pool.target, candidate.meta["nn"], candidate.meta["trial"]) for candidate in pool.candidates]
        found.append(CurvePool(pool, accuracy.loc[rows].to_numpy(float), seconds.loc[rows].to_numpy(float)))
    return found, data.fingerprint


def measure(draws: Draws, curves: CurvePool, policy: StoppingPolicy,
            asked: Mapping[int, Sequence[Scored]]) -> dict[str, np.ndarray]:
    """The metrics as arrays of shape (1 + BOOTSTRAPS,): the figure, then its bootstrap replicates. Regret: accuracy
    points at the last epoch between the best candidate and the best one that was trained to it.

    asked: by epoch, what each of the pool's candidates was given at its end; a broken one is never trained.
    """
    chosen = draws.chosen
    accuracy, seconds = curves.accuracy[chosen], curves.seconds[chosen]
    broken = np.array([given.broken for given in asked[0]], bool)[chosen] if asked else np.zeros(chosen.shape, bool)
    running, spent, trained = ~broken, np.zeros(len(chosen)), np.zeros(len(chosen))
    for epoch in range(curves.epochs + 1):
        if epoch:
            lap = seconds[..., epoch - 1] - (seconds[..., epoch - 2] if epoch > 1 else 0.0)
            spent += (lap * running).sum(axis=1)
            trained += running.sum(axis=1)
        if epoch == curves.epochs:
            break
        value = deviation = expected = np.full(chosen.shape, np.nan)
        if policy.asks_at(epoch):
            spent += (np.array([given.seconds for given in asked[epoch]], float)[chosen] * running).sum(axis=1)
            value, deviation, expected = (numbers[chosen]
                                          for numbers in numbers_of([given.score for given in asked[epoch]]))
        reached = accuracy[..., epoch - 1] if epoch else np.full(chosen.shape, np.nan)
        running = policy.going_on(Known(epoch, reached, value, deviation, expected, draws.ties), running)
    best = accuracy[..., -1].max(axis=1)
    found = np.where(running, accuracy[..., -1], 0.0).max(axis=1)
    figures = (100 * (best - found), 1 - spent / seconds[..., -1].sum(axis=1),
               1 - trained / (chosen.shape[1] * curves.epochs), running.mean(axis=1), found == best)
    return {name: by_block(figure.astype(float), draws.plain) for name, figure in zip(METRICS, figures, strict=True)}
