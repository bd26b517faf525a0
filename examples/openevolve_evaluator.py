"""An evaluator for OpenEvolve that asks before it trains.

With `cascade_evaluation: true` and `cascade_thresholds: [0.5]`, OpenEvolve runs `evaluate_stage2` only for programs
whose stage 1 gave a `combined_score` of at least 0.5: 1 where the gate lets the network through, 0 where it does not.
The environment names the dataset (PERFCLF_TARGET) and the gate's file (PERFCLF_GATE), which the workers share.
"""

import os
from functools import cache
from pathlib import Path

from nngpt_perfclf import Candidate, Gate


@cache
def gate() -> Gate:
    return Gate(os.environ["PERFCLF_TARGET"], keep=0.5, file=os.environ["PERFCLF_GATE"])


def candidate_of(program_path: str) -> Candidate:
    return Candidate(Path(program_path).name, Path(program_path).read_text(encoding="utf-8"))


def train(candidate: Candidate) -> float:
    """Your own training; returns the accuracy in 0..1."""
    raise NotImplementedError("train candidate.arch_code here")


def evaluate_stage1(program_path: str) -> dict[str, float]:
    decision = gate().should_train(candidate_of(program_path))
    return {"combined_score": float(decision.train), "gate_score": decision.score or 0.0}


def evaluate_stage2(program_path: str) -> dict[str, float]:
    candidate = candidate_of(program_path)
    accuracy = train(candidate)
    gate().report(candidate, accuracy)
    return {"combined_score": accuracy, "accuracy": accuracy}


def evaluate(program_path: str) -> dict[str, float]:
    """Without the cascade."""
    asked = evaluate_stage1(program_path)
    return evaluate_stage2(program_path) if asked["combined_score"] else asked
