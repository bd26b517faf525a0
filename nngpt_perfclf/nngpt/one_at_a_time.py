"""A gate for NNGPT's pipelines that train one candidate at a time, in front of `check_nn` of `ab.nn.api`."""

import functools
import math
from collections.abc import Callable, Mapping

from nngpt_perfclf.gate.decision import Decision
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.nngpt.folders import Evaluation, recipe_of
from nngpt_perfclf.types import Candidate, PerfclfError


class NotTrainedError(PerfclfError):
    """Raised instead of a training. `decision`: the gate's; `reward`: the score as a number in 0..1, its logistic
    function, 0 for a broken candidate. It orders candidates as a cheap first stage of a reward."""

    def __init__(self, decision: Decision):
        super().__init__(f"not trained: {decision.reason}")
        self.decision = decision
        self.reward = 0.0 if decision.score is None else 1 / (1 + math.exp(-max(decision.score, -700.0)))


def gated(check_nn: Callable, gate: Gate) -> Callable:
    """`check_nn` of `ab.nn.api` with the gate before the training, which also learns each accuracy.

    A candidate that is not let through raises NotTrainedError, which NNGPT's pipelines treat as a failed training.
    Calls for another dataset than the gate's are not decided on.
    """
    @functools.wraps(check_nn)
    def check(nn_code: str, task: str, dataset: str, metric: str, prm: Mapping, *args, **kwargs):
        if dataset != gate.target:
            return check_nn(nn_code, task, dataset, metric, prm, *args, **kwargs)
        candidate = Candidate("candidate", nn_code, recipe_of(prm, Evaluation()))
        decision = gate.should_train(candidate)
        if not decision.train:
            raise NotTrainedError(decision)
        try:
            result = check_nn(nn_code, task, dataset, metric, prm, *args, **kwargs)
        except Exception:
            gate.report(candidate, None)
            raise
        gate.report(candidate, float(result[1]), int(prm.get("epoch", 1)))
        return result

    return check
