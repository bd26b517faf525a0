import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from nngpt_perfclf import Advice, AdviserSpec, Candidate, Outcome, Question, Recipe, Score, hookspecs
from nngpt_perfclf.plugins import get_plugin_manager

DOCS = (Path(__file__).parents[1] / "docs" / "hooks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL))
HOOKS = [name for name, spec in vars(hookspecs).items()
         if inspect.isfunction(spec) and spec.__module__ == hookspecs.__name__]
CANDIDATE = Candidate("net", "class Net: pass", Recipe(lr=0.01))
ARGUMENTS = {"arch_code": "nn.Linear(1, 2)", "ds_a": "mnist", "ds_b": "svhn", "target": "mnist", "count": 2, "seed": 0,
             "questions": [Question("class Net: pass", "mnist", "svhn", Recipe(lr=0.9), Recipe(lr=0.01))],
             "candidates": [CANDIDATE, CANDIDATE], "candidate": CANDIDATE, "score": None, "reason": "too slow",
             "outcome": Outcome("net", "mnist", 0.7, 1.0)}
GIVES = {"advise": Advice, "train": Outcome}
GIVES_LIST_OF = {"advise_many": (Advice, 1), "score": (Score, 2), "propose": (Candidate, 2)}
REGISTERS = {"register_advisers": AdviserSpec, "register_tasks": object, "register_prompts": object}
GIVES_NOTHING = {"candidate_advised", "candidate_pruned", "candidate_trained"}


def example(hook):
    source = re.search(r"```python\n(.*?)```", SECTIONS[hook], re.DOTALL)
    assert source, f"docs/hooks.md has no example for {hook}"
    module = ModuleType(f"example_of_{hook}")
    exec(compile(source[1], f"docs/hooks.md, {hook}", "exec"), vars(module))
    return module


def called(hook):
    manager = get_plugin_manager(example(hook), installed=False)
    names = inspect.signature(getattr(hookspecs, hook)).parameters
    return getattr(manager.hook, hook)(**{name: ARGUMENTS[name] for name in names})


def test_every_hook_is_tested_here():
    assert {*GIVES, *GIVES_LIST_OF, *REGISTERS, *GIVES_NOTHING} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_its_section_names_every_argument_and_says_when_it_is_called(hook):
    assert hook in SECTIONS, f"docs/hooks.md has no section for {hook}"
    shown = re.search(rf"def {hook}\((.*?)\)", SECTIONS[hook])[1]
    assert set(shown.replace(",", " ").split()) == set(inspect.signature(getattr(hookspecs, hook)).parameters)
    text = SECTIONS[hook].split("```")[0]
    assert len(text.split()) > 15, "say when it is called and what it returns"


@pytest.mark.parametrize("hook", HOOKS)
def test_its_example_is_called_through_the_real_host_by_keyword(hook):
    result = called(hook)
    if hook in GIVES:
        assert isinstance(result, GIVES[hook])
    elif hook in GIVES_LIST_OF:
        kind, count = GIVES_LIST_OF[hook]
        assert [type(entry) for entry in result] == [kind] * count
    elif hook in REGISTERS:
        (registered,), = [result]
        assert registered
        assert all(isinstance(entry, REGISTERS[hook]) for entry in registered)
    else:
        assert result == []


def test_the_adviser_of_the_example_gives_a_score_for_each_candidate():
    (spec,), = called("register_advisers")
    scores = spec.load(None).score([CANDIDATE, CANDIDATE], "mnist")
    assert [type(score) for score in scores] == [Score, Score]


@pytest.mark.parametrize("hook", HOOKS)
def test_no_implementation_has_a_default(hook):
    from nngpt_perfclf.advice import plugin

    for module in (plugin, example(hook)):
        function = vars(module).get(hook)
        if function is not None:
            parameters = inspect.signature(function).parameters.values()
            assert all(parameter.default is inspect.Parameter.empty for parameter in parameters)


@pytest.mark.parametrize("hook", HOOKS)
def test_it_has_one_sentence_and_its_arguments_have_types(hook):
    spec = getattr(hookspecs, hook)
    assert spec.__doc__.strip()
    assert all(parameter.annotation is not inspect.Parameter.empty
               for parameter in inspect.signature(spec).parameters.values())
