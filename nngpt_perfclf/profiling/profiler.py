"""From candidates to profiles: the text is checked, the cache looked up, and the rest built in the sandbox."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.cache import ProfileCache
from nngpt_perfclf.profiling.contract import fault_of
from nngpt_perfclf.profiling.pool import LIMITS, Answer, NoSandboxError, Pool, Task
from nngpt_perfclf.profiling.settings import dropouts_at, setup_at
from nngpt_perfclf.profiling.types import Profile, Shapes, shapes_of
from nngpt_perfclf.sandbox.process import Limits, available
from nngpt_perfclf.sandbox.words import printable
from nngpt_perfclf.types import Candidate, Recipe

_KEPT_AT_ONCE = 32
NO_SANDBOX = "no sandbox on this machine: nothing was run"
NO_TORCH = "PyTorch is not installed: nothing was run"


def profile(candidates: Sequence[Candidate], target: str, datasets: str | None = None,
            limits: Limits = LIMITS) -> list[Profile]:
    """The profile of each candidate when it is trained on the dataset `target`, in order.

    `datasets`: a file of further datasets. `limits`: of one network. Never raises for anything that a candidate's code
    does; raises PerfclfError for a dataset that is not known.
    """
    properties = dataset_properties(datasets)
    asked = [(candidate.arch_code, shapes_of(candidate.recipe, target, properties)) for candidate in candidates]
    answers = answers_to(asked, limits)
    return [_under(candidate.recipe, profile_of(answers[code, shapes], shapes))
            for candidate, (code, shapes) in zip(candidates, asked, strict=True)]


def answers_to(asked: Iterable[tuple[str, Shapes]], limits: Limits = LIMITS,
               cache: ProfileCache | None = None) -> dict[tuple[str, Shapes], Answer | Profile]:
    """What is found of each (code, shapes): from the cache, or by building it.

    A Profile is given where the code was not run: its text shows that it is broken, or there is no sandbox or no
    PyTorch.
    """
    cache = cache or ProfileCache()
    tasks = [Task(code, shapes) for code, shapes in dict.fromkeys(asked)]
    answers = cache.read(tasks)
    unknown = [task for task in tasks if task not in answers]
    faults = {code: fault_of(code) for code in dict.fromkeys(task.code for task in unknown)}
    unbuilt = [task for task in unknown if faults[task.code] is None]
    if unbuilt and available() and _has_torch():
        with suppress(NoSandboxError):
            answers |= dict(build(unbuilt, limits, cache))
    not_run = {task: _not_run(task.shapes, faults[task.code]) for task in unknown if task not in answers}
    return {(task.code, task.shapes): answers.get(task) or not_run[task] for task in tasks}


def _not_run(shapes: Shapes, fault: str | None) -> Profile:
    if fault is not None:
        return Profile("failed", shapes, "contract", printable(fault))
    return Profile("no sandbox", shapes, reason=NO_SANDBOX if _has_torch() else NO_TORCH)


def _has_torch() -> bool:
    return find_spec("torch") is not None


def build(tasks: Sequence[Task], limits: Limits, cache: ProfileCache) -> Iterator[tuple[Task, Answer]]:
    """Build each network and keep what is found; a stopped run loses only the last few.

    What took too long is not kept: another machine may be quicker.
    """
    kept = {}
    with Pool(limits) as pool:
        try:
            for task, answer in pool.run(tasks):
                if not answer.timed_out:
                    kept[task] = answer
                if len(kept) >= _KEPT_AT_ONCE:
                    cache.write(kept)
                    kept = {}
                yield task, answer
        finally:
            cache.write(kept)


def profile_of(answer: Answer | Profile, shapes: Shapes) -> Profile:
    """An answer as a profile, without what follows from a recipe."""
    if isinstance(answer, Profile):
        return answer
    if answer.timed_out:
        return Profile("timed out", shapes, reason=answer.reason)
    if answer.structure is None:
        return Profile("failed", shapes, answer.stage, answer.reason)
    return Profile("built", shapes, structure=answer.structure)


def _under(recipe: Recipe, profile: Profile) -> Profile:
    """With the settings that follow from the recipe."""
    if profile.structure is None:
        return profile
    return replace(profile, dropouts=dropouts_at(profile.structure, recipe),
                   setup=setup_at(profile.structure, recipe))
