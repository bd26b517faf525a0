"""What outcomes of an unknown dataset are worth: pairs right, calibration and regret by the number of outcomes that the
adviser was told.

Each target is left out of everything: trees, percentiles, curves of accuracies and scales are learned without it.
There are two protocols. By default the networks are new as well: pairs and candidates are of the held-out part. With
`loop.known_networks` they are those of all networks, and what a network did on the other datasets is known.

Outcomes are those of candidates of the target's pool, chosen at random or by a loop that trains the better half of each
generation. A pair whose network is among the observed ones is not counted.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.informed import InformedAdviser, Numbers
from nngpt_perfclf.advice.outcomes import comparing, informed_adviser
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.files import write_arrays
from nngpt_perfclf.loop.run_database import RunDatabase
from nngpt_perfclf.replay import outcome_figures
from nngpt_perfclf.replay.benchmark import adviser_without, write_result
from nngpt_perfclf.replay.outcome_world import LABELS, Sides, World
from nngpt_perfclf.replay.pools import Pool
from nngpt_perfclf.replay.regret import BOOTSTRAPS, weighted
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Score

POLICIES = ("random", "ask")
INTERVAL = "95 %: bootstrap of {}; does not cover the training of the advisers"
GENERATIONS = 10  # of each draw of outcomes, and of each bootstrap sample


def measure_outcomes(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """Measure every target; writes `loop.json`, and the answers of each target, so that a stopped run goes on with the
    next target. `runs` refuses a folder of another configuration."""
    _check(config)
    world = World.load(config)
    units = world.units()
    weights = np.random.default_rng(config.seed).multinomial(len(units), np.full(len(units), 1 / len(units)),
                                                             size=BOOTSTRAPS)
    files = {}
    for target in world.pools:
        files[target] = folder / f"{target}-{_digest(config)}.npz"
        if not files[target].is_file():
            say(f"measuring outcomes on {target}")
            drawn = np.searchsorted(units, world.units_of(target))
            write_arrays(files[target], **_measured(config, folder, world, target, weights[:, drawn]))
    rows = outcome_figures.rows({target: np.load(file) for target, file in files.items()}, units, weights, config)
    result = {"out": str(folder), "part": "all" if world.known_networks else config.evaluate.part,
              "draws": config.loop.resamples,
              "interval": INTERVAL.format("networks" if world.known_networks else "near-duplicate groups"),
              "outcomes": rows}
    write_result(config, folder, world.data.fingerprint, result)
    return result


def _measured(config: Config, folder: Path, world: World, target: str, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The answers for one target. `weights`: (bootstrap samples, candidates of the pool)."""
    [adviser] = config.loop.advisers
    pool, sides = world.pools[target], world.sides[target]
    run = Path(adviser_without(config, adviser, target, folder))
    plain = _advisers(config, run, world, target)
    scorer = plain[LABELS[0]].scorer
    started = time.perf_counter()
    scorer.score(pool.candidates, target)
    seconds = (time.perf_counter() - started) / len(pool.candidates)
    found = {}
    for label, asked in sides.items():
        found |= {f"won {label}": asked.won, f"units {label}": asked.units,
                  f"alone {label}": _alone(plain[label].scorer, asked, target, label)}
        found[f"other {label}"] = _of_others(plain[label], asked)
    found["other lookup"] = np.array([world.best[target] * world.usual[name] for name in sides[LABELS[0]].others])
    with progress() as bar:
        for policy in config.loop.policies:
            draws = bar.track(range(config.loop.resamples), description=f"outcomes on {target}, {policy}")
            drawn = [_drawn(config, plain, pool, sides, found, policy, draw, weights, seconds) for draw in draws]
            for key in drawn[0]:
                found[f"{policy} {key}"] = np.stack([figures[key] for figures in drawn])
    return {key: value for key, value in found.items() if not key.startswith("other ")}


def _advisers(config: Config, run: Path, world: World, target: str) -> dict[str, InformedAdviser]:
    """By label, what answers the pairs; that of the first label scores candidates as well."""
    found, history = {}, None
    for label in LABELS:
        asked = replace(config, label=label)
        adviser = load_advisor(run, asked)
        if world.known_networks:
            history = history or world.history(adviser, target)
            adviser = replace(adviser, history=history)
        plain = informed_adviser(Remembering(comparing(adviser, label)), {}, asked, run)
        found[label] = replace(plain, numbers=RememberedNumbers(plain.numbers))
    return found


