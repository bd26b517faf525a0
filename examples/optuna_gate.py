"""Ask before a trial trains: Optuna proposes, the gate decides, and only what it lets through is trained.

A refused trial is told as FAIL. Optuna's TPE learns from COMPLETE and PRUNED trials and takes a PRUNED one without
intermediate values for a bad result: with many refusals it would learn the gate's opinion of, say, large networks
instead of what was measured. FAIL trials are kept in the study's history and ignored by the sampler.
"""

from collections.abc import Callable

import optuna
from optuna.trial import Trial, TrialState

from nngpt_perfclf import Candidate, Gate


def optimize(study: optuna.Study, gate: Gate, candidate_of: Callable[[Trial], Candidate],
             train: Callable[[Candidate, Trial], float], n_trained: int, n_asked: int = 1000) -> int:
    """Run the study until `n_trained` candidates were trained or `n_asked` were proposed; returns how many were asked
    about. `candidate_of` suggests a network and its recipe, `train` gives its accuracy in 0..1 or raises TrialPruned
    where the study's pruner stops it."""
    asked = trained = 0
    while trained < n_trained and asked < n_asked:
        trial = study.ask()
        candidate = candidate_of(trial)
        decision = gate.should_train(candidate)
        asked += 1
        trial.set_user_attr("gate", decision.reason)
        if not decision.train:
            study.tell(trial, state=TrialState.FAIL)
            continue
        trained += 1
        try:
            accuracy = train(candidate, trial)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, accuracy)
            gate.report(candidate, accuracy)
    return asked
