"""The hook in NNGPT's evaluation: installed in this process, inherited by the processes that it starts.

An import hook adds one statement to the modules in `HOOKED`, after the definition that it replaces, and leaves their
files alone. It also holds for ``python -m MODULE``. Child processes install it at their start, from the ``.pth`` file
that `nngpt enable` writes, where the environment variable `PRUNE` is set: coverage.py measures subprocesses that way.
This module is read at the start of every such process, so it imports nothing that is slow.
"""

import ast
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path

# Set to the configuration file, and words such as loop.keep=[0.3] after it, where evaluations are to prune.
PRUNE = "NNGPT_PERFCLF_PRUNE"
# Set by the first process: the folder for the records of all of them.
RECORDS = "NNGPT_PERFCLF_RECORDS"
_EVALUATION = ("main", "nngpt_perfclf.nngpt.evaluating", "pruning")
_FIGURES = ("IterativeFinetuner", "nngpt_perfclf.nngpt.evaluating", "corrected")
# Module of the repository's head or of 1.0.6 -> definition, and the function that gives its replacement.
HOOKED = {
    "ab.gpt.act.eval.Eval": _EVALUATION, "ab.gpt.NNEval": _EVALUATION,
    "ab.gpt.act.analog.NNEvalAnalog": _EVALUATION, "ab.gpt.analog.NNEvalAnalog": _EVALUATION,
    "ab.gpt.act.iterative.finetune": _FIGURES,
}


def start() -> None:
    """Install the hook where the environment asks for it; the ``.pth`` file calls this in every new process."""
    if os.environ.get(PRUNE):
        install()


def install() -> None:
    """Hook the modules that are imported from now on, and those that are imported already."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    os.environ.setdefault(RECORDS, str(_records()))
    sys.meta_path.insert(0, _Finder())
    for name, (definition, module, function) in HOOKED.items():
        if loaded := sys.modules.get(name):
            replacement = getattr(import_module(module), function)(getattr(loaded, definition), vars(loaded))
            setattr(loaded, definition, replacement)


def uninstall() -> None:
    """Take the hook out of this process; modules that were imported under it keep it, and it does nothing."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in (PRUNE, RECORDS):
        os.environ.pop(name, None)


@contextmanager
def installed(setting: str) -> Iterator[None]:
    """The hook with the setting (see `PRUNE`) while the block runs, here and in the processes that it starts."""
    before = {name: os.environ.get(name) for name in (PRUNE, RECORDS)}
    os.environ[PRUNE] = setting
    install()
    try:
        yield
    finally:
        uninstall()
        os.environ.update({name: value for name, value in before.items() if value is not None})


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        if name not in HOOKED:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and type(spec.loader) is SourceFileLoader:
                spec.loader = _Loader(spec.loader.name, spec.loader.path)
            if spec is not None:
                return spec
        return None


class _Loader(SourceFileLoader):
    """Compiles the module with the added statement; neither reads nor writes ``__pycache__``."""

    def get_code(self, fullname: str):
        tree = ast.parse(self.get_data(self.path), self.path)
        name = fullname if fullname in HOOKED else self.name
        return compile(_hooked(tree, *HOOKED[name]), self.path, "exec", dont_inherit=True)


def _hooked(tree: ast.Module, definition: str, module: str, function: str) -> ast.Module:
    """Lines keep their numbers in tracebacks: the added statement is on the definition's last line."""
    place = next((place for place, node in enumerate(tree.body, 1) if getattr(node, "name", None) == definition), None)
    if place is None:
        return tree
    added = ast.parse(f"from {module} import {function} as _perfclf\n"
                      f"{definition} = _perfclf({definition}, globals())").body
    for node in (part for statement in added for part in ast.walk(statement) if hasattr(part, "lineno")):
        node.lineno = node.end_lineno = tree.body[place - 1].end_lineno
    tree.body[place:place] = added
    return tree


def _records() -> Path:
    """In NNGPT's output folder, and not among the epochs, which NNGPT deletes when it starts."""
    output = os.environ.get("AB_GPT_NNGPT_DIR") or os.environ.get("NNGPT_DIR_OVERRIDE") or Path("out", "nngpt")
    return Path(output).absolute() / "perfclf" / time.strftime("%Y%m%d-%H%M%S")