def _drawn(config: Config, plain: Mapping[str, InformedAdviser], pool: Pool, sides: Mapping[str, Sides],
           expected: Mapping[str, np.ndarray], policy: str, draw: int, weights: np.ndarray,
           seconds: float) -> dict[str, np.ndarray]:
    """One order of outcomes: probabilities of all pairs, and pruning of what is left, by the number of outcomes."""
    rng = np.random.default_rng([config.seed, draw, POLICIES.index(policy), len(pool.target)])
    order = _order(plain[LABELS[0]], pool, policy, max(config.loop.outcomes), config.loop.candidates, rng)
    found = {}
    for count in config.loop.outcomes:
        seen = order[:count]
        advisers = {label: _told(informed, pool, seen) for label, informed in plain.items()}
        trained = {pool.candidates[place].meta["nn"] for place in seen}
        for label, asked in sides.items():
            own = advisers[label].expected(asked.own, pool.target)
            chances = advisers[label].compare(own, expected[f"other {label}"])
            chances[np.isin(asked.nn, list(trained))] = np.nan
            found[f"{count} {label}"] = chances
            if label == LABELS[0]:
                found[f"{count} lookup"] = _lookup(pool.accuracy[seen], expected["other lookup"], np.isnan(chances))
        values = np.array([np.nan if score is None else score.value
                           for score in advisers[LABELS[0]].corrected(pool.candidates, pool.target)], float)
        left = np.setdiff1d(np.arange(len(values)), seen)
        found[f"{count} pruned"] = _pruned(config, pool, values, left, weights[draw::config.loop.resamples], rng,
                                           seconds)
    return found


