"""What a loop tries, as the configuration says: which policies, with which advisers and which shares."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nngpt_perfclf.config import Config
from nngpt_perfclf.loop.asking import NOBODY
from nngpt_perfclf.loop.policies import ASKING, BY_MISS, POLICIES, Rule, build_policy
from nngpt_perfclf.loop.stopping import HALVING, STOPPING, build_stopping
from nngpt_perfclf.types import PerfclfError

LATE = STOPPING.keys() - POLICIES.keys()  # policies that need more than one epoch


def rule_of(config: Config) -> Rule:
    """The pruning rule of the configuration, with the first of its shares to keep.

    Raises PerfclfError for whatever is wrong with the loop's policies and rules, before anything is loaded or asked.
    """
    loop = config.loop
    if not loop.keep:
        raise PerfclfError("loop.keep is empty: give at least one share, or null")
    rules = [Rule(share, loop.least_kept, loop.confidence, loop.miss_probability, loop.inverse_temperature, loop.seen)
             for share in loop.keep]
    for name in loop.policies:
        if stops(config):
            for share in shares_of(name, loop.keep):
                build_stopping(name, replace(rules[0], keep=share), loop.rungs)
        else:
            build_policy(name, rules[0])
    if loop.kind != "local" and loop.candidates > loop.pool:
        raise PerfclfError(f"loop.candidates={loop.candidates} cannot be drawn from loop.pool={loop.pool}")
    return rules[0]


def stops(config: Config) -> bool:
    """Whether the policies decide at the end of each epoch, and not only before the training."""
    if config.loop.kind == "local" and config.epoch == 1 and (late := set(config.loop.policies) & LATE):
        raise PerfclfError(f"the policy {min(late)} stops training at the end of an epoch: set epoch=5, or another "
                           "number of epochs")
    return config.loop.kind == "epochs" or (config.loop.kind == "local" and config.epoch > 1)


def shares_of(policy: str, keep: Sequence[float | None]) -> list[float | None]:
    """The shares to keep that mean something for a policy: nop keeps all, and only some can tell the probability of a
    miss (null)."""
    if policy == "nop":
        return [1.0]
    return [share for share in keep if share is not None or policy in (*BY_MISS, *HALVING)]


def asked_by(config: Config, policy: str) -> Sequence[str]:
    """The advisers that a policy is to be tried with: all for those that ask, nobody for the others."""
    return config.loop.advisers if policy in (*ASKING, *HALVING) else (NOBODY,)


def trials(config: Config) -> Iterator[tuple[str, str, Rule]]:
    """Every policy with every adviser that it may ask and every share that it may keep."""
    rule = rule_of(config)
    for name in config.loop.policies:
        rules = [replace(rule, keep=share) for share in shares_of(name, config.loop.keep)]
        yield from ((name, adviser, rule) for adviser in asked_by(config, name) for rule in rules)
