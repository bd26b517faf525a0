"""The verb `loop`: the AutoML loop on recorded trials or with real training, with and without advice."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean

import pluggy

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.curves import going_on
from nngpt_perfclf.advice.faults import BuildFaults, Faults, text_faults
from nngpt_perfclf.advice.outcomes import informed
from nngpt_perfclf.advice.seconds import clock_of, warn_of_slow
from nngpt_perfclf.config import Config
from nngpt_perfclf.corpus import load_corpus
from nngpt_perfclf.files import alone
from nngpt_perfclf.local_training import trainer
from nngpt_perfclf.local_training.checkpoints import Checkpoints
from nngpt_perfclf.loop.asking import key_of, manager_of
from nngpt_perfclf.loop.executor import Executor, executor_of
from nngpt_perfclf.loop.plan import rule_of, stops, trials
from nngpt_perfclf.loop.policies import LEARNING, Rule, build_policy
from nngpt_perfclf.loop.run_database import FILE, RunDatabase, run_folder
from nngpt_perfclf.loop.search import Announce, Generation, Search
from nngpt_perfclf.loop.stopping import build_stopping
from nngpt_perfclf.loop.stopping_search import StoppingSearch
from nngpt_perfclf.loop.training import Finished, Training
from nngpt_perfclf.replay import stopping
from nngpt_perfclf.replay.benchmark import benchmark, write_result
from nngpt_perfclf.replay.outcomes import measure_outcomes
from nngpt_perfclf.replay.pools import Pool, load_replay
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Recipe

# What advisers must know of the local image sets.
IMAGE_SETS = Path(__file__).with_name("local_training") / "image_sets.yaml"


def run_loop(config: Config) -> dict:
    """Propose, score, prune, train. ``loop=replay`` measures policies and advisers over many generations of recorded
    trials, ``loop=epochs`` policies that stop training early, ``loop=single`` plays one generation through the hooks,
    ``loop=local`` trains for real, and ``loop=outcomes`` measures what outcomes of an unknown dataset are worth.

    Every event is recorded in `loop.sqlite` in the run folder: a stopped loop continues with the same command.
    """
    kinds = {"replay": benchmark, "single": play_replay, "local": play_local, "epochs": stopping.benchmark,
             "outcomes": measure_outcomes}
    folder = run_folder(config)
    with alone(folder), RunDatabase(folder / FILE, config) as runs:
        result = kinds[config.loop.kind](config, folder, runs)
        runs.finish()
    return result


SUMMED = ("proposed", "trained", "finished", "epochs", "pruned", "failed", "training_seconds", "asking_seconds")


@dataclass(frozen=True)
class World:
    """Where a loop runs: the `plugin` that proposes and trains for the `targets`, the corpus' fingerprint `data`, the
    anchor recipes of the references (None: those in the package), in a replay the pools by target, and the `executor`
    of trainings (None: this process). `faults` finds the broken candidates: in a replay by their text alone, since
    recorded networks were trained."""

    plugin: object
    targets: Sequence[str]
    data: str
    anchors: Mapping[str, Recipe] | None = None
    pools: Mapping[str, Pool] = field(default_factory=dict)
    executor: Executor | None = None
    faults: Faults = text_faults
    announce: Announce | None = None


def play_replay(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """One generation for each target, policy, adviser and share, compared with training all of it."""
    rule_of(config)
    replay = load_replay(config)
    return _play(config, folder, runs, World(replay, list(replay.pools), replay.data, replay.anchors, replay.pools))


def play_local(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """`loop.rounds` generations for each local image set, trained for real; for more than one epoch, with policies that
    stop candidates at the end of an epoch."""
    rule_of(config)
    if "oracle" in config.loop.policies:
        raise PerfclfError("the oracle knows recorded outcomes only: leave it out of loop.policies")
    if config.datasets is None:
        config = replace(config, datasets=str(IMAGE_SETS))
    checkpoints, finished = Checkpoints(folder / "checkpoints"), Finished(folder / "finished")
    plugin = trainer.plugin(config, checkpoints)
    with closing(executor_of(config, Training(partial(trainer.plugins, config, checkpoints), finished))) as executor:
        world = World(plugin, config.loop.targets, load_corpus(config).fingerprint, executor=executor,
                      faults=BuildFaults(config), announce=partial(_warn_of_slow, config))
        result = _play(config, folder, runs, world)
    shutil.rmtree(finished.folder, ignore_errors=True)
    return result


def _play(config: Config, folder: Path, runs: RunDatabase, world: World) -> dict:
    rows, pruned = [], []
    for name, adviser, rule in trials(config):
        manager = manager_of(config, adviser, world.plugin, policy=name, anchors=world.anchors)
        key = key_of(config, adviser, name)
        for target in world.targets:
            pool = world.pools.get(target)
            keys = {"target": target, "adviser": adviser, "policy": name, "keep": rule.keep}
            search = _search_of(config, world, keys, key, rule, manager, runs)
            for turn in range(config.loop.rounds):
                generation = search.generation(config.loop.candidates, config.seed + turn)
                compared = _compared(generation, pool) if pool else {}
                rows.append({**keys, "round": turn + 1, **generation.summary(), **compared})
                pruned += [{**keys, "candidate": decision.name, "score": decision.score, "reason": decision.reason}
                           for decision in generation.decisions if not decision.kept]
    result = {"out": str(folder), "database": str(runs.file), "generations": rows, "totals": _totals(rows)}
    write_result(config, folder, world.data, {**result, "pruned": pruned})
    return result


def _search_of(config: Config, world: World, keys: Mapping[str, object], adviser: str, rule: Rule,
               manager: pluggy.PluginManager, runs: RunDatabase) -> Search:
    """The search of a policy on one target. `keys` tell it from the other searches of the run; `adviser`: the key of
    who is asked."""
    name, target = keys["policy"], keys["target"]
    asked = {**keys, "adviser": adviser}
    parts = {"target": target, "manager": manager, "runs": runs, "executor": world.executor, "faults": world.faults,
             "learn": partial(_learned, config) if name in LEARNING else None, "announce": world.announce}
    if stops(config):
        asked |= {"rungs": config.loop.rungs, "miss_probability": rule.miss_probability}
        return StoppingSearch(json.dumps(asked), adviser=f"{adviser} at epoch {config.epoch}", epochs=config.epoch,
                              policy=build_stopping(name, rule, config.loop.rungs),
                              correct=partial(going_on, config=config), **parts)
    pool = world.pools.get(target)
    return Search(json.dumps(asked), adviser=adviser, policy=build_policy(name, rule, pool.outcomes if pool else None),
                  **parts)


def _warn_of_slow(config: Config, candidates: Sequence[Candidate], target: str,
                  timed: Sequence[tuple[Candidate, float]]) -> None:
    expected = clock_of(config).seconds(candidates, target, timed)
    warn_of_slow(zip(candidates, expected, strict=True), config.loop.time_limit, "loop.time_limit")


def _learned(config: Config, target: str, trained: Sequence[tuple[Candidate, float]], scorer: Scorer) -> Scorer:
    """The scorer, corrected by what was trained. Where training may stop, every candidate that was started has its
    accuracy after the first epoch."""
    config = replace(config, epoch=1) if stops(config) else config
    return informed(scorer, {target: [Observation(candidate, accuracy, config.epoch)
                                      for candidate, accuracy in trained]}, config)


def _totals(rows: Sequence[dict]) -> list[dict]:
    """Over all targets and rounds: what each policy trained, and in a replay what it saved and lost (the mean)."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["adviser"], row["policy"], row["keep"]), []).append(row)
    totals = []
    for (adviser, policy, keep), group in groups.items():
        total = {name: sum(row[name] for row in group) for name in SUMMED if name in group[0]}
        if "seconds_saved" in group[0]:
            total |= {"seconds_saved": sum(row["seconds_saved"] for row in group),
                      "time_saved": round(mean(row["time_saved"] for row in group), 4),
                      "regret_points": round(mean(row["regret_points"] for row in group), 3)}
        totals.append({"adviser": adviser, "policy": policy, "keep": keep, **total})
    return totals


def _compared(generation: Generation, pool: Pool) -> dict:
    """Against the same generation without asking, where everything is trained."""
    places = [pool.index[candidate.name] for candidate in generation.candidates]
    seconds, best = float(pool.seconds[places].sum()), float(pool.accuracy[places].max())
    found = generation.best.accuracy if generation.best else 0.0
    spent = generation.training + generation.asking
    return {"best_without_asking": best, "regret_points": round(100 * (best - found), 3),
            "seconds_saved": round(seconds - spent, 1), "time_saved": round(1 - spent / seconds, 4)}
