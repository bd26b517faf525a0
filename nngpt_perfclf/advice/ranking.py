"""Ranking candidates for one target, and choosing those that are worth training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nngpt_perfclf.advice import load_pair_adviser
from nngpt_perfclf.advice.base import answered, check_dataset
from nngpt_perfclf.advice.curves import going_on
from nngpt_perfclf.advice.faults import BuildFaults, is_valid
from nngpt_perfclf.advice.scorers import scorer_of, scores_of, with_outcomes
from nngpt_perfclf.advice.seconds import clock_of, gain_per_second, timed_candidates
from nngpt_perfclf.advice.upside import worth_order_of
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.extras import extras_named
from nngpt_perfclf.types import Advice, Candidate, Observation, PerfclfError, Question, Ranked, Score

OK, UNKNOWN, BROKEN = STATUSES = "ok", "unknown", "broken"


@extras_named()
def rank(candidates: Sequence[Candidate], target: str, adviser: str | Path | object | None = None,
         config: Config | None = None, outcomes: Sequence[Observation] = ()) -> list[Ranked]:
    """The candidates for the dataset `target`, best first; then those without a score, then the broken ones. Best is
    the highest score or, with ``advice.rank_by=gain_per_second``, the highest chance of being the best for each second
    of an epoch. Each score says how many `seconds` that is expected to take on the machine on which some of the
    candidates or outcomes were timed.

    adviser: a registered name, a run folder, or an adviser's object; None: whatever the installed plugins answer, by
    default the configured `scorer`. Candidates may have different recipes. outcomes: candidates that were trained on
    the target already; they correct the scores, and unusable ones are reported. A candidate is broken where its text
    or, unless `advice.profile` is never, building it shows that it cannot be trained. Raises PerfclfError for an
    unknown adviser or dataset.
    """
    faults = BuildFaults(config)(candidates, target)
    sound = [candidate for candidate, fault in zip(candidates, faults, strict=True) if fault is None]
    given, why = _scores(sound, target, adviser, config, outcomes)
    scores = iter(_timed(given, sound, target, config, outcomes))
    rows = [ranked(candidate, fault, None if fault is not None else next(scores), why)
            for candidate, fault in zip(candidates, faults, strict=True)]
    by_gain = config is not None and config.advice.rank_by == "gain_per_second"
    return sorted(rows, key=lambda row: (STATUSES.index(row.status), -_worth(row.score, by_gain), row.candidate.name))


def ranked(candidate: Candidate, fault: str | None, score: Score | None, silence: str) -> Ranked:
    """The row of a candidate. `fault`: why it cannot be trained; `silence`: why there is no score where there is none.
    """
    if fault is not None:
        return Ranked(candidate, None, BROKEN, fault)
    return Ranked(candidate, score, OK, score.reason) if score else Ranked(candidate, None, UNKNOWN, silence)


def columns(row: Ranked) -> dict:
    """What is shown of a row, JSON-able."""
    score = row.score
    return {"name": row.candidate.name, "score": score and score.value, "percentile": score and score.percentile,
            "low": score and score.low, "high": score and score.high, "decided": bool(score and score.decided),
            "status": row.status, "reason": row.reason}


def select(candidates: Sequence[Candidate], target: str, keep: float = 0.5,
           adviser: str | Path | object | None = None, config: Config | None = None,
           outcomes: Sequence[Observation] = ()) -> list[Candidate]:
    """The candidates that are worth training, in the order of `rank`: the share `keep` (0 < keep <= 1, rounded up) of
    those with a decided score, and all others that are not broken, since an unsure adviser never prunes. Ranked by
    score, after the first tenth of them a candidate with a lower and less certain score may be kept in place of another
    (`upside.worth_order`)."""
    if not 0 < keep <= 1:
        raise PerfclfError(f"keep must lie in (0, 1], not {keep}")
    rows = rank(candidates, target, adviser, config, outcomes)
    decided = [place for place, row in enumerate(rows) if row.score is not None and row.score.decided]
    by_gain = config is not None and config.advice.rank_by == "gain_per_second"
    order = range(len(decided)) if by_gain else worth_order_of([rows[place].score for place in decided])
    # The small step back keeps 0.1 of 30 at 3 in floating point.
    skipped = {decided[place] for place in order[math.ceil(keep * len(decided) - 1e-9):]}
    return [row.candidate for place, row in enumerate(rows) if row.status != BROKEN and place not in skipped]


def score(candidates: Sequence[Candidate], target: str, adviser: str | Path | object | None = None,
          config: Config | None = None, outcomes: Sequence[Observation] = ()) -> list[Score | None]:
    """One score a candidate for the dataset `target`, in order; None where there is no opinion. The arguments are those
    of `rank`, and it raises what `rank` raises."""
    rows = {id(row.candidate): row.score for row in rank(candidates, target, adviser, config, outcomes)}
    return [rows[id(candidate)] for candidate in candidates]


def advise(questions: Sequence[Question], adviser: str | Path | None = None, config: Config | None = None,
           outcomes: Mapping[str, Sequence[Observation]] | None = None) -> list[Advice | None]:
    """One advice a question, in order; None where there is no opinion.

    adviser: a registered name or a run folder; None: the configured `adviser`. outcomes: by dataset, candidates that
    were trained on it already. Raises PerfclfError for an unknown adviser, and for outcomes where it only compares
    pairs.
    """
    config = config or load_config()
    return list(load_pair_adviser(adviser or config.adviser, config, outcomes).advise_many(list(questions)))


def _scores(candidates: list[Candidate], target: str, adviser: str | Path | object | None, config: Config | None,
            outcomes: Sequence[Observation]) -> tuple[list[Score | None], str]:
    """One score a candidate, and why there is none where there is none."""
    if not candidates:
        return [], ""
    scorer = with_outcomes(scorer_of(adviser, config), target, outcomes, config)
    if any(candidate.seen for candidate in candidates):
        scorer = going_on(scorer, config or load_config())
    given, why = scores_of(scorer, candidates, target)
    if not any(given):
        check_dataset(target, dataset_properties(config and config.datasets))
    return given, why


def _timed(scores: Sequence[Score | None], candidates: Sequence[Candidate], target: str, config: Config | None,
           outcomes: Sequence[Observation]) -> list[Score | None]:
    """The scores with the expected seconds of an epoch; a dataset without properties gives none."""
    clock, timed = clock_of(config or load_config()), timed_candidates(candidates, outcomes)
    usable = (score is not None and target in clock.datasets and is_valid(candidate)
              for score, candidate in zip(scores, candidates, strict=True))
    expected = answered(candidates, usable, lambda asked: clock.seconds(asked, target, timed).tolist())
    return [score if seconds is None else replace(score, seconds=seconds)
            for score, seconds in zip(scores, expected, strict=True)]


def _worth(score: Score | None, by_gain: bool) -> float:
    if score is None:
        return 0.0
    if not by_gain:
        return score.value
    return -math.inf if score.seconds is None else gain_per_second(score)
