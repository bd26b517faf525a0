"""One candidate at a time: is it worth training?"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.faults import BuildFaults
from nngpt_perfclf.advice.registry import identity_of
from nngpt_perfclf.advice.scorers import INSTALLED, scorer_of, scores_of, with_outcomes
from nngpt_perfclf.advice.upside import hoped
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.gate import record
from nngpt_perfclf.gate.decision import Decision, GateState, key_of, uniform
from nngpt_perfclf.gate.quality import quality_of
from nngpt_perfclf.gate.record import Made, Record
from nngpt_perfclf.gate.threshold import WINDOW, Recent, Settings, by_chance, level
from nngpt_perfclf.types import Candidate, Observation, PerfclfError, Score

_log = logging.getLogger(__name__)


class Gate:
    """Decides on the candidates of a stream, in the order in which they come, which are worth training on `target`.

    keep: share of the candidates with a decided score that is let through. Always let through are the first few, a
    small random share, and whatever the adviser is not sure of; broken candidates never are.
    outcomes: what was trained on `target` before; it corrects the scores as in `rank`. Outcomes that are reported later
    do not, since the scores of one stream must be comparable: give `gate.observations` to a new gate.
    adviser: as in `rank`; None: whatever the installed plugins answer. file: where decisions and outcomes are kept, so
    that threads and processes share one gate and a stopped one goes on; None: in memory. seed: of the random share.
    scorer: that adviser, where it is loaded already.

    The same code with the same recipe gets the same decision again. Raises PerfclfError for an unknown adviser, a
    share outside (0, 1], and a file that is no gate's.
    """

    def __init__(self, target: str, keep: float = 0.5, outcomes: Iterable[Observation] = (),
                 adviser: str | Path | object | None = None, file: str | Path | None = None, seed: int = 0,
                 config: Config | None = None, scorer: Scorer | None = None):
        self.target, self.seed = target, seed
        self.settings = Settings(keep)
        seen = list(outcomes)
        self.scorer = with_outcomes(scorer_of(adviser, config) if scorer is None else scorer, target, seen, config)
        self.adviser = identity(adviser, config, seen)
        self.faults = BuildFaults(config)
        self.record = Record(None if file is None else Path(file))
        for outcome in seen:
            self.report(outcome.candidate, outcome.accuracy, outcome.epoch)

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.record.close()

    def should_train(self, candidate: Candidate) -> Decision:
        """Whether this candidate is worth training. Raises PerfclfError for an unknown target or a lost file; anything
        else that goes wrong in an adviser lets the candidate through."""
        return self.decide([candidate])[0]

    def decide(self, candidates: Sequence[Candidate]) -> list[Decision]:
        """One decision a candidate, as if they came one after the other; the adviser is asked about all at once."""
        decisions = self.record.known(self.target, candidates)
        new = list({key: candidate for candidate in candidates if (key := key_of(candidate)) not in decisions}.values())
        if new:
            faults = self.faults(new, self.target)
            sound = [candidate for candidate, fault in zip(new, faults, strict=True) if fault is None]
            scores, unscored = scores_of(self.scorer, sound, self.target)
            given = iter(scores)
            judged = [(candidate, fault, None if fault else next(given))
                      for candidate, fault in zip(new, faults, strict=True)]
            decisions |= self._decided(judged, unscored)
        return [decisions[key_of(candidate)] for candidate in candidates]

    def report(self, candidate: Candidate, accuracy: float | None, epoch: int = 1) -> None:
        """What training the candidate gave: an `accuracy` in 0..1 after `epoch` epochs, or None where it failed. The
        last report counts. Raises PerfclfError for other numbers."""
        seen = None if accuracy is None else Observation(candidate, _checked(accuracy), _checked_epoch(epoch))
        with self.record.transaction():
            before = self.record.quality(self.target).warning
            self.record.add_outcome(self.target, seen, candidate)
            quality = quality_of(*self.record.scored_outcomes(self.target, self.adviser))
            self.record.note_quality(self.target, quality)
        if quality.warning and not before:
            _log.warning("gate for %s: %s", self.target, quality.warning)

    @property
    def observations(self) -> list[Observation]:
        """The accuracies that were reported, in the order in which they came."""
        return self.record.observations(self.target)

    @property
    def state(self) -> GateState:
        """How this gate has decided so far."""
        counts, quality = self.record.counts(self.target), self.record.quality(self.target)
        through, decided = (sum(count for (kind, train), count in counts.items()
                                if kind in record.WITH_SCORE and train in wanted)
                            for wanted in ((True,), (True, False)))
        return GateState(self.target, decided, through, counts.get((record.UNDECIDED, True), 0),
                         counts.get((record.BROKEN, False), 0), through / decided if decided else None,
                         self.record.count_scored_outcomes(self.target, self.adviser), quality.hit_rate,
                         quality.correlation, quality.warning)

    def _decided(self, judged: Sequence[tuple[Candidate, str | None, Score | None]],
                 unscored: str) -> dict[str, Decision]:
        """Decide in one transaction; somebody else may have decided on some of them meanwhile."""
        with self.record.transaction():
            earlier = self.record.known(self.target, [candidate for candidate, _, _ in judged])
            stream = _Stream(*self.record.recent(self.target, self.adviser), self.record.balance(self.target))
            warning, made = self.record.quality(self.target).warning, []
            for candidate, fault, score in judged:
                if key_of(candidate) not in earlier:
                    entry = self._made(candidate, fault, score, unscored, stream)
                    made.append(_warned(entry, warning) if entry.kind in record.WITH_SCORE else entry)
                    stream = stream.after(entry, self.settings)
            self.record.add_decisions(self.target, self.adviser, made, stream.balance)
        return earlier | {key_of(entry.candidate): entry.decision for entry in made}

    def _made(self, candidate: Candidate, fault: str | None, score: Score | None, unscored: str,
              stream: _Stream) -> Made:
        """The decision on the next candidate of the stream."""
        settings, tie = self.settings, uniform(self.seed, self.target, key_of(candidate))
        if fault is not None:
            return Made(candidate, Decision(False, None, None, f"broken: {fault}"), record.BROKEN, tie)
        if score is None or not score.decided:
            reason = f"undecided: {score.reason if score else unscored}"
            value = None if score is None else hoped(score)
            return Made(candidate, Decision(True, value, None, reason), record.UNDECIDED, tie)
        value = hoped(score)
        if len(stream.scores) < settings.first:
            reason = f"one of the first {settings.first}, which are always trained"
            return Made(candidate, Decision(True, value, None, reason), record.FIRST, tie)
        good, threshold = stream.judged(value, tie, settings)
        if by_chance(np.array([tie]), settings)[0]:
            reason = f"one of the {settings.explore:.0%} that are trained whatever their score"
            return Made(candidate, Decision(True, value, threshold, reason), record.EXPLORED, tie)
        reason = (f"score {value:.3f} {'reaches' if good else 'is below'} the threshold {threshold:.3f} of the best "
                  f"{settings.keep:.0%} so far")
        return Made(candidate, Decision(good, value, threshold, reason), record.SCORED, tie)


@dataclass(frozen=True)
class _Stream:
    """What was decided before: scores and ties (t,), oldest first; how many in a row were `refused`; the `balance`."""

    scores: np.ndarray
    ties: np.ndarray
    refused: int
    balance: float

    def judged(self, value: float, tie: float, settings: Settings) -> tuple[bool, float]:
        """Whether the next candidate passes for its score, and the threshold."""
        at = float(level(settings, np.array([self.balance]), np.array([self.refused]))[0])
        recent = Recent.of(self.scores[None], self.ties[None], settings)
        return bool(recent.chance_of_better(np.array([value]), np.array([tie]))[0] < at), recent.threshold(at)

    def after(self, made: Made, settings: Settings) -> _Stream:
        if made.kind not in record.WITH_SCORE:
            return self
        balance = self.balance + (settings.keep - made.decision.train if made.kind == record.SCORED else 0.0)
        return _Stream(np.append(self.scores, made.decision.score)[-WINDOW:], np.append(self.ties, made.tie)[-WINDOW:],
                       0 if made.decision.train else self.refused + 1, balance)


def _warned(made: Made, warning: str) -> Made:
    if not warning:
        return made
    reason = f"{made.decision.reason}; warning: {warning}"
    return replace(made, decision=replace(made.decision, reason=reason))


def _checked(accuracy: float) -> float:
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float | np.floating) or not 0 <= accuracy <= 1:
        percent = " (a percentage?)" if isinstance(accuracy, int | float) and 1 < accuracy <= 100 else ""
        raise PerfclfError(f"an accuracy must be a number in 0..1, not {accuracy!r}{percent}")
    return float(accuracy)


def _checked_epoch(epoch: int) -> int:
    if type(epoch) is not int or epoch < 1:
        raise PerfclfError(f"an epoch must be a whole number from 1, not {epoch!r}")
    return epoch


def identity(adviser: str | Path | object | None, config: Config | None, outcomes: Sequence[Observation] = ()) -> str:
    """Whose scores may be compared with each other: the adviser's after the same outcomes."""
    name = _name(adviser, config)
    if not outcomes:
        return name
    listing = repr([(key_of(outcome.candidate), outcome.accuracy, outcome.epoch) for outcome in outcomes])
    return f"{name} after {len(outcomes)} outcomes ({hashlib.sha256(listing.encode()).hexdigest()[:12]})"


def _name(adviser: str | Path | object | None, config: Config | None) -> str:
    if adviser is None and config is None:
        return INSTALLED
    name = adviser if adviser is not None else config.scorer
    return identity_of(name, config or load_config()) if isinstance(name, str | Path) else type(name).__qualname__
