"""What outcomes of an unknown dataset are worth: pairs right, calibration and regret by the number of outcomes that the
adviser was told.

Each target is left out of everything: trees, percentiles, curves of accuracies and scales are learned without it, and
the networks of the held-out part are learned by no tree. Outcomes are those of candidates of the target's pool, chosen
at random or by a loop that trains the better half of each generation. A pair whose network is among the observed ones
is not counted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice import load_advisor
from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.dataset_model import chance_of_more
from nngpt_perfclf.advice.informed import InformedAdviser, Numbers
from nngpt_perfclf.advice.outcomes import informed_adviser
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.files import write_json
from nngpt_perfclf.loop.run_database import RunDatabase
from nngpt_perfclf.replay import outcome_figures
from nngpt_perfclf.replay.pools import Pool, load_replay
from nngpt_perfclf.replay.regret import BOOTSTRAPS, weighted
from nngpt_perfclf.replay.unseen import adviser_without
from nngpt_perfclf.run_folder import manifest
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Score

LABELS = ("normalized", "rank")
POLICIES = ("random", "ask")
INTERVAL = "95 %: bootstrap of near-duplicate groups; does not cover the training of the advisers"
GENERATIONS = 10  # of each draw of outcomes, and of each bootstrap sample


@dataclass(frozen=True)
class Remembering:
    """A scorer that is asked once about each candidate."""

    scorer: Scorer
    known: dict[tuple, Score | None] = field(default_factory=dict)

    def score(self, candidates: Sequence[Candidate], target: str) -> list[Score | None]:
        keys = [(one.arch_code, one.recipe, target) for one in candidates]
        new = list({key: one for key, one in zip(keys, candidates, strict=True) if key not in self.known}.items())
        if new:
            answers = self.scorer.score([one for _, one in new], target)
            self.known.update(zip((key for key, _ in new), answers, strict=True))
        return [self.known[key] for key in keys]


@dataclass(frozen=True)
class RememberedNumbers:
    """The numbers that make candidates alike, read once for each candidate."""

    numbers: Numbers
    known: dict[tuple, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __call__(self, candidates: Sequence[Candidate], target: str) -> tuple[np.ndarray, np.ndarray]:
        keys = [(one.arch_code, one.recipe, target) for one in candidates]
        new = list({key: one for key, one in zip(keys, candidates, strict=True) if key not in self.known}.items())
        if new:
            rows = zip(*self.numbers([one for _, one in new], target), strict=True)
            self.known.update(zip((key for key, _ in new), rows, strict=True))
        recipes, networks = zip(*(self.known[key] for key in keys), strict=True)
        return np.stack(recipes), np.stack(networks)


@dataclass(frozen=True)
class Sides:
    """The pairs of one target and label: `own` and `other` candidates, the `others`' datasets, whether the target
    `won`, and the pairs' networks `nn` and near-duplicate `groups`."""

    own: list[Candidate]
    other: list[Candidate]
    others: np.ndarray
    won: np.ndarray
    nn: np.ndarray
    groups: np.ndarray


