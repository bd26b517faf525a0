"""What a function's or class's code assigns, reads and changes, and how its lines are laid out."""

import ast
from collections import Counter

_GROWING = {"append", "extend", "insert", "add_module"}
_DYNAMIC = {"getattr", "children", "modules", "named_children", "named_modules", "_modules", "__dict__"}


class Attributes(dict):
    """Texts of ``self.NAME`` that stand where the name is used: those stored once and used once, or short."""

    def __init__(self, methods: list[ast.FunctionDef], keep_all: bool) -> None:
        super().__init__()
        self.stores, self.loads = Counter(), Counter()
        for method in methods:
            for node in ast.walk(method):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    (self.loads if isinstance(node.ctx, ast.Load) else self.stores)[node.attr] += 1
                    keep_all = keep_all or node.attr in _DYNAMIC
                elif isinstance(node, ast.Name) and node.id in _DYNAMIC:
                    keep_all = True
        self.keep_all = keep_all

    def settle(self, name: str, steps: list[str]) -> bool:
        """Whether the attribute needs no line of its own: unused, or to be written where it is used."""
        plain = len(steps) == 1 and len(steps[0]) <= 6
        if self.stores[name] != 1:
            return False
        if self.loads[name] == 0:
            return plain or not self.keep_all
        if self.loads[name] == 1 or plain:
            self[name] = steps
            return True
        return False


def headed(head: str, lines: list[str]) -> list[str]:
    """Lines under a head: on its line where there is one, else indented below."""
    return [f"{head}: {lines[0]}"] if len(lines) == 1 else [f"{head}:", *(f" {line}" for line in lines)]


def names_used(node: ast.AST) -> list[str]:
    """The names that a piece of code reads, in order."""
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)]


def fold_lines(lines: list[str]) -> list[str]:
    """The same line again and again once, with how often."""
    folded: list[str] = []
    start = 0
    while start < len(lines):
        times = 1
        while start + times < len(lines) and lines[start + times] == lines[start]:
            times += 1
        folded.append(lines[start] if times == 1 else f"{lines[start]} *{times}")
        start += times
    return folded


def assigned(function: ast.FunctionDef) -> set[str]:
    """Every name that a function binds: variables, inner functions, parameters."""
    found = {function.name}
    for node in ast.walk(function):
        match node:
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.FunctionDef():
                found.add(node.name)
            case ast.arg():
                found.add(node.arg)
    return found - {function.name}


def changed(node: ast.stmt) -> set[str]:
    """Names that are assigned or grown anywhere within a statement."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _GROWING \
                and isinstance(inner.func.value, ast.Name):
            found.add(inner.func.value.id)
    return found
