"""Which candidates of one generation are worth training: scored for their datasets, decided on in groups."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nngpt_perfclf.loop.policies import Ask, Rule
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.loop.search import decide
from nngpt_perfclf.nngpt.folders import Found
from nngpt_perfclf.types import Candidate, Score

# Given candidates and the dataset they are for: one Scored each.
Asker = Callable[[Sequence[Candidate], str], list[Scored]]
# Datasets with fewer candidates than this are decided on together: a share of two or three prunes nothing or too much.
POOLED_BELOW = 4
_SUREST = 1e-6


@dataclass(frozen=True)
class Verdict:
    """What was decided about one candidate; `reason`: why it is pruned or without a score."""

    keep: bool
    scored: Scored
    reason: str


def judge(found: Sequence[Found], ask: Asker, rule: Rule, seed: int) -> dict[Path, Verdict]:
    """A verdict for each folder with a candidate and a target, and for each broken one.

    Candidates are compared with those for the same dataset, by score. Those for datasets with few candidates are
    compared with each other, by expected percentile, which means the same on every dataset.
    """
    verdicts = {entry.folder: Verdict(False, Scored(None, 0.0, entry.broken, broken=True), f"broken: {entry.broken}")
                for entry in found if entry.broken}
    asked = [entry for entry in found
             if entry.candidate is not None and entry.target and not entry.left and not entry.broken]
    scored: dict[Path, Scored] = {}
    for target, members in sorted(_by(asked, lambda entry: entry.target).items()):
        answers = ask([member.candidate for member in members], target)
        scored |= zip((member.folder for member in members), answers, strict=True)
    sound = _by([entry for entry in asked if not scored[entry.folder].broken], lambda entry: entry.target)
    few = {target for target, members in sound.items() if len(members) < POOLED_BELOW}
    groups = _by(asked, lambda entry: "" if entry.target in few and len(few) > 1 else entry.target)
    for name, members in sorted(groups.items()):
        given = [scored[member.folder] for member in members]
        compared = given if name else [_by_percentile(answer) for answer in given]
        decisions = decide(Ask(rule), [member.candidate for member in members], compared, seed)
        verdicts |= {member.folder: Verdict(decision.kept, own, decision.reason or _silence(own))
                     for member, own, decision in zip(members, given, decisions, strict=True)}
    return verdicts


def _by(found: Sequence[Found], key: Callable[[Found], str]) -> dict[str, list[Found]]:
    groups = defaultdict(list)
    for entry in found:
        groups[key(entry)].append(entry)
    return groups


def _by_percentile(scored: Scored) -> Scored:
    """The same, ranked by the log-odds of the percentile."""
    if scored.score is None:
        return scored
    share = min(max(scored.score.percentile, _SUREST), 1 - _SUREST)
    return replace(scored, score=replace(scored.score, value=math.log(share / (1 - share)), deviation=None))


def _silence(scored: Scored) -> str:
    """Why there is no usable score, where there is none."""
    score: Score | None = scored.score
    if score is None:
        return scored.reason or "no opinion"
    return "" if score.decided else f"undecided: {score.reason}"