def measure_outcomes(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """Measure every target; writes `loop.json`, and the answers of each target, so that a stopped run goes on with the
    next target. `runs` refuses a folder of another configuration."""
    _check(config)
    from nngpt_perfclf.tasks import TaskData

    replay = load_replay(config)
    tables = {label: TaskData.load(replace(config, label=label)) for label in LABELS}
    pairs = {label: data.pairs(label, part=config.evaluate.part, ties=False) for label, data in tables.items()}
    codes = tables[LABELS[0]].codes
    groups = sorted({*np.concatenate([pool.groups for pool in replay.pools.values()]),
                     *(str(group) for table in pairs.values() for group in table["group"])})
    weights = np.random.default_rng(config.seed).multinomial(len(groups), np.full(len(groups), 1 / len(groups)),
                                                             size=BOOTSTRAPS)
    files = {}
    for target, pool in replay.pools.items():
        files[target] = folder / f"{target}-{_digest(config)}.npz"
        if not files[target].is_file():
            say(f"measuring outcomes on {target}")
            sides = {label: sides_of(table, target, codes) for label, table in pairs.items()}
            found = _measured(config, folder, pool, sides, weights[:, np.searchsorted(groups, pool.groups)])
            with files[target].with_suffix(".new").open("wb") as file:
                np.savez_compressed(file, **found)
            files[target].with_suffix(".new").replace(files[target])
    rows = outcome_figures.rows({target: np.load(file) for target, file in files.items()}, groups, weights, config)
    result = {"out": str(folder), "part": config.evaluate.part, "draws": config.loop.resamples,
              "interval": INTERVAL, "outcomes": rows}
    write_json(folder / "loop.json", manifest("loop", to_dict(config), replay.data, **result))
    return result


def sides_of(pairs, target: str, codes: Mapping[str, str]) -> Sides:
    """The pairs with the dataset `target` of a table of pairs."""
    from nngpt_perfclf.tasks import recipe_of

    rows = pairs[(pairs["ds_a"] == target) | (pairs["ds_b"] == target)]
    own, other, others = [], [], []
    for row in rows.itertuples():
        sides = {row.ds_a: "a", row.ds_b: "b"}
        rest = row.ds_b if row.ds_a == target else row.ds_a
        own.append(Candidate(row.nn, codes[row.nn], recipe_of(row, sides[target])))
        other.append(Candidate(row.nn, codes[row.nn], recipe_of(row, sides[rest])))
        others.append(rest)
    return Sides(own, other, np.array(others), (rows["better"] == target).to_numpy(), rows["nn"].to_numpy(str),
                 rows["group"].to_numpy(str))


def _measured(config: Config, folder: Path, pool: Pool, sides: Mapping[str, Sides],
              weights: np.ndarray) -> dict[str, np.ndarray]:
    """The answers for one target. `weights`: (bootstrap samples, candidates of the pool)."""
    [adviser] = config.loop.advisers
    run = Path(adviser_without(config, adviser, pool.target, folder))
    scorer = Remembering(load_advisor(run, replace(config, label=LABELS[0])))
    plain = informed_adviser(scorer, {}, replace(config, label=LABELS[0]), run)
    plain = replace(plain, numbers=RememberedNumbers(plain.numbers))
    started = time.perf_counter()
    scorer.score(pool.candidates, pool.target)
    seconds = (time.perf_counter() - started) / len(pool.candidates)
    found = {}
    for label, asked in sides.items():
        found |= {f"won {label}": asked.won, f"groups {label}": asked.groups,
                  f"alone {label}": _alone(scorer, asked, pool.target, label)}
        found[f"other {label}"] = _of_others(replace(plain, label=label), asked)
    with progress() as bar:
        for policy in config.loop.policies:
            draws = bar.track(range(config.loop.resamples), description=f"outcomes on {pool.target}, {policy}")
            drawn = [_drawn(config, plain, pool, sides, found, policy, draw, weights, seconds) for draw in draws]
            for key in drawn[0]:
                found[f"{policy} {key}"] = np.stack([one[key] for one in drawn])
    return {key: value for key, value in found.items() if not key.startswith("other ")}


def _drawn(config: Config, plain: InformedAdviser, pool: Pool, sides: Mapping[str, Sides],
           known: Mapping[str, np.ndarray], policy: str, draw: int, weights: np.ndarray,
           seconds: float) -> dict[str, np.ndarray]:
    """One order of outcomes: probabilities of all pairs, and pruning of what is left, by the number of outcomes."""
    rng = np.random.default_rng([config.seed, draw, POLICIES.index(policy), len(pool.target)])
    order = _order(plain, pool, policy, max(config.loop.outcomes), config.loop.candidates, rng)
    found = {}
    for count in config.loop.outcomes:
        seen = order[:count]
        adviser = _told(plain, pool, seen)
        trained = {pool.candidates[place].meta["nn"] for place in seen}
        for label, asked in sides.items():
            chances = chance_of_more(replace(adviser, label=label).expected(asked.own, pool.target),
                                     known[f"other {label}"])
            chances[np.isin(asked.nn, list(trained))] = np.nan
            found[f"{count} {label}"] = chances
        values = np.array([np.nan if one is None else one.value
                           for one in adviser.corrected(pool.candidates, pool.target)], float)
        left = np.setdiff1d(np.arange(len(values)), seen)
        found[f"{count} pruned"] = _pruned(config, pool, values, left, weights[draw::config.loop.resamples], rng,
                                           seconds)
    return found


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
        values = np.array([np.inf if one is None else one.value for one in scores])
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

    own = np.array([value(one) for one in scorer.score(asked.own, target)])
    other = np.empty(len(own))
    for dataset in np.unique(asked.others):
        places = np.flatnonzero(asked.others == dataset)
        other[places] = [value(one) for one in scorer.score([asked.other[place] for place in places], str(dataset))]
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
    settings = [loop.advisers, loop.policies, loop.keep, loop.outcomes, loop.resamples, config.advice.profile]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
