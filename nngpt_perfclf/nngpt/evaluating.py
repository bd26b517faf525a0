"""NNGPT's evaluation with pruning before it, and a line and a page for its operator after it; and the figures of its
iterative pipeline with pruned candidates left out of their denominators.

The cycles of that pipeline number candidates from 0 to the highest number that they find, and count a missing one as a
failure. The other pipelines count the folders that are there.
"""

import functools
import inspect
import logging
import os
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.nngpt.folders import PRM, SYNTH, Epoch, Evaluation, pruned_name
from nngpt_perfclf.nngpt.hook import PRUNE, RECORDS

log = logging.getLogger("nngpt_perfclf")


def pruning(main: Callable, module: Mapping[str, object]) -> Callable:
    """`main` of NNGPT's evaluation, `module` being its globals: before it, each generation that it is about to evaluate
    is pruned, which is after NNGPT has repaired the generated code. A failure in the pruning is logged, and NNGPT goes
    on: it must never stop a run of days. Without the environment variable `PRUNE` nothing happens."""
    @functools.wraps(main)
    def evaluate(*args, **kwargs):
        setting = os.environ.get(PRUNE)
        if not setting:
            return main(*args, **kwargs)
        records = _guarded(_prune_all, setting, main, module, args, kwargs) or []
        started = time.monotonic()
        result = main(*args, **kwargs)
        for record in records:
            _guarded(_report, record, (time.monotonic() - started) / len(records))
        return result

    return evaluate


def configured(setting: str) -> Config:
    """The configuration of a value of the environment variable `PRUNE`."""
    file, *overrides = shlex.split(setting)
    config = load_config(file, overrides)
    return replace(config, out=config.out or os.environ.get(RECORDS))


def evaluation_of(arguments: Mapping[str, object], module: Mapping[str, object]) -> Evaluation:
    """How an evaluation that is called with these arguments will train."""
    prm = {name: arguments.get(name, default) for name, default in PRM.items()}
    overrides = arguments.get("prm_json")
    return Evaluation(str(arguments["dataset"]), prm, overrides if isinstance(overrides, dict) else {},
                      int(arguments["nn_train_epochs"]), not str(module.get("__file__")).endswith("NNEvalAnalog.py"))


def epochs_of(arguments: Mapping[str, object], module: Mapping[str, object]) -> list[Epoch]:
    """The generations that an evaluation which is called with these arguments will look at, as its code finds them."""
    epoch_dir, synth_dir = module["epoch_dir"], module["synth_dir"]
    if arguments.get("custom_synth_dir"):
        synths = [Path(arguments["custom_synth_dir"])]
    elif arguments["only_epoch"] is not None:
        synths = [synth_dir(epoch_dir(arguments["only_epoch"]))]
    else:
        root = epoch_dir()
        count = arguments["nn_alter_epochs"]
        if count is None:
            count = len(os.listdir(root)) if root.is_dir() else 0
        synths = [synth_dir(epoch_dir(number)) for number in range(count)]
    return [Epoch(synth.absolute()) for synth in synths if synth.is_dir()]


def _prune_all(setting: str, main: Callable, module: Mapping[str, object], args: tuple, kwargs: dict) -> list[Path]:
    """Prune what is about to be evaluated; the records."""
    bound = inspect.signature(main).bind(*args, **kwargs)
    bound.apply_defaults()
    config, evaluation = configured(setting), evaluation_of(bound.arguments, module)
    found = [_guarded(_prune, config, epoch, evaluation) for epoch in epochs_of(bound.arguments, module)]
    return [record for record in found if record is not None]


def _prune(config: Config, epoch: Epoch, evaluation: Evaluation) -> Path | None:
    from nngpt_perfclf.nngpt.prune import prune

    result = prune(config, epoch.synth, config.nngpt.target, evaluation=evaluation)
    return Path(result["record"]) if "record" in result else None


def _report(record: Path, seconds: float) -> None:
    from nngpt_perfclf.evaluation.pruning import line, read_records
    from nngpt_perfclf.evaluation.report import report
    from nngpt_perfclf.nngpt.records import add_outcomes

    add_outcomes(record, seconds)
    # On standard output, as NNGPT's own news: its iterative pipeline writes its children's standard error to a file.
    print(f"nngpt_perfclf: {line(read_records(record.parent))}; {record.parent / 'report.html'}", flush=True)
    report(load_config(), str(record.parent))


def _guarded(call: Callable, *arguments: object):
    try:
        return call(*arguments)
    except Exception:
        log.exception("nngpt_perfclf: NNGPT goes on without %s", call.__name__.strip("_").replace("_", " "))
        return None


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
