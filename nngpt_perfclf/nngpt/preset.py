"""What the preset in an NNGPT checkout does: NNGPT's own programs with their own options, pruned or repaired."""

import argparse
import ast
import functools
import inspect
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from nngpt_perfclf.hints import did_you_mean
from nngpt_perfclf.types import PerfclfError

# 1,024 rows to learn from and 30 to answer, as in NNGPT's own presets of this task.
COMPARE = {"classification_mode": True, "max_prompts": 1024, "test_nn": 30, "max_new_tokens": 2048,
           "context_length": 8192}
# One cycle over three rows: shows in minutes whether everything is in place.
SHORT = {"max_prompts": 3, "test_nn": 2, "max_new_tokens": 64, "num_train_epochs": 1, "cycles": 1, "use_agents": False}


def main(tune: str, configuration: Path, prompts: Sequence[str], key: str, argv: Sequence[str] | None = None) -> None:
    """Run NNGPT's tuning module `tune`, or the one that is named. `prompts`: repaired prompt files, the default first;
    `key`: of the prompt in them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, description=f"""
compare     fine-tune on the dataset comparison task, with the repaired prompts
generate    NNGPT's search, pruned before each evaluation
run MODULE  any other program of NNGPT, pruned likewise

Other options go to that program; of compare and generate they are the arguments of main in {tune}:
generate --llm_conf FILE --test_nn 10 --cycles 3 --no-use_agents""")
    parser.add_argument("task", choices=("compare", "generate", "run"))
    parser.add_argument("--target", metavar="DATASET", help="judge every candidate for this dataset")
    parser.add_argument("--keep", metavar="SHARE", type=float,
                        help=f"share of the candidates to train, instead of that in {configuration.name}")
    parser.add_argument("--prompt", default=prompts[0], choices=prompts, help="compare: which prompts")
    parser.add_argument("--dry-run", action="store_true", help="compare: one cycle over three rows")
    arguments, rest = parser.parse_known_args(argv)
    if arguments.task == "run" and (not rest or rest[0].startswith("-")):
        parser.error("run needs a module, such as run ab.gpt.act.tune.Iterative")
    try:
        if arguments.task == "compare":
            named = {"llm_tune_conf": arguments.prompt, "nn_gen_conf": arguments.prompt, "nn_gen_conf_id": key}
            _tune(tune, {**named, **COMPARE, **(SHORT if arguments.dry_run else {})}, rest)
        else:
            _pruned(arguments, tune, configuration, rest)
    except PerfclfError as error:
        sys.exit(f"{parser.prog}: {error}")


def _pruned(arguments: argparse.Namespace, tune: str, configuration: Path, rest: Sequence[str]) -> None:
    from nngpt_perfclf.nngpt import wrap

    overrides = [f"loop.keep=[{arguments.keep}]"] if arguments.keep else []
    overrides += [f"nngpt.target={arguments.target}"] if arguments.target else []
    with wrap(configuration, *overrides):
        if arguments.task == "generate":
            _tune(tune, {}, rest)
        else:
            sys.argv = list(rest)
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)


def _tune(module: str, settings: dict, words: Sequence[str]) -> None:
    """NNGPT's `main` with the settings, over which the words go."""
    call = import_module(module).main
    settings = {**settings, **settings_of(words, call)}
    if settings.get("cycles") is not None:
        _limit(int(settings["cycles"]))
    call(**settings)


def _limit(cycles: int) -> None:
    """Let NNGPT's loop end after so many cycles: `main` of 1.0.6 has no argument for it, and would do 100."""
    module = import_module("ab.gpt.util.Tune")
    module.tune = functools.partial(module.tune, num_cycles=cycles)


def settings_of(words: Sequence[str], call: Callable) -> dict[str, object]:
    """The arguments of `call` that the words ``--name value``, ``--name=value``, ``--flag`` and ``--no-flag`` state,
    each of its default's type. As in NNGPT's own command line, ``--start_layer`` and ``--end_layer`` become the range
    `tune_layers`, and ``--num_cycles`` is `cycles`. Raises PerfclfError for a word that is no argument."""
    parameters = inspect.signature(call).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()
             if parameter.kind is not inspect.Parameter.VAR_KEYWORD}
    is_open = len(defaults) < len(parameters)
    defaults |= {"start_layer": 0, "end_layer": 0} if "tune_layers" in defaults else {}
    defaults |= {"num_cycles": defaults["cycles"]} if "cycles" in defaults else {}
    settings: dict[str, object] = {}
    left = list(words)
    while left:
        name, equals, value = left.pop(0).partition("=")
        flag = name.removeprefix("--").removeprefix("no-").replace("-", "_")
        if not name.startswith("--") or not (flag in defaults or is_open):
            raise PerfclfError(f"NNGPT's main has no option {name}{did_you_mean(flag, defaults, '--')}")
        if name.startswith("--no-"):
            settings[flag] = False
        elif not equals and (isinstance(defaults.get(flag), bool) or not left or left[0].startswith("--")):
            settings[flag] = True
        else:
            settings[flag] = _typed(value if equals else left.pop(0), defaults.get(flag))
    if layers := [settings.pop(name) for name in ("start_layer", "end_layer") if name in settings]:
        if len(layers) < 2:
            raise PerfclfError("--start_layer and --end_layer go together")
        settings["tune_layers"] = range(*layers)
    if "cycles" in defaults and "num_cycles" in settings:
        settings["cycles"] = settings.pop("num_cycles")
    return settings


def _typed(word: str, default: object) -> object:
    if isinstance(default, str):
        return word
    if isinstance(default, tuple | list):
        return tuple(word.split(","))
    try:
        value = ast.literal_eval(word.capitalize() if word in ("true", "false", "none") else word)
    except (ValueError, SyntaxError):
        return word
    return float(value) if isinstance(default, float) and isinstance(value, int) else value
