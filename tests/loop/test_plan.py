"""What a loop tries, and what it refuses before anything is asked."""

from dataclasses import replace

import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.plan import rule_of, trials
from nngpt_perfclf.types import PerfclfError


def test_only_policies_that_ask_are_tried_with_every_adviser_and_with_a_miss_probability():
    config = load_config(None, ["loop=replay", "loop.policies=[nop,ask,random]", "loop.advisers=[pointwise,prior]",
                                "loop.keep=[0.5,null]"])
    assert [(policy, adviser, rule.keep) for policy, adviser, rule in trials(config)] == [
        ("nop", "nobody", 1.0), ("ask", "pointwise", 0.5), ("ask", "pointwise", None), ("ask", "prior", 0.5),
        ("ask", "prior", None), ("random", "nobody", 0.5)]


def test_one_generation_differs_from_the_replay_in_nothing_but_their_number():
    replay, single = (load_config(overrides=[f"loop={kind}"]).loop for kind in ("replay", "single"))
    assert single == replace(replay, kind="single", resamples=1)


@pytest.mark.parametrize(("overrides", "complaint"), [
    (["loop.policies=[best]"], "unknown policy 'best'"), (["loop.keep=[]"], "loop.keep is empty"),
    (["loop.keep=[0.5,2.0]"], r"keep must lie in \(0, 1\]"),
    (["loop.candidates=500"], "cannot be drawn from loop.pool=100"),
])
def test_what_cannot_be_tried_is_refused(overrides, complaint):
    with pytest.raises(PerfclfError, match=complaint):
        rule_of(load_config(None, ["loop=replay", *overrides]))
