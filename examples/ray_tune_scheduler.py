"""Stop a trial early: a Ray Tune scheduler that asks after each result whether the trial can still become the best one.

    scheduler = AdviceScheduler(EarlyStopping("svhn", epochs=5), candidate_of)
    Tuner(train, tune_config=TuneConfig(scheduler=scheduler, metric="accuracy", mode="max", ...), ...)

The trainable reports the accuracy in 0..1 once an epoch. The searcher of `ray_tune_gate.py`, which asks before a trial,
works with it. `python examples/ray_tune_scheduler.py` shows the scheduler alone.
"""

from collections.abc import Callable
from dataclasses import replace

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from nngpt_perfclf import Candidate, EarlyStopping, PerfclfError


class AdviceScheduler(FIFOScheduler):
    """`candidate_of` makes a network and its recipe of a trial's configuration. Decides by what Tune knows of the
    trials, so a restored experiment goes on. Raises PerfclfError for a metric that is minimised."""

    def __init__(self, stopping: EarlyStopping, candidate_of: Callable[[dict], Candidate]):
        super().__init__()
        self.stopping, self.candidate_of = stopping, candidate_of

    def set_search_properties(self, metric, mode, **spec) -> bool:
        if mode != "max":
            raise PerfclfError("the scheduler reads accuracies: give TuneConfig metric='accuracy' and mode='max'")
        return super().set_search_properties(metric, mode, **spec)

    def on_trial_result(self, tune_controller, trial: Trial, result: dict) -> str:
        others = [self._seen(other, other.last_result) for other in tune_controller.get_trials()
                  if other is not trial and self._counts(other)]
        decision = self.stopping.decide(self._seen(trial, result), others)
        return self.CONTINUE if decision.train else self.STOP

    def _seen(self, trial: Trial, result: dict) -> Candidate:
        return replace(self.candidate_of(trial.config), seen={result["training_iteration"]: result[self.metric]})

    def _counts(self, trial: Trial) -> bool:
        """Whether the trial has a result, and was not stopped before its last epoch."""
        if self.metric not in trial.last_result:
            return False
        return not trial.is_finished() or trial.last_result["training_iteration"] >= self.stopping.epochs


def main() -> None:
    from ray import init, tune
    from stop_early import EPOCHS, TARGET, candidate_of, config, train

    def trainable(params: dict) -> None:
        for accuracy in train(candidate_of(params)):
            tune.report({"accuracy": accuracy})

    init(include_dashboard=False, log_to_driver=False)
    space = {"channels": tune.choice((8, 16, 32)), "lr": tune.loguniform(1e-4, 1.0), "momentum": tune.uniform(0, 0.95)}
    scheduler = AdviceScheduler(EarlyStopping(TARGET, EPOCHS, config=config()), candidate_of)
    found = tune.Tuner(trainable, param_space=space, run_config=tune.RunConfig(verbose=0), tune_config=tune.TuneConfig(
        scheduler=scheduler, metric="accuracy", mode="max", num_samples=8, max_concurrent_trials=2)).fit()
    for result in found:
        print(f"{result.metrics['training_iteration']} epochs, {result.metrics['accuracy']:.1%}, {result.config}")


if __name__ == "__main__":
    main()
