"""What pruning costs and saves, over many generations at once: regret, time saved, best kept, rank correlation.

Intervals come from a bootstrap of the near-duplicate groups in the pools, with fresh generations from each bootstrap
sample: they cover both which networks happened to be in the pool and which were drawn together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nngpt_perfclf.loop.policies import Policy, Rule, noise
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.replay.pools import Pool

BOOTSTRAPS = 200
METRICS = ("regret_points", "time_saved", "kept", "best_kept", "spearman")


@dataclass(frozen=True)
class Draws:
    """Generations of one pool: `chosen`, indices of shape (generations, candidates in one), and their `ties`. The
    first `plain` are the generations themselves; the rest are BOOTSTRAPS blocks of as many, one a bootstrap sample."""

    pool: Pool
    chosen: np.ndarray
    ties: np.ndarray
    seeds: np.ndarray
    plain: int


def draw_generations(pools: Sequence[Pool], count: int, resamples: int, seed: int) -> dict[str, Draws]:
    """`resamples` generations of `count` candidates for each pool, as the loop's seeds `seed`, `seed` + 1, … draw
    them, and those of the bootstrap; groups are drawn once for all pools, which share networks."""
    rng = np.random.default_rng(seed)
    groups = np.unique(np.concatenate([pool.groups for pool in pools]))
    weights = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=BOOTSTRAPS)
    draws = {}
    for pool in pools:
        plain = np.stack([pool.draw(count, seed + number) for number in range(resamples)])
        mine = weights[:, np.searchsorted(groups, pool.groups)]
        chosen = np.concatenate([plain, weighted(rng, np.repeat(mine, resamples, axis=0), count)])
        seeds = np.arange(seed, seed + len(chosen))
        ties = np.take_along_axis(noise(pool.candidates, seeds.tolist()), chosen, axis=1)
        draws[pool.target] = Draws(pool, chosen, ties, seeds, resamples)
    return draws


def measure(draws: Draws, policy: Policy, scored: Sequence[Scored],
            rules: Sequence[Rule]) -> list[dict[str, np.ndarray]]:
    """For each rule the metrics as arrays of shape (1 + BOOTSTRAPS,): the figure, then its bootstrap replicates.

    `scored[i]` is what the pool's candidate i was given. A broken one is never kept.
    """
    pool, chosen = draws.pool, draws.chosen
    values = policy.values(pool.candidates, [given.score for given in scored], draws.seeds.tolist())
    values = np.take_along_axis(np.broadcast_to(values, (len(chosen), len(pool.candidates))), chosen, axis=1)
    deviations = policy.deviations([given.score for given in scored])
    deviations = None if deviations is None else deviations[chosen]
    accuracy, seconds = pool.accuracy[chosen], pool.seconds[chosen]
    spent = np.array([given.seconds for given in scored], float)[chosen].sum(axis=1)
    broken = np.array([given.broken for given in scored], bool)[chosen]
    correlation = _spearman(values, accuracy)
    measured = []
    for rule in rules:
        kept = policy.kept(values, draws.ties, rule, deviations) & ~broken
        found = np.where(kept, accuracy, 0.0).max(axis=1)
        best = accuracy.max(axis=1)
        total = seconds.sum(axis=1)
        figures = (100 * (best - found), 1 - ((seconds * kept).sum(axis=1) + spent) / total, kept.mean(axis=1),
                   found == best, correlation)
        measured.append({name: by_block(figure.astype(float), draws.plain)
                         for name, figure in zip(METRICS, figures, strict=True)})
    return measured


def summarise(measured: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """Each metric with the bounds of its 95 % interval, `<metric>_low` and `<metric>_high`."""
    row: dict[str, float | None] = {}
    for name, values in measured.items():
        replicates = values[1:][~np.isnan(values[1:])]
        low, high = np.percentile(replicates, [2.5, 97.5]) if len(replicates) else (np.nan, np.nan)
        row |= {key: None if np.isnan(value) else round(float(value), 4)
                for key, value in ((name, values[0]), (f"{name}_low", low), (f"{name}_high", high))}
    return row


def mean_over_targets(measured: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean of each metric over the targets, replicate by replicate."""
    return {name: np.mean([figures[name] for figures in measured], axis=0) for name in measured[0]}


def fit_inverse_temperature(draws: Mapping[str, Draws], policies: Mapping[str, Policy],
                            scored: Mapping[str, Sequence[Scored]]) -> dict[str, float]:
    """The `inverse_temperature` under which the best candidates of all targets' generations are likeliest: McFadden's
    conditional logit with the score as its only variable. 0 where the score says nothing; bounded by 20. With the
    bounds of its 95 % interval: the lower one keeps a promised miss probability, which the best fit itself breaks every
    other time."""
    values, best = [], []
    for target, drawn in draws.items():
        scores = [given.score for given in scored[target]]
        chosen = policies[target].values(drawn.pool.candidates, scores, [0])[0][drawn.chosen]
        blocks = chosen.reshape(-1, drawn.plain, chosen.shape[1])
        values.append(np.where(np.isnan(blocks), -np.inf, blocks))
        best.append(drawn.pool.accuracy[drawn.chosen].argmax(axis=1).reshape(-1, drawn.plain))
    fitted = [_inverse_temperature(*block)
              for block in zip(np.concatenate(values, 1), np.concatenate(best, 1), strict=True)]
    low, high = np.percentile(fitted[1:], [2.5, 97.5])
    return {"inverse_temperature": fitted[0], "inverse_temperature_low": round(float(low), 3),
            "inverse_temperature_high": round(float(high), 3)}


def _inverse_temperature(values: np.ndarray, winners: np.ndarray) -> float:
    """From the scores (generations, candidates) and the place of each generation's best candidate."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    won = values[np.arange(len(values)), winners]
    values, won = values[np.isfinite(won)], won[np.isfinite(won)]
    if not len(won):
        return 0.0
    finite = np.where(np.isfinite(values), values, -1e9)
    loss = minimize_scalar(lambda x: np.mean(logsumexp(x * finite, axis=1) - x * won), bounds=(0, 20), method="bounded")
    return round(float(loss.x), 3)


def weighted(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    """`count` different places a row, drawn with probability in proportion to the weights (Gumbel's top-k trick).
    Places without weight come last: they are drawn only where too few others are left."""
    keys = rng.gumbel(size=weights.shape) + np.log(np.maximum(weights, 1e-12))
    return np.argpartition(-keys, count - 1, axis=1)[:, :count]


def by_block(values: np.ndarray, size: int) -> np.ndarray:
    """Means of consecutive blocks; NaN (no correlation in that generation) is left out."""
    blocks = values.reshape(-1, size)
    defined = ~np.isnan(blocks)
    count = defined.sum(axis=1)
    return np.where(count > 0, np.where(defined, blocks, 0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rank correlation of each row. What has no score stands in the middle; NaN where one side is constant."""
    from scipy.stats import rankdata

    scored = ~np.isnan(a)
    x, y = rankdata(np.where(scored, a, np.inf), axis=1), rankdata(b, axis=1)
    x = np.where(scored, x - (x * scored).sum(axis=1, keepdims=True) / np.maximum(scored.sum(axis=1), 1)[:, None], 0)
    y = y - y.mean(axis=1, keepdims=True)
    spread = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.where(spread > 0, (x * y).sum(axis=1) / np.where(spread > 0, spread, 1), np.nan)
