"""Figures of NNGPT's iterative pipeline with pruned candidates left out of their denominators.

Its cycles number candidates from 0 to the highest number that they find, and count a missing one as a failure. The
other pipelines count the folders that are there.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from pathlib import Path

from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.nngpt.folders import SYNTH, pruned_name

log = logging.getLogger("nngpt_perfclf")


def corrected(finetuner: type, module: Mapping[str, object]) -> type:
    """NNGPT's class `IterativeFinetuner`, whose `run_cycle` leaves pruned candidates out of the success rate, in its
    result and in the two files that it writes; `generation.pruned` says how many they are. `total_generated` stays as
    it is, because later cycles number their candidates by it."""
    run_cycle = finetuner.run_cycle

    @functools.wraps(run_cycle)
    def run(self, cycle: int) -> dict:
        result = run_cycle(self, cycle)
        try:
            return _without_pruned(result, Path(self.output_dir) / f"cycle_{cycle}")
        except Exception:  # figures must not stop a run of days
            log.exception("nngpt_perfclf: the success rate of cycle %s counts pruned candidates as failures", cycle)
            return result

    finetuner.run_cycle = run
    return finetuner


def _without_pruned(result: dict, folder: Path) -> dict:
    pruned = _pruned(folder)
    if not pruned or not result.get("success"):
        return result
    generation, evaluation = dict(result["generation"]), dict(result["evaluation"])
    tried = generation["total_generated"] - pruned
    generation["pruned"] = pruned
    evaluation["success_rate"] = generation["successful"] / max(1, tried)
    result = {**result, "generation": generation, "evaluation": evaluation}
    write_json(folder / "cycle_results.json", result)
    figures = folder / "evaluation_results.json"
    if figures.is_file():
        written = read_json(figures)
        write_json(figures, {**written, "total_evaluated": tried, "failed": tried - written["successful"],
                             "pruned": pruned})
    return result


def _pruned(folder: Path) -> int:
    """How many candidates of the cycle in `folder` were pruned, of those that its numbering counts."""
    epoch = folder / "generation" / "A0"
    highest = max(_numbers(epoch / SYNTH), default=-1)
    return sum(number < highest for number in _numbers(epoch / pruned_name(SYNTH)))


def _numbers(side: Path) -> list[int]:
    return [int(path.name[1:]) for path in side.glob("B*") if path.name[1:].isdigit()] if side.is_dir() else []
