"""The replay benchmark: every target × adviser × policy × share kept, over many generations of recorded trials."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from nngpt_perfclf.advice.registry import trained_once
from nngpt_perfclf.advice.scorers import FAILED
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.files import write_json
from nngpt_perfclf.loop.asking import NOBODY, ask, key_of, manager_of
from nngpt_perfclf.loop.plan import asked_by, rule_of, shares_of
from nngpt_perfclf.loop.policies import ASKING, Policy, Rule, build_policy
from nngpt_perfclf.loop.run_database import RunDatabase, Scored
from nngpt_perfclf.replay import regret
from nngpt_perfclf.replay.pools import Pool, Replay, load_replay
from nngpt_perfclf.run_folder import manifest
from nngpt_perfclf.types import PerfclfError

INTERVAL = ("95 %: bootstrap of the pools' near-duplicate groups, fresh generations from each sample; covers the "
            "choice of held-out networks and of generations, not the training of the adviser")


@dataclass(frozen=True)
class Contender:
    """One adviser with one policy: by target the policy, and what the pool's candidates were given."""

    adviser: str
    policy: str
    policies: Mapping[str, Policy]
    scored: Mapping[str, list[Scored]]


def benchmark(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """Score every candidate of every pool once, then resample generations. Writes `loop.json` and `rows.csv` into
    `folder`; the result's `rows` hold regret in accuracy points and shares in 0..1."""
    rule = rule_of(config)
    replay = load_replay(config)
    draws = regret.draw_generations(list(replay.pools.values()), config.loop.candidates, config.loop.resamples,
                                    config.seed)
    rows, temperatures = [], []
    for contender in _contenders(config, replay, rule, runs, folder):
        say(f"measuring {contender.policy} by {contender.adviser}")
        rows += _rows(contender, draws, rule, config.loop.keep)
        if contender.policy in ASKING:
            fitted = regret.fit_inverse_temperature(draws, contender.policies, contender.scored)
            temperatures.append({"adviser": contender.adviser, "policy": contender.policy, **fitted})
    result = {**settings_of(config, folder), "unseen_target": config.loop.unseen_target,
              "pools": [_described(pool) for pool in replay.pools.values()], "inverse_temperature": temperatures,
              "rows": rows}
    write_result(config, folder, replay.data, result)
    return result


def settings_of(config: Config, folder: Path) -> dict:
    """What a benchmark's result says of its settings."""
    return {"out": str(folder), "part": config.evaluate.part, "epoch": config.epoch, "pool": config.loop.pool,
            "candidates": config.loop.candidates, "resamples": config.loop.resamples, "interval": INTERVAL}


def write_result(config: Config, folder: Path, data: str, result: dict) -> None:
    """Write `loop.json`, and the `rows` of a result that has some as `rows.csv`. `data`: the corpus' fingerprint."""
    if "rows" in result:
        pd.DataFrame(result["rows"]).to_csv(folder / "rows.csv", index=False)
    write_json(folder / "loop.json", manifest("loop", to_dict(config), data, **result))


def _contenders(config: Config, replay: Replay, rule: Rule, runs: RunDatabase, folder: Path) -> Iterator[Contender]:
    for name in config.loop.policies:
        for adviser in asked_by(config, name):
            policies = {target: build_policy(name, rule, pool.outcomes) for target, pool in replay.pools.items()}
            scored = {target: _scored(config, replay, runs, folder, name, adviser, target) for target in replay.pools}
            yield Contender(adviser, name, policies, scored)


def _scored(config: Config, replay: Replay, runs: RunDatabase, folder: Path, policy: str, adviser: str,
            target: str) -> list[Scored]:
    """What the adviser says of the target's pool, or one like it that learned nothing about the target. In a loop a
    failure of the adviser costs its opinion; in a measurement it would pass for a policy that prunes nothing, so here
    it is an error."""
    unseen = config.loop.unseen_target and adviser != NOBODY
    asked = adviser_without(config, adviser, target, folder) if unseen else adviser
    manager = manager_of(config, asked, policy=policy, anchors=replay.anchors)
    scored = ask(manager, runs, key_of(config, asked, policy), replay.pools[target].candidates, target)
    failures = [entry.reason for entry in scored if entry.reason.startswith(FAILED)]
    if failures:
        raise PerfclfError(f"{adviser} cannot be measured on {target}: {failures[0]}")
    return scored


def _rows(contender: Contender, draws: Mapping[str, regret.Draws], rule: Rule,
          keep: Sequence[float | None]) -> list[dict]:
    shares = shares_of(contender.policy, keep)
    rules = [replace(rule, keep=share) for share in shares]
    by_target = {}
    with progress() as bar:
        for target in bar.track(draws, description=f"{contender.policy} by {contender.adviser}"):
            by_target[target] = regret.measure(draws[target], contender.policies[target], contender.scored[target],
                                               rules)
    rows = []
    for place, share in enumerate(shares):
        measured = {target: found[place] for target, found in by_target.items()}
        measured["all"] = regret.mean_over_targets(list(measured.values()))
        rows += [{"target": target, "adviser": contender.adviser, "policy": contender.policy, "keep": share,
                  **regret.summarise(figures)} for target, figures in measured.items()]
    return rows


def _described(pool: Pool) -> dict:
    networks = {candidate.meta["nn"] for candidate in pool.candidates}
    return {"target": pool.target, "candidates": len(pool.candidates), "networks": len(networks),
            "groups": len(set(pool.groups)), "best_accuracy": round(float(pool.accuracy.max()), 4),
            "median_seconds": round(float(np.median(pool.seconds)), 1)}


def adviser_without(config: Config, adviser: str, target: str, folder: Path) -> str:
    """The run folder of the registered `adviser`, trained on the training part without the dataset `target`; a finished
    one below `folder` is not trained again.

    The networks of the held-out parts are left out as well, as always. Raises PerfclfError for an adviser that cannot
    be trained, such as a run folder.
    """
    say(f"asking {adviser} trained without {target}")
    split = replace(config.split, by="dataset", left_out=target)
    return trained_once(adviser, replace(config, split=split), folder / "without" / f"{adviser}-{target}")
