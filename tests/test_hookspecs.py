import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from nngpt_perfclf import Advice, Candidate, Outcome, Question, Recipe, hookspecs
from nngpt_perfclf.plugins import get_plugin_manager

DOCS = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL))
HOOKS = [name for name, spec in vars(hookspecs).items()
         if inspect.isfunction(spec) and spec.__module__ == hookspecs.__name__]
CANDIDATE = Candidate("net", "class Net: pass", Recipe(lr=0.01))
ARGUMENTS = {"arch_code": "nn.Linear(1, 2)", "ds_a": "mnist", "ds_b": "svhn", "target": "mnist", "count": 2, "seed": 0,
             "questions": [Question("class Net: pass", "mnist", "svhn", Recipe(lr=0.9), Recipe(lr=0.01))],
             "candidate": CANDIDATE, "score": None, "reason": "too slow", "outcome": Outcome("net", "mnist", 0.7, 1.0)}
GIVES = {"advise": Advice, "train": Outcome}
GIVES_LIST_OF = {"advise_many": Advice, "propose": Candidate, "register_tasks": object, "register_prompts": object}


def example(hook):
    source = re.search(r"```python\n(.*?)```", SECTIONS[hook], re.DOTALL)
    assert source, f"docs/hooks.md has no example for {hook}"
    module = ModuleType(f"example_of_{hook}")
    exec(compile(source[1], f"docs/hooks.md, {hook}", "exec"), vars(module))
    return module


def test_the_contract_has_hooks():
    assert {"advise", "advise_many", "register_tasks", "register_prompts", "propose", "train"} <= set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_its_section_names_every_argument(hook):
    assert hook in SECTIONS, f"docs/hooks.md has no section for {hook}"
    shown = set(re.findall(r"def \w+\((.*?)\)", SECTIONS[hook])[0].replace(",", " ").split())
    assert shown == set(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert len(SECTIONS[hook].split("```")[0].split()) > 15, "say when it is called and what it returns"


@pytest.mark.parametrize("hook", HOOKS)
def test_its_example_is_called_through_the_real_host_by_keyword(hook):
    manager = get_plugin_manager(example(hook), installed=False)
    names = inspect.signature(getattr(hookspecs, hook)).parameters
    result = getattr(manager.hook, hook)(**{name: ARGUMENTS[name] for name in names})
    if hook in GIVES:
        assert isinstance(result, GIVES[hook])
    elif hook in GIVES_LIST_OF:
        flat = result[0] if isinstance(result[0], list) else result
        assert flat
        assert all(isinstance(one, GIVES_LIST_OF[hook]) for one in flat)


@pytest.mark.parametrize("hook", HOOKS)
def test_no_implementation_has_a_default(hook):
    from nngpt_perfclf.advice import plugin

    for module in (plugin, example(hook)):
        function = vars(module).get(hook)
        if function is not None:
            parameters = inspect.signature(function).parameters.values()
            assert all(one.default is inspect.Parameter.empty for one in parameters)
