"""The replay benchmark of policies that stop training at the end of an epoch: every target × adviser × policy × share.

Recorded trials with a result at each epoch replace training; their recorded seconds, and those spent asking, are what
is saved or spent.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.curve_training import explained
from nngpt_perfclf.advice.curves import going_on
from nngpt_perfclf.advice.seconds import clock_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.loop.asking import ask, key_of, manager_of
from nngpt_perfclf.loop.plan import trials
from nngpt_perfclf.loop.policies import PER_SECOND
from nngpt_perfclf.loop.run_database import RunDatabase, Scored
from nngpt_perfclf.loop.stopping import build_stopping
from nngpt_perfclf.replay.benchmark import settings_of, write_result
from nngpt_perfclf.replay.curves import CurvePool, load_curves, measure
from nngpt_perfclf.replay.regret import draw_generations, mean_over_targets, summarise
from nngpt_perfclf.replay.seconds import predicted_seconds


def benchmark(config: Config, folder: Path, runs: RunDatabase) -> dict:
    """Ask about every candidate of every pool at the end of each epoch, then resample generations. Writes `loop.json`
    and `rows.csv` into `folder`; `expected` says how well the accuracy at `config.epoch` was predicted, `seconds` how
    well the seconds of an epoch were, where a policy asks for them."""
    tried = list(trials(config))
    pools, data = load_curves(config)
    draws = draw_generations([curves.pool for curves in pools], config.loop.candidates, config.loop.resamples,
                             config.seed)
    asked: dict[tuple[str, str], dict[str, dict[int, list[Scored]]]] = {}
    rows = []
    for name, adviser, rule in tried:
        policy = build_stopping(name, rule, config.loop.rungs)
        say(f"measuring {name}, keep {'null' if rule.keep is None else format(rule.keep, 'g')}")
        by_target = {}
        for curves in pools:
            answers = {}
            if policy.asks_at(0):
                way = PER_SECOND[0] if name in PER_SECOND else "ask"
                answers = asked.setdefault((adviser, way), {}).setdefault(curves.pool.target, {})
                answers |= {epoch: _asked(config, runs, adviser, way, curves, epoch)
                            for epoch in range(config.epoch) if epoch not in answers}
            by_target[curves.pool.target] = measure(draws[curves.pool.target], curves, policy, answers)
        by_target["all"] = mean_over_targets(list(by_target.values()))
        rows += [{"target": target, "adviser": adviser, "policy": name, "keep": rule.keep, **summarise(figures)}
                 for target, figures in by_target.items()]
    medians = clock_of(config).model.medians
    result = {
        **settings_of(config, folder), "rungs": list(config.loop.rungs),
        "miss_probability": config.loop.miss_probability,
        "expected": [{"adviser": adviser, **_expected(pools, answers, epoch)}
                     for adviser, answers in {adviser: given for (adviser, _), given in asked.items()}.items()
                     for epoch in range(config.epoch)],
        "seconds": [{"adviser": adviser, **row} for (adviser, way), answers in asked.items() if way in PER_SECOND
                    for row in predicted_seconds(pools, {target: at[0] for target, at in answers.items()}, medians,
                                                 config.seed)],
        "rows": rows}
    write_result(config, folder, data, result)
    return result


def _asked(config: Config, runs: RunDatabase, adviser: str, policy: str, curves: CurvePool, epoch: int) -> list[Scored]:
    """What is said of each of the pool's candidates at the end of `epoch`."""
    key = f"{key_of(config, adviser, policy)} at epoch {config.epoch}"
    return ask(manager_of(config, adviser, policy=policy), runs, key, curves.seen(epoch), curves.pool.target,
               partial(going_on, config=config))


def _expected(pools: list[CurvePool], answers: Mapping[str, Mapping[int, list[Scored]]], epoch: int) -> dict:
    """How well the last accuracy was predicted at the end of `epoch`: R² over all candidates, its mean over the
    datasets, and the share of candidates in their 80 % interval."""
    reached, expected, inside, within = [], [], [], []
    for curves in pools:
        pairs = [(final, given.score.accuracy) for final, given in
                zip(curves.accuracy[:, -1], answers[curves.pool.target][epoch], strict=True)
                if given.score is not None and given.score.accuracy is not None]
        own = np.array([(final, forecast.value, forecast.low <= final <= forecast.high)
                        for final, forecast in pairs], float).reshape(-1, 3)
        within += [explained(own[:, 0], own[:, 1])] if len(own) else []
        for column, part in zip((reached, expected, inside), own.T, strict=True):
            column += part.tolist()
    if not reached:
        return {"seen": epoch, "n": 0}
    return {"seen": epoch, "n": len(reached), "r2": explained(np.array(reached), np.array(expected)),
            "r2_within_datasets": round(float(np.mean(within)), 4), "covered": round(float(np.mean(inside)), 4)}
