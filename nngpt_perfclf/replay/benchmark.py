"""The replayed loop, measured: every target × adviser × policy × share kept over many generations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.console import progress, say
from nngpt_perfclf.loop.asking import NOBODY, ask, key_of, manager_of
from nngpt_perfclf.loop.policies import ASKING, Policy, Rule, build_policy
from nngpt_perfclf.loop.run_database import RunDatabase
from nngpt_perfclf.record import record, write_json
from nngpt_perfclf.replay import regret
from nngpt_perfclf.replay.pools import Pool, Replay, load_replay
from nngpt_perfclf.types import PerfclfError

INTERVAL = ("95 %: bootstrap of the pools' near-duplicate groups, fresh generations from each sample; covers the "
            "choice of held-out networks and of generations, not the training of the adviser")


@dataclass(frozen=True)
class Contender:
    """One adviser with one policy: the policy for each target, and what was answered about each target's pool."""

    adviser: str
    policy: str
    policies: Mapping[str, Policy]
    advice: Mapping[str, list]
    asking: Mapping[str, np.ndarray]


def study(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """Ask about every candidate of every pool once, then resample generations. Writes `loop.json`, `rows.csv` and the
    picture `saving-regret.svg` into `folder`; the result's `rows` hold regret in accuracy points, shares in 0..1."""
    rule = rule_of(config)
    replay = load_replay(config)
    draws = regret.draw_generations(list(replay.pools.values()), config.loop.candidates, config.loop.resamples,
                                    config.seed)
    rows, inverse_temperature = [], []
    for contender in _contenders(config, replay, rule, runs):
        say(f"measuring {contender.policy} by {contender.adviser}")
        rows += _rows(contender, draws, rule, config.loop.keep)
        if contender.policy in ASKING:
            fitted = regret.fit_inverse_temperature(draws, contender.policies, contender.advice)
            inverse_temperature.append({"adviser": contender.adviser, "policy": contender.policy, **fitted})
    result = {
        "out": str(folder), "part": config.evaluate.part, "epoch": config.epoch, "pool": config.loop.pool,
        "candidates": config.loop.candidates, "resamples": config.loop.resamples, "interval": INTERVAL,
        "pools": [_described(pool) for pool in replay.pools.values()], "inverse_temperature": inverse_temperature, "rows": rows}
    _write(config, folder, replay.data, result)
    return result


def rule_of(config: Config) -> Rule:
    """The pruning rule of the configuration, with the first of its shares to keep.

    Raises PerfclfError for whatever is wrong with the loop's policies and rules, before anything is loaded or asked.
    """
    loop = config.loop
    if not loop.keep:
        raise PerfclfError("loop.keep is empty: give at least one share, or null")
    rules = [Rule(share, loop.least_kept, loop.confidence, loop.miss_probability, loop.inverse_temperature) for share in loop.keep]
    for name in loop.policies:
        build_policy(name, rules[0])
    if loop.kind == "replay" and loop.candidates > loop.pool:
        raise PerfclfError(f"loop.candidates={loop.candidates} cannot be drawn from loop.pool={loop.pool}")
    return rules[0]


def policy_of(config: Config, name: str, rule: Rule, target: str, anchors: Mapping, pool: Pool | None = None) -> Policy:
    """The policy `name` for one target, compared with `loop.references` or with every dataset that has an anchor."""
    references = config.loop.references or tuple(sorted(anchors))
    return build_policy(name, rule, references=references, anchors=anchors, epoch=config.epoch,
                        outcomes=pool.outcomes if pool else None)


def shares_of(policy: str, keep: Sequence[float | None]) -> list[float | None]:
    """The shares to keep that mean something for a policy: nop keeps all, and only advice can tell the miss_probability (null)."""
    if policy == "nop":
        return [1.0]
    return [share for share in keep if share is not None or policy in ASKING]


def asked_by(config: Config, policy: str) -> Sequence[str]:
    """The advisers that a policy is to be tried with: all for those that ask, nobody for the others."""
    return config.loop.advisers if policy in ASKING else ("prior",) if policy == "prior" else (NOBODY,)


def _contenders(config: Config, replay: Replay, rule: Rule, runs: RunDatabase) -> Iterator[Contender]:
    for name in config.loop.policies:
        for adviser in asked_by(config, name):
            manager, key = manager_of(config, adviser, replay), key_of(config, adviser)
            policies, advice, asking = {}, {}, {}
            for target, pool in replay.pools.items():
                policy = policies[target] = policy_of(config, name, rule, target, replay.anchors, pool)
                answered = ask(manager, runs, key, policy, pool.candidates, target)
                advice[target] = [[answer.advice for answer in answers] for answers in answered]
                asking[target] = np.array([sum(answer.seconds for answer in answers) for answers in answered], float)
            yield Contender(adviser, name, policies, advice, asking)


def _rows(contender: Contender, draws: Mapping[str, regret.Draws], rule: Rule,
          keep: Sequence[float | None]) -> list[dict]:
    shares = shares_of(contender.policy, keep)
    rules = regret.with_keep(rule, shares)
    by_target = {}
    with progress() as bar:
        for target in bar.track(draws, description=f"{contender.policy} by {contender.adviser}"):
            by_target[target] = regret.measure(draws[target], contender.policies[target], contender.advice[target],
                                               contender.asking[target], rules)
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


def _write(config: Config, folder: Path, data: str, result: dict) -> None:
    import pandas as pd

    pd.DataFrame(result["rows"]).to_csv(folder / "rows.csv", index=False)
    draw_tradeoff(result["rows"], folder / "saving-regret.svg")
    write_json(folder / "loop.json", record("loop", to_dict(config), data, **result))
