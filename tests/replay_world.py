"""A made-up pool of recorded trials, whose accuracy half follows the learning rate that the scores follow."""

import numpy as np
from loop_world import NETWORK, score_for

from nngpt_perfclf.loop.policies import build_policy
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.replay import regret
from nngpt_perfclf.replay.pools import Pool
from nngpt_perfclf.types import Candidate, Recipe

GENERATIONS = 12


def make_pool(target="svhn", size=40, broken=()) -> Pool:
    """`broken`: places of candidates that cannot be trained, though they have a recorded accuracy."""
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.1, 0.9, size)
    codes = ["print('hi')" if place in broken else NETWORK.format(width=place) for place in range(size)]
    return Pool(target, tuple(Candidate(f"net-{place}", code, Recipe(lr=float(rate)))
                              for place, (code, rate) in enumerate(zip(codes, rates, strict=True))),
                accuracy=(rates + rng.uniform(0, 3, size)) / 4, seconds=rng.lognormal(3, 1, size),
                groups=np.array([f"group-{place // 2}" for place in range(size)]))


def scored_by_rate(pool: Pool, seconds=0.0) -> list[Scored]:
    return [Scored(score_for(candidate), seconds) for candidate in pool.candidates]


def measured(pool, policy, rules, resamples=GENERATIONS, seconds=0.0, seed=0) -> list[dict]:
    draws = regret.draw_generations([pool], 20, resamples, seed)[pool.target]
    return regret.measure(draws, build_policy(policy, rules[0], pool.outcomes), scored_by_rate(pool, seconds), rules)
