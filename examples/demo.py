"""The main job from end to end, on the real data with a real language model: what `make demo` runs.

Every step is a command that you could type yourself. How many tokens a second this machine reads and trains on is
measured first, and each step is made as large as the time allows. `--quick` takes the smallest sizes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from nngpt_perfclf.budget import BUILDING, CODE, SIDE, Rates, Work, calibrating, in_words

MINUTES = 14.0  # of the 15 that it may take: a measured rate is not exact
LABELS_A_STEP = 16  # at most: two codes with eight questions each
LABELS_A_CODE = 5  # that are trained on together: up to 8, and many codes have fewer
# Seconds on two cores that do not depend on the model's speed.
READING, PAIRS, LEARNING, ADVISING, MEASURING, LOOPING, REPORTING = 25.0, 20.0, 60.0, 10.0, 50.0, 40.0, 10.0


@dataclass(frozen=True)
class Sizes:
    """How much of everything: `labels` to learn from, `checks` (questions asked during training), `calibration` pairs,
    `held_out` pairs that the adviser is measured on, `candidates` of the loop."""

    labels: int
    checks: int
    calibration: int
    held_out: int
    candidates: int

    @staticmethod
    def at(share: float) -> Sizes:
        """From the least that shows something (0) to what the package's own adviser had (1)."""
        return Sizes(between(64, 9600, share, LABELS_A_STEP), between(16, 240, share), between(40, 600, share),
                     between(48, 2000, share), between(6, 20, min(1.0, 5 * share)))

    def works(self) -> tuple[Work, ...]:
        """The work of each step."""
        return (Work(READING), Work(PAIRS),
                Work(LEARNING) + training(self.labels) + asking(self.checks, 2) + calibrating(self.calibration),
                Work(ADVISING) + asking(1), Work(MEASURING) + asking(self.held_out),
                Work(LOOPING) + asking(self.candidates), Work(REPORTING))

    def seconds(self, rates: Rates, first: int = 0) -> float:
        """What the steps from number `first` on take at these rates."""
        return sum(work.lasts(rates) for work in self.works()[first:])


def training(labels: int) -> Work:
    """Training on `labels` labels of the default prompts."""
    return Work(labels / LABELS_A_CODE * BUILDING, train=labels * (CODE / LABELS_A_CODE + 2 * SIDE))


def asking(networks: int, times: int = 1) -> Work:
    """Asking about so many networks, `times` times: both orders of a pair, which have the same two sides, or the two
    labels of a score."""
    return Work(networks * BUILDING, read=times * networks * (CODE + 2 * SIDE))


def between(least: int, most: int, share: float, multiple: int = 1) -> int:
    """The size at a `share` in 0..1 of the way from `least` to `most`, a multiple of `multiple`, rounded down."""
    return least + int((most - least) * share) // multiple * multiple


