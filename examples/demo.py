"""The main job from end to end, on the real data with a real language model: what `make demo` runs.

Every step is a command that you could type yourself. `--quick` takes a tiny share of everything (the tests do that).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """`minutes`: what it takes on two cores, for the estimate of what is left."""

    title: str
    minutes: float
    words: tuple[str, ...]


def steps(out: Path, quick: bool, overrides: list[str]) -> list[Step]:
    """The demo's commands in order, all writing below `out`."""
    train, evaluation, loop = out / "adviser", out / "evaluation", out / "loop"
    labels, held_out, checks = (48, 12, 8) if quick else (640, 400, 80)
    network = Path(__file__).with_name("network.py")
    return [
        Step("What LEMUR recorded", 0.3, ("corpus",)),
        Step("Dataset pairs, split so that no near-duplicate stands on both sides", 0.5,
             ("pairs", "epoch=1", "--out", str(out / "pairs.parquet"))),
        Step(f"Fine-tune the language model on {labels} labels", 11,
             ("train", f"out={train}", f"train.labels_count={labels}", f"train.eval_samples={checks}",
              "train.checkpoint_steps=15", "train.batch=2", *overrides)),
        Step("Ask about a network that is in no table", 0.3,
             ("advise", str(network), "cifar-10", "svhn", f"adviser={train}")),
        Step(f"Measure it on {held_out} held-out pairs, beside the prior", 5,
             ("evaluate", str(train), f"out={evaluation}", f"evaluate.pairs={held_out}")),
        Step("An AutoML loop of 20 candidates that asks before it trains, and one that does not", 3,
             ("loop", "loop=single", f"out={loop}", f"loop.candidates={6 if quick else 20}",
              "loop.targets=[svhn]", "loop.keep=[0.5]", f"loop.advisers=[{train}]",
              "loop.policies=[nop,ask,random,oracle]")),
        Step("One page about it all", 0.3,
             ("report", str(evaluation), str(train), str(loop), f"out={out / 'report.html'}")),
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs") / time.strftime("demo-%Y%m%d-%H%M%S"))
    parser.add_argument("--quick", action="store_true", help="a tiny share of everything")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for the training")
    told = parser.parse_args(argv)
    told.out.mkdir(parents=True, exist_ok=True)
    plan = steps(told.out, told.quick, told.overrides)
    began = time.monotonic()
    for number, step in enumerate(plan, 1):
        left = sum(other.minutes for other in plan[number - 1:])
        print(f"\n── {number}/{len(plan)}  {step.title}  (about {left:.0f} min left)", flush=True)
        print(f"$ nngpt-perfclf {shlex.join(step.words)}\n", flush=True)
        done = subprocess.run([sys.executable, "-m", "nngpt_perfclf", *step.words], check=False)
        if done.returncode:
            print(f"demo: step {number} failed; what was done before it stands in {told.out}", file=sys.stderr)
            return done.returncode
    print(f"\n── Done in {(time.monotonic() - began) / 60:.1f} min\n{verdict(told.out)}")
    return 0


def verdict(out: Path) -> str:
    """In one sentence whether this short run beat the prior, whatever the answer is."""
    found = json.loads((out / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    points = 100 * (found["accuracy"] - found["prior"])
    said = "above" if points > 0 else "below" if points < 0 else "level with"
    return (f"On {found['n']} held-out pairs the adviser is right in {found['accuracy']:.1%} "
            f"(95 %: {found['accuracy_low']:.1%} to {found['accuracy_high']:.1%}), {abs(points):.1f} points {said} "
            f"the pair prior's {found['prior']:.1%}.\nRun folders and the report: {out}/report.html")


if __name__ == "__main__":
    sys.exit(main())
