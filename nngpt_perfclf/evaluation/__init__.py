"""Accuracy of advisers: metrics with intervals and baselines, cross-validation, the paper's protocol, the report."""

from pathlib import Path

from nngpt_perfclf.config import Config
from nngpt_perfclf.types import PerfclfError


def evaluate(config: Config, run: str | None = None, outcomes: str | None = None, against: str | None = None) -> dict:
    """Evaluate an adviser on held-out pairs (`evaluation.run`), with the majority baseline on the same pairs.

    ``evaluate.part=folds`` cross-validates the baselines instead (`evaluation.cross_validation`), and
    ``evaluate.answer=generated`` follows the paper's protocol (`evaluation.paper_protocol`). `outcomes`: a file of
    trained candidates, on which the adviser is compared with `config.scorer` instead (`evaluation.outcome_check`).
    `against`: the folder of another evaluation of the same pairs, from which the probabilities' differences are
    reported (`evaluation.run.shift`).
    """
    if against is not None and (outcomes or config.evaluate.part == "folds" or config.evaluate.answer == "generated"):
        raise PerfclfError("--against compares evaluations of one adviser's scored answers")
    if outcomes is not None:
        from nngpt_perfclf.evaluation.outcome_check import check_outcomes

        return check_outcomes(config, run, outcomes)
    if config.evaluate.part == "folds":
        from nngpt_perfclf.evaluation.cross_validation import cross_validate

        if run is not None:
            raise PerfclfError(f"evaluate.part=folds trains its own predictors: leave {run} out")
        return cross_validate(config)
    if config.evaluate.answer == "generated":
        from nngpt_perfclf.evaluation.paper_protocol import evaluate_generated

        return evaluate_generated(config, run)
    from nngpt_perfclf.evaluation.run import evaluate_scored, shift

    result = evaluate_scored(config, run)
    return result if against is None else {**result, "shift": shift(Path(result["out"]), Path(against))}