def largest(fits: Callable[[float], bool], steps: int = 40) -> float:
    """The largest share in 0..1 that `fits`, by bisection; 0 where none does. `fits` never holds for more and not for
    less."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def choose(rates: Rates, seconds: float, first: int = 0) -> Sizes:
    """The largest sizes whose steps from number `first` on take no longer than `seconds`; the least where none do."""
    return Sizes.at(largest(lambda share: Sizes.at(share).seconds(rates, first) <= seconds))


def steps(out: Path, sizes: Sizes, overrides: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The title and command of each step in order, all writing below `out`."""
    train, evaluation, loop = out / "adviser", out / "evaluation", out / "loop"
    network = Path(__file__).with_name("network.py")
    once = ceil(sizes.labels / LABELS_A_STEP)  # codes with few labels make steps smaller: two checks
    return [
        ("What LEMUR recorded", ("corpus",)),
        ("Dataset pairs, split so that no near-duplicate is on both sides",
         ("pairs", "epoch=1", "--out", str(out / "pairs.parquet"))),
        (f"Fine-tune the language model on {sizes.labels:,} labels",
         ("train", f"out={train}", f"train.labels_count={sizes.labels}", "train.labels=[normalized]", "train.batch=2",
          f"train.eval_samples={sizes.checks}", f"train.checkpoint_steps={once}",
          f"train.calibration_pairs={sizes.calibration}", *overrides)),
        ("Ask about a network that is in no table",
         ("advise", str(network), "cifar-10", "svhn", f"adviser={train}", "advice.profile=always")),
        (f"Measure it on {sizes.held_out:,} held-out pairs, beside the majority baseline",
         ("evaluate", str(train), f"out={evaluation}", f"evaluate.pairs={sizes.held_out}",
          "advice.profile=always")),
        (f"An AutoML loop of {sizes.candidates} candidates that asks before it trains, and one that does not",
         ("loop", "loop=single", f"out={loop}", f"loop.candidates={sizes.candidates}", "loop.targets=[svhn]",
          "loop.keep=[0.5]", f"loop.advisers=[{train}]", "loop.policies=[nop,ask,random,oracle]")),
        ("One page about it all", ("report", str(evaluation), str(train), str(loop), f"out={out / 'report.html'}")),
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs") / time.strftime("demo-%Y%m%d-%H%M%S"))
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long it may take (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for the training")
    told = parser.parse_args(argv)
    told.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    print("Measuring how many tokens a second this machine reads and trains on", flush=True)
    rates = measured(told.overrides)
    clock = Clock(rates, began, 0.0 if told.quick else 60 * told.minutes)
    sizes = clock.choose(0)
    print(f"It reads {rates.read:,.0f} and trains on {rates.train:,.0f}. So {said(sizes)}: "
          f"{in_words(clock.left(sizes, 0))} in all.", flush=True)
    for number in range(len(sizes.works())):
        sizes = clock.choose(number)
        title, words = steps(told.out, sizes, told.overrides)[number]
        print(f"\n── {number + 1}/{len(sizes.works())}  {title}  ({clock.gone() / 60:.1f} min gone, "
              f"{in_words(clock.left(sizes, number))} left)", flush=True)
        print(f"$ nngpt-perfclf {shlex.join(words)}\n", flush=True)
        done = subprocess.run([sys.executable, "-m", "nngpt_perfclf", *words], check=False)
        if done.returncode:
            print(f"demo: step {number + 1} failed; the results of the steps before it are in {told.out}",
                  file=sys.stderr)
            return done.returncode
        clock.did(sizes, number)
    print(f"\n── Done in {clock.gone() / 60:.1f} min\n{verdict(told.out)}")
    return 0


@dataclass
class Clock:
    """What is left of `limit` seconds since `began`, and what can be done in it. The steps that are done tell by what
    factor those to come will take longer than the measured `rates` say."""

    rates: Rates
    began: float
    limit: float
    estimated: float = 0.0
    taken: float = 0.0

    def __post_init__(self):
        self.step_began = time.monotonic()

    def gone(self) -> float:
        return time.monotonic() - self.began

    def choose(self, first: int) -> Sizes:
        """The sizes of the steps from number `first` on that fit into the time left."""
        return choose(self.rates, (self.limit - self.gone()) / self._pace(), first)

    def left(self, sizes: Sizes, first: int) -> float:
        """Seconds that the steps from number `first` on take."""
        return sizes.seconds(self.rates, first) * self._pace()

    def did(self, sizes: Sizes, step: int) -> None:
        """A step has come to its end."""
        now = time.monotonic()
        self.estimated += sizes.works()[step].lasts(self.rates)
        self.taken += now - self.step_began
        self.step_began = now

    def _pace(self) -> float:
        return pace(self.estimated, self.taken)


def pace(estimated: float, taken: float, certain: float = 60.0) -> float:
    """By what factor the work that is left will take longer than estimated, from what was estimated and taken so far.

    The first `certain` seconds count as if they had been estimated right, so that a short beginning decides little.
    """
    return (taken + certain) / (estimated + certain)


def measured(overrides: list[str]) -> Rates:
    """Both rates, measured in a process of its own, whose memory is free again afterwards."""
    command = [sys.executable, "-m", "nngpt_perfclf.models.throughput", *overrides]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("demo: this machine could not be measured")
    return Rates(**json.loads(done.stdout))


def said(sizes: Sizes) -> str:
    """The sizes in words."""
    return (f"{sizes.labels:,} labels to learn from, {sizes.checks} questions to watch the training by, "
            f"{sizes.calibration} pairs for calibration, {sizes.held_out:,} held-out pairs, a loop of "
            f"{sizes.candidates} candidates")


def verdict(out: Path) -> str:
    """In one sentence whether this short run beat the majority baseline, whatever the answer is."""
    found = json.loads((out / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    points = 100 * (found["accuracy"] - found["prior"])
    said = "above" if points > 0 else "below" if points < 0 else "level with"
    return (f"On {found['n']} held-out pairs the adviser is right in {found['accuracy']:.1%} "
            f"(95 %: {found['accuracy_low']:.1%} to {found['accuracy_high']:.1%}), {abs(points):.1f} points {said} "
            f"the majority baseline's {found['prior']:.1%}.\nRun folders and the report: {out}/report.html")


if __name__ == "__main__":
    sys.exit(main())