def _lookup(accuracies: np.ndarray, usual: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """The baseline that reads neither code nor recipe: whether the mean outcome, as a share of the target's best
    accuracy, which it is told, is above the mean of the other side's dataset. `usual` (pairs,): that mean times the
    best accuracy; NaN for pairs that are `left_out`."""
    answers = np.full(len(usual), 0.5) if not len(accuracies) else (accuracies.mean() > usual).astype(float)
    return np.where(left_out, np.nan, answers)


def _order(plain: InformedAdviser, pool: Pool, policy: str, count: int, size: int,
           rng: np.random.Generator) -> np.ndarray:
    """The places of `count` candidates in the order in which they were trained: at random, or by a loop that trains the
    better half of generations of `size` and learns from each."""
    waiting = rng.permutation(len(pool.candidates))
    if policy == "random":
        return waiting[:count]
    trained: list[int] = []
    while len(trained) < count:
        generation, waiting = waiting[:size], waiting[size:]
        if not len(generation):
            raise PerfclfError(f"a loop cannot train {count} of loop.pool={len(pool.candidates)} candidates")
        scores = _told(plain, pool, trained).corrected([pool.candidates[place] for place in generation], pool.target)
        values = np.array([np.inf if score is None else score.value for score in scores])
        trained += generation[np.argsort(-values, kind="stable")[:len(generation) // 2]].tolist()
    return np.array(trained[:count], int)


def _told(plain: InformedAdviser, pool: Pool, seen: Sequence[int]) -> InformedAdviser:
    outcomes = [Observation(pool.candidates[place], float(pool.accuracy[place])) for place in seen]
    return replace(plain, observations={pool.target: outcomes}, _learned={})


def _pruned(config: Config, pool: Pool, values: np.ndarray, left: np.ndarray, weights: np.ndarray,
            rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Regret in points and share of time saved: (1 + bootstrap samples, shares to keep, 2)."""
    size = config.loop.candidates
    plain = np.stack([rng.permutation(left)[:size] for _ in range(GENERATIONS)])
    found = [_regret(config, pool, values, plain, seconds)]
    for sample in weights:
        places = left[weighted(rng, np.repeat(sample[None, left], GENERATIONS, axis=0), size)]
        found.append(_regret(config, pool, values, places, seconds))
    return np.stack(found)


def _regret(config: Config, pool: Pool, values: np.ndarray, chosen: np.ndarray, seconds: float) -> np.ndarray:
    """Means over generations `chosen` (g, size) for each share to keep, as regret and time saved."""
    accuracy, spent = pool.accuracy[chosen], pool.seconds[chosen]
    order = np.argsort(-np.nan_to_num(values[chosen], nan=np.inf), axis=1, kind="stable")
    accuracy, spent = np.take_along_axis(accuracy, order, axis=1), np.take_along_axis(spent, order, axis=1)
    figures = []
    for share in config.loop.keep:
        kept = int(np.ceil(share * chosen.shape[1] - 1e-9))
        regret = 100 * (accuracy.max(axis=1) - accuracy[:, :kept].max(axis=1))
        asking = seconds * chosen.shape[1]
        saved = 1 - (spent[:, :kept].sum(axis=1) + asking) / spent.sum(axis=1)
        figures.append([regret.mean(), saved.mean()])
    return np.array(figures)


def _of_others(adviser: InformedAdviser, asked: Sides) -> np.ndarray:
    """How probable each label of the pairs' other sides is (pairs, values)."""
    rows: dict[int, np.ndarray] = {}
    for dataset in np.unique(asked.others):
        places = np.flatnonzero(asked.others == dataset)
        rows |= zip(places.tolist(), adviser.expected([asked.other[place] for place in places], str(dataset)),
                    strict=True)
    return np.stack([rows[place] for place in range(len(asked.others))])


def _alone(scorer: Scorer, asked: Sides, target: str, label: str) -> np.ndarray:
    """The scorer's own answers without a model of the dataset: 1 where its score of the target's side is higher."""
    def value(score: Score | None) -> float:
        return np.nan if score is None else score.value if label == "normalized" else score.percentile

    own = np.array([value(score) for score in scorer.score(asked.own, target)])
    other = np.empty(len(own))
    for dataset in np.unique(asked.others):
        places = np.flatnonzero(asked.others == dataset)
        other[places] = [value(score) for score in scorer.score([asked.other[place] for place in places], str(dataset))]
    return np.where(np.isnan(own) | np.isnan(other), 0.5, (own > other) + 0.5 * (own == other))


def _check(config: Config) -> None:
    loop = config.loop
    if len(loop.advisers) != 1 or not loop.outcomes or None in loop.keep or not set(loop.policies) <= set(POLICIES):
        raise PerfclfError("loop=outcomes measures one adviser, with numbers in loop.outcomes, shares in loop.keep and "
                           f"loop.policies of {', '.join(POLICIES)}")
    if BOOTSTRAPS % loop.resamples:
        raise PerfclfError(f"loop.resamples={loop.resamples} must divide the {BOOTSTRAPS} bootstrap samples")
    if max(loop.outcomes) + loop.candidates > loop.pool:
        raise PerfclfError(f"loop.pool={loop.pool} leaves no generation of {loop.candidates} after "
                           f"{max(loop.outcomes)} outcomes")


def _digest(config: Config) -> str:
    loop = config.loop
    settings = [loop.advisers, loop.policies, loop.keep, loop.outcomes, loop.resamples, config.advice.profile,
                loop.known_networks, config.evaluate.pairs]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Remembering:
    """A scorer that is asked once about each candidate."""

    scorer: Scorer
    scores: dict[tuple, Score | None] = field(default_factory=dict)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        return _remembered(self.scores, candidates, target, lambda new: self.scorer.score(new, target))


@dataclass(frozen=True)
class RememberedNumbers:
    """The numbers that make candidates alike, read once for each candidate."""

    numbers: Numbers
    rows: dict[tuple, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __call__(self, candidates: Sequence[Candidate], target: str) -> tuple[np.ndarray, np.ndarray]:
        rows = _remembered(self.rows, candidates, target, lambda new: zip(*self.numbers(new, target), strict=True))
        recipes, networks = zip(*rows, strict=True)
        return np.stack(recipes), np.stack(networks)


def _remembered(found: dict[tuple, object], candidates: Sequence[Candidate], target: str,
                compute: Callable[[list[Candidate]], Iterable]) -> list:
    """What is `found` of the candidates, in order; what is not there yet is computed and put there."""
    keys = [(candidate.arch_code, candidate.recipe, target) for candidate in candidates]
    new = {key: candidate for key, candidate in zip(keys, candidates, strict=True) if key not in found}
    if new:
        found.update(zip(new, compute(list(new.values())), strict=True))
    return [found[key] for key in keys]
