"""The bridges to other engines, against the real packages where they are installed."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from curve_world import made_adviser
from made_scorers import SOUND, ByRate

from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.loop.early_stopping import EarlyStopping
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def curve(final):
    """Accuracies after five epochs."""
    return [final * (1 - 0.2 * 0.5**epoch) for epoch in range(5)]


def named(params):
    return Candidate(f"final {params['final']}", SOUND)


def stopping():
    return EarlyStopping("svhn", 5, adviser=made_adviser())


def test_optuna_trains_what_the_gate_lets_through_and_its_sampler_never_sees_a_refusal():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))

    def candidate_of(trial):
        rate = trial.suggest_float("lr", 0.0, 1.0)
        return Candidate(f"trial-{trial.number}", SOUND, Recipe(lr=rate))

    asked = example("optuna_gate").optimize(study, Gate("svhn", adviser=ByRate()), candidate_of,
                                            lambda candidate, trial: 1 - (candidate.recipe.lr - 0.8) ** 2,
                                            n_trained=25)
    states = [trial.state.name for trial in study.trials]
    assert states.count("COMPLETE") == 25
    assert states.count("FAIL") == asked - 25 > 5
    assert all("gate" in trial.user_attrs for trial in study.trials)
    assert study.best_params["lr"] == pytest.approx(0.8, abs=0.1)


def test_refusals_do_not_move_what_optuna_proposes_next():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def proposal(state):
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
        space = {"lr": optuna.distributions.FloatDistribution(0, 1)}
        rates = np.random.default_rng(0).random(20)
        study.add_trials([optuna.trial.create_trial(params={"lr": float(rate)}, distributions=space, value=float(rate))
                          for rate in rates])
        if state is not None:
            study.add_trials([optuna.trial.create_trial(params={"lr": 0.9}, distributions=space, state=state)] * 20)
        return study.ask(space).params["lr"]

    states = optuna.trial.TrialState
    assert proposal(states.FAIL) == proposal(None)
    assert proposal(states.PRUNED) != proposal(None)


def test_optunas_trials_are_pruned_once_they_can_hardly_become_the_best():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        for epoch, accuracy in enumerate(curve(trial.suggest_float("final", 0, 1)), 1):
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    study = optuna.create_study(direction="maximize", pruner=example("optuna_pruner").AdvicePruner(stopping(), named))
    for final in (0.6, 0.2, 0.8, 0.5, 0.9):
        study.enqueue_trial({"final": final})
    study.optimize(objective, n_trials=5)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "COMPLETE", "PRUNED", "COMPLETE"]
    assert [len(trial.intermediate_values) for trial in study.trials][1] == 1
    minimised = optuna.create_study(direction="minimize", pruner=study.pruner)
    with pytest.raises(PerfclfError, match="direction='maximize'"):
        minimised.optimize(objective, n_trials=1)


def test_the_pruner_counts_the_trials_of_other_processes_that_are_running():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", pruner=example("optuna_pruner").AdvicePruner(stopping(), named))
    trials = [study.ask({"final": optuna.distributions.FloatDistribution(0, 1)}) for _ in range(3)]
    for trial, accuracy in zip(trials, (0.8, 0.3, 0.79), strict=True):
        trial.report(accuracy, 1)
    assert [trial.should_prune() for trial in trials] == [False, True, False]
    study.tell(trials[0], state=optuna.trial.TrialState.PRUNED)
    study.tell(trials[2], state=optuna.trial.TrialState.FAIL)
    assert not trials[1].should_prune()


def test_the_example_for_optuna_asks_before_and_during_its_trials(monkeypatch, capsys):
    pytest.importorskip("optuna").logging.set_verbosity(40)
    monkeypatch.syspath_prepend(EXAMPLES)
    import stop_early

    monkeypatch.setattr(stop_early, "train", lambda candidate: curve(min(1.0, 0.2 + candidate.recipe.lr)))
    try:
        example("optuna_pruner").main()
    finally:
        for name in ("stop_early", "optuna_gate"):
            sys.modules.pop(name)
    states = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert states.count("COMPLETE") + states.count("PRUNED") == 8
    assert {"COMPLETE", "PRUNED", "FAIL"} == set(states)


def test_openevolve_runs_the_second_stage_of_what_the_gate_lets_through_alone(tmp_path, monkeypatch):
    pytest.importorskip("openevolve")
    from openevolve.config import EvaluatorConfig
    from openevolve.evaluator import Evaluator

    file = tmp_path / "evaluator.py"
    text = (EXAMPLES / "openevolve_evaluator.py").read_text()
    text = text.replace('raise NotImplementedError("train candidate.arch_code here")', "return 0.75")
    file.write_text(text.replace("return Gate(os.environ", "return Gate(adviser=ByLength(), target=os.environ") + '''

class ByLength:
    def score(self, candidates, target):
        from made_scorers import a_score
        return [a_score(len(candidate.arch_code)) for candidate in candidates]
''')
    monkeypatch.setenv("PERFCLF_TARGET", "svhn")
    monkeypatch.setenv("PERFCLF_GATE", str(tmp_path / "gate.sqlite"))
    evaluator = Evaluator(EvaluatorConfig(cascade_evaluation=True, cascade_thresholds=[0.5], timeout=30), str(file))
    lengths = np.random.default_rng(0).integers(1, 500, size=24)
    found = [asyncio.run(evaluator.evaluate_program(SOUND + "# " + "x" * int(length), str(place)))
             for place, length in enumerate(lengths)]
    trained = ["accuracy" in one for one in found]
    assert 8 <= sum(trained) <= 20
    assert all(one["combined_score"] == (0.75 if passed else 0.0) for one, passed in zip(found, trained, strict=True))


@pytest.fixture(scope="module")
def ray():
    """Started once for all tests."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_ray_tune_stops_trials_once_they_can_hardly_become_the_best(ray, tmp_path):
    from ray import tune

    def train(config):
        for accuracy in config["curve"]:
            tune.report({"accuracy": accuracy})

    scheduler = example("ray_tune_scheduler").AdviceScheduler(stopping(), lambda config: Candidate("net", SOUND))
    curves = tune.grid_search([curve(final) for final in (0.6, 0.2, 0.8, 0.5, 0.9)])
    found = tune.Tuner(train, param_space={"curve": curves}, tune_config=tune.TuneConfig(
        scheduler=scheduler, metric="accuracy", mode="max", max_concurrent_trials=1),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0)).fit()
    epochs = [result.metrics["training_iteration"] for result in found]
    assert [epoch == 5 for epoch in epochs] == [True, False, True, False, True]
    assert epochs[1] == 1
    assert not found.errors
    with pytest.raises(PerfclfError, match="mode='max'"):
        scheduler.set_search_properties("loss", "min")


def test_ray_tune_starts_no_trial_that_the_gate_refuses_and_its_searcher_never_learns_from_refusals(ray, tmp_path):
    pytest.importorskip("optuna").logging.set_verbosity(30)
    from optuna.trial import TrialState
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def train(config):
        tune.report({"accuracy": 1 - (config["lr"] - 0.8) ** 2})

    gate = Gate("svhn", adviser=ByRate(), file=tmp_path / "gate.sqlite")
    inner = OptunaSearch(seed=0)
    searcher = example("ray_tune_gate").GatedSearcher(
        inner, gate, lambda config: Candidate("net", SOUND, Recipe(lr=config["lr"])))
    tuner = tune.Tuner(train, param_space={"lr": tune.uniform(0, 1)}, tune_config=tune.TuneConfig(
        search_alg=searcher, metric="accuracy", mode="max", num_samples=8, max_concurrent_trials=1),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0))
    found = tuner.fit()
    states = [trial.state for trial in inner._ot_study.trials]
    assert len(found) == states.count(TrialState.COMPLETE) == len(gate.observations) == 8
    assert states.count(TrialState.FAIL) == searcher.refused > 0
    assert len(states) == 8 + searcher.refused
    assert found.get_best_result().config["lr"] > 0.4
