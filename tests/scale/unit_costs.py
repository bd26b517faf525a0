"""What each step of asking and training costs, by unit, on this machine: milliseconds of processor time of this process
and its children, and of wall time. Prints one JSON line a step.

    PYTHONPATH=tests python tests/scale/unit_costs.py

WITH_RAY=1 measures Ray too.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from executor_world import plugins

from nngpt_perfclf import Candidate, Gate, Recipe
from nngpt_perfclf.advice import load_scorer
from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.local_training import trainer
from nngpt_perfclf.loop.executor import executor_of
from nngpt_perfclf.loop.training import Finished, Training
from nngpt_perfclf.profiling.cache import ProfileCache
from nngpt_perfclf.profiling.contract import fault_of
from nngpt_perfclf.profiling.profiler import answers_to
from nngpt_perfclf.profiling.types import shapes_of
from nngpt_perfclf.sandbox.process import Limits
from nngpt_perfclf.types import Score

CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text()


def candidates(count: int, turn: int = 0) -> list[Candidate]:
    """Of 40 codes, all with recipes that were not scored before."""
    return [Candidate(f"net-{place}", f"{CODE}\n# {place % 40}",
                      Recipe(lr=0.01 + 1e-6 * (turn * count + place), batch=64)) for place in range(count)]


def cost(step: str, work: Callable[[int], object], units: int, repeats: int = 1) -> None:
    work(0)
    wall, used = time.perf_counter(), sum(os.times()[:4])
    for turn in range(1, repeats + 1):
        work(turn)
    each = 1000 / (units * repeats)
    print(json.dumps({"step": step, "processor_ms": round((sum(os.times()[:4]) - used) * each, 3),
                      "wall_ms": round((time.perf_counter() - wall) * each, 3)}), flush=True)


class Known:
    """Scores without a model, so that a gate's own work is measured."""

    def score(self, asked: list[Candidate], target: str) -> list[Score]:
        return [Score(one.recipe.lr, 0.5, 0.4, 0.6, True, "") for one in asked]


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        cost("read the text of one code (its faults)", lambda turn: [fault_of(CODE + f"\n# {turn} {n}")
                                                                     for n in range(100)], 100, 3)
        cost("build one network in the sandbox, 20 in a batch", partial(built, folder), 20, 1)
        scorer = load_scorer("pointwise", load_config())
        for count in (1, 20, 320):
            cost(f"score one candidate whose network is in the cache, {count} in a call",
                 lambda turn, count=count: scorer.score(candidates(count, turn), "svhn"), count, max(2, 40 // count))
        gate = Gate("svhn", adviser=Known(), file=folder / "gate.sqlite")
        cost("one decision of a gate with a file", lambda turn: [gate.should_train(one)
                                                                 for one in candidates(100, turn)], 100, 2)
        cost("one outcome reported to a gate", lambda turn: [gate.report(one, 0.5)
                                                             for one in candidates(100, turn)], 100, 1)
        kinds = ["processes"]
        if os.environ.get("WITH_RAY"):
            kinds.append("ray")
        for kind in kinds:
            config = load_config(None, ["loop=local", f"loop.executor={kind}", "loop.workers=2"])
            training = Training(partial(plugins, folder, {}), Finished(folder / f"finished-{kind}"))
            with closing(executor_of(config, training)) as executor:
                cost(f"hand out one training to {kind} and collect it", partial(handed_out, executor), 100, 2)
        cost("train the example network for one epoch on 1,024 images",
             lambda turn: trainer.train_in_sandbox(candidates(1)[0], "digits", Limits(600, 4), turn), 1, 1)


def built(folder: Path, turn: int) -> None:
    shapes = shapes_of(Recipe(), "svhn", dataset_properties())
    asked = [(f"{CODE}\nclass Other{place}: pass\n", shapes) for place in range(20)]
    answers_to(asked, cache=ProfileCache(folder / f"profiles-{turn}.sqlite"))


def handed_out(executor, turn: int) -> None:
    asked = candidates(100, turn)
    for one in asked:
        executor.submit(one, "svhn")
    for _ in asked:
        executor.collect()


if __name__ == "__main__":
    main()
