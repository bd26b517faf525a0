"""Ask before a trial trains: a Ray Tune searcher that proposes only what the gate lets through.

    gate = Gate("svhn", file="gate.sqlite")  # Ray copies the searcher: the gate needs a file
    searcher = GatedSearcher(OptunaSearch(), gate, candidate_of)
    Tuner(train, tune_config=TuneConfig(search_alg=searcher, metric="accuracy", mode="max", ...), ...)

A refused proposal never becomes a trial, so it takes no worker. The inner searcher is told that it failed, not that it
was bad: `OptunaSearch` keeps failed trials out of its model, but would take a trial without a result for a pruned one.
Any scheduler, such as one that stops trials early, works with it.
"""

from collections.abc import Callable

from ray.tune.search import Searcher

from nngpt_perfclf import Candidate, Gate


class GatedSearcher(Searcher):
    """`candidate_of` makes a network and its recipe of a trial's configuration. After `patience` refusals in a row the
    next proposal is taken, so that a gate cannot stop the search."""

    def __init__(self, searcher: Searcher, gate: Gate, candidate_of: Callable[[dict], Candidate], patience: int = 50):
        super().__init__(metric=searcher.metric, mode=searcher.mode)
        self.searcher, self.gate, self.candidate_of, self.patience = searcher, gate, candidate_of, patience
        self.refused = 0
        self._running: dict[str, tuple[str, Candidate]] = {}  # trial -> the inner searcher's name for it, candidate

    def set_search_properties(self, metric, mode, config, **spec) -> bool:
        self._metric = metric
        return self.searcher.set_search_properties(metric, mode, config, **spec)

    def suggest(self, trial_id: str) -> dict | str | None:
        for attempt in range(self.patience + 1):
            name = f"{trial_id}-{attempt}"
            config = self.searcher.suggest(name)
            if config is None or config == Searcher.FINISHED:
                return config
            candidate = self.candidate_of(config)
            if attempt == self.patience or self.gate.should_train(candidate).train:
                self._running[trial_id] = name, candidate
                return config
            self.refused += 1
            self.searcher.on_trial_complete(name, error=True)
        return None

    def on_trial_result(self, trial_id: str, result: dict) -> None:
        self.searcher.on_trial_result(self._running[trial_id][0], result)

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        name, candidate = self._running.pop(trial_id)
        self.searcher.on_trial_complete(name, result, error)
        self.gate.report(candidate, None if error or not result else result[self._metric],
                         int((result or {}).get("training_iteration", 1)))

    def get_state(self) -> dict:
        return {"metric": self._metric, "refused": self.refused, "running": self._running}

    def set_state(self, state: dict) -> None:
        self._metric, self.refused, self._running = state["metric"], state["refused"], state["running"]

    def save(self, checkpoint_path: str) -> None:
        self.searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        self.searcher.restore(checkpoint_path)
