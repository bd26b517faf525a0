"""The loop itself, candidate by candidate: over LEMUR's recorded trials or with a real trainer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.loop.asking import key_of, manager_of
from nngpt_perfclf.loop.policies import Rule
from nngpt_perfclf.loop.run_database import RunDatabase
from nngpt_perfclf.loop.search import Generation, Search
from nngpt_perfclf.record import record, write_json
from nngpt_perfclf.replay.benchmark import asked_by, policy_of, rule_of, shares_of
from nngpt_perfclf.replay.pools import Pool, load_replay
from nngpt_perfclf.replay.regret import with_keep
from nngpt_perfclf.types import PerfclfError, Recipe

# What advisers must know of the local image sets.
IMAGE_SETS = Path(__file__).with_name("image_sets.yaml")


@dataclass(frozen=True)
class World:
    """Where a loop plays: the `plugin` that proposes and trains for the `targets`, each dataset's anchor recipe, the
    fingerprint of the corpus (`data`) and in a replay the pools by target."""

    plugin: object
    targets: Sequence[str]
    anchors: Mapping[str, Recipe]
    data: str
    pools: Mapping[str, Pool] = field(default_factory=dict)


def play_replay(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """One generation for each target, policy, adviser and share, beside what training all of it would have given."""
    rule_of(config)
    replay = load_replay(config)
    world = World(replay, list(replay.pools), replay.anchors, replay.data, replay.pools)
    return _play(config, folder, runs, world)


def play_local(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """`loop.rounds` generations for each local image set, trained for real."""
    from nngpt_perfclf.local_training import trainer as local

    rule_of(config)
    if "oracle" in config.loop.policies:
        raise PerfclfError("the oracle knows recorded outcomes only: leave it out of loop.policies")
    if config.datasets is None:
        config = replace(config, datasets=str(IMAGE_SETS))
    trainer, (anchors, data) = local.plugin(config), anchors_of(config)
    return _play(config, folder, runs, World(trainer, config.loop.targets, anchors, data))


def anchors_of(config: Config) -> tuple[dict[str, Recipe], str]:
    """Each dataset's anchor recipe, from the training part, and the fingerprint of the corpus."""
    from nngpt_perfclf.corpus import load_corpus
    from nngpt_perfclf.tasks import (
        anchor_recipes,
        codes_of,
        labelled_trials,
        load_task,
        split_networks,
        trials_of_part,
    )

    corpus, task = load_corpus(config), load_task(config.task)
    networks = split_networks(codes_of(corpus, task), config.split)
    trials = trials_of_part(labelled_trials(corpus, task, config.epoch), networks, config.split, "train")
    return anchor_recipes(trials), corpus.fingerprint


def _play(config: Config, folder: Path, runs: RunDatabase, world: World) -> dict:
    rows, pruned = [], []
    for name, adviser, rule in _tried(config):
        manager, key = manager_of(config, adviser, world.plugin), key_of(config, adviser)
        for target in world.targets:
            pool = world.pools.get(target)
            told = {"target": target, "adviser": adviser, "policy": name, "keep": rule.keep}
            policy = policy_of(config, name, rule, target, world.anchors, pool)
            search = Search(json.dumps({**told, "adviser": key}), target, key, policy, manager, runs)
            for turn in range(config.loop.rounds):
                generation = search.generation(config.loop.candidates, config.seed + turn)
                compared = _compared(generation, pool) if pool else {}
                rows.append({**told, "round": turn + 1, **_summary(generation), **compared})
                pruned += [{**told, "candidate": one.name, "score": one.score, "reason": one.reason}
                           for one in generation.decisions if not one.kept]
    result = {"out": str(folder), "database": str(runs.file), "generations": rows, "totals": _totals(rows)}
    write_json(folder / "loop.json", record("loop", to_dict(config), world.data, **result, pruned=pruned))
    return result


def _totals(rows: Sequence[dict]) -> list[dict]:
    """Over all targets and rounds: what each policy trained, and in a replay what it saved and lost (the mean)."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["adviser"], row["policy"], row["keep"]), []).append(row)
    totals = []
    for (adviser, policy, keep), some in groups.items():
        total = {name: sum(row[name] for row in some) for name in ("proposed", "trained", "pruned", "failed",
                                                                   "training_seconds", "asking_seconds")}
        if "seconds_saved" in some[0]:
            total |= {"seconds_saved": sum(row["seconds_saved"] for row in some),
                      "time_saved": round(sum(row["time_saved"] for row in some) / len(some), 4),
                      "regret_points": round(sum(row["regret_points"] for row in some) / len(some), 3)}
        totals.append({"adviser": adviser, "policy": policy, "keep": keep, **total})
    return totals


def _tried(config: Config) -> Iterator[tuple[str, str, Rule]]:
    """Every policy with every adviser that it may ask and every share that it may keep."""
    for name in config.loop.policies:
        rules = with_keep(rule_of(config), shares_of(name, config.loop.keep))
        yield from ((name, adviser, rule) for adviser in asked_by(config, name) for rule in rules)


def _summary(generation: Generation) -> dict:
    best = generation.best
    return {"proposed": len(generation.candidates), "trained": len(generation.outcomes),
            "pruned": len(generation.candidates) - len(generation.outcomes), "failed": generation.failed,
            "training_seconds": round(generation.training, 2), "asking_seconds": round(generation.asking, 2),
            "best_accuracy": best.accuracy if best else None, "best_candidate": best.candidate if best else None}


def _compared(generation: Generation, pool: Pool) -> dict:
    """Against the same generation without asking, where everything is trained."""
    places = [pool.index[candidate.name] for candidate in generation.candidates]
    seconds, best = float(pool.seconds[places].sum()), float(pool.accuracy[places].max())
    found = generation.best.accuracy if generation.best else 0.0
    spent = generation.training + generation.asking
    return {"best_without_asking": best, "regret_points": round(100 * (best - found), 3),
            "seconds_saved": round(seconds - spent, 1), "time_saved": round(1 - spent / seconds, 4)}
