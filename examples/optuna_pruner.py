"""Stop a trial early: an Optuna pruner that asks after each epoch whether the trial can still become the best one.

    pruner = AdvicePruner(EarlyStopping("svhn", epochs=5), candidate_of)
    study = optuna.create_study(direction="maximize", pruner=pruner)

The objective reports the accuracy in 0..1 after each epoch, counted from 1, and returns that of the last epoch. Asking
before a trial (`optuna_gate.py`) and stopping it early work together: `python examples/optuna_pruner.py` does both.
"""

from collections.abc import Callable
from dataclasses import replace

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from nngpt_perfclf import Candidate, EarlyStopping, Gate, PerfclfError


class AdvicePruner(optuna.pruners.BasePruner):
    """`candidate_of` makes a network and its recipe of a trial's parameters. Decides by what the study contains, so
    processes may share a study. Raises PerfclfError for a study that is minimised."""

    def __init__(self, stopping: EarlyStopping, candidate_of: Callable[[dict], Candidate]):
        self.stopping, self.candidate_of = stopping, candidate_of

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        if study.direction != StudyDirection.MAXIMIZE:
            raise PerfclfError("the pruner reads accuracies: create the study with direction='maximize'")
        others = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING))
        rivals = [self._seen(other) for other in others if other.number != trial.number]
        return not self.stopping.decide(self._seen(trial), rivals).train

    def _seen(self, trial: FrozenTrial) -> Candidate:
        final = {self.stopping.epochs: trial.value} if trial.state == TrialState.COMPLETE else {}
        return replace(self.candidate_of(trial.params), seen=trial.intermediate_values | final)


def main() -> None:
    from optuna_gate import optimize
    from stop_early import EPOCHS, TARGET, candidate_of, config, train

    def suggest(trial: Trial) -> Candidate:
        trial.suggest_categorical("channels", (8, 16, 32))
        trial.suggest_float("lr", 1e-4, 1.0, log=True)
        trial.suggest_float("momentum", 0.0, 0.95)
        return candidate_of(trial.params)

    def objective(candidate: Candidate, trial: Trial) -> float:
        for epoch, accuracy in enumerate(train(candidate), 1):
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    stopping, gate = EarlyStopping(TARGET, EPOCHS, config=config()), Gate(TARGET, config=config())
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0),
                                pruner=AdvicePruner(stopping, candidate_of))
    optimize(study, gate, suggest, objective, n_trained=8)
    for trial in study.trials:
        reached = max(trial.intermediate_values.values(), default=None)
        print(f"{trial.state.name:8} {len(trial.intermediate_values)} epochs, {reached}, {trial.user_attrs['gate']}")


if __name__ == "__main__":
    main()
