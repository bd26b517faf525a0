"""The structure of a network's code as blocks of lines: the network class first, then what it uses."""

import ast
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from nngpt_perfclf.code_view.expressions import Phrases
from nngpt_perfclf.code_view.names import Definitions, boilerplate, parameters, short
from nngpt_perfclf.code_view.statements import Writer
from nngpt_perfclf.code_view.usage import Attributes, headed, names_used

_ENTRIES = ("__init__", "forward")
_LONGEST_CONSTANT = 40


@dataclass(frozen=True)
class Block:
    """One class or function: its name, its lines, and the names of what else it uses, in order."""

    name: str
    lines: tuple[str, ...]
    uses: tuple[str, ...]


def blocks(tree: ast.Module) -> Iterator[Block]:
    """The network, then what it uses, each once, breadth first; nothing for a module that defines nothing.

    The network is the class named Net, else the last class that no other class uses.
    """
    _strip(tree)
    defined = definitions(tree)
    first = _network(defined)
    waiting, seen = deque([first] if first else defined.functions), set()
    while waiting:
        name = waiting.popleft()
        if name in seen or boilerplate(name):
            continue
        seen.add(name)
        if name in defined.classes:
            block = _class_block(defined.classes[name], defined, name == first)
        else:
            block = _function_block(defined.functions[name], defined)
        waiting += block.uses
        yield block


def _strip(tree: ast.Module) -> None:
    """Take annotations, docstrings and other bare constants out of the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                setattr(node, name, [kept for statement in inner if (kept := _unannotated(statement)) is not None])


def _unannotated(node: ast.stmt) -> ast.stmt | None:
    match node:
        case ast.Expr(value=ast.Constant()):
            return None
        case ast.FunctionDef():
            node.returns = None
        case ast.AnnAssign():
            return ast.Assign([node.target], node.value) if node.value is not None else None
    return node


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """A module's statements, those within top-level branches too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _top(node.body)


def definitions(tree: ast.Module) -> Definitions:
    """Classes, functions, short constants and renamed imports of a module."""
    found = Definitions()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.modules |= {name.asname or name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                found.renamed[name.asname or name.name] = name.name
                if name.name in ("nn", "functional", "init", "models", "ops"):
                    found.modules.add(name.asname or name.name)
    phrases = Phrases(found, (), {})
    top = list(_top(tree.body))
    for node in top:
        if isinstance(node, ast.ClassDef):
            found.classes[node.name] = node
            found.members[node.name] = {name: phrases(value) for name, value in _assignments(node.body)
                                        if not isinstance(value, ast.Dict)}
        elif isinstance(node, ast.FunctionDef):
            found.functions[node.name] = node
    for name, value in _assignments(top):
        if isinstance(value, ast.Dict):
            found.tables[name] = value
        elif len(text := phrases(value)) <= _LONGEST_CONSTANT:
            found.constants[name] = text
    return found


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of plain assignments among the statements of a module or class."""
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _network(defined: Definitions) -> str | None:
    if "Net" in defined.classes:
        return "Net"
    used = {name for node in defined.classes.values() for name in names_used(node)}
    tops = [name for name in defined.classes if name not in used] or list(defined.classes)
    return tops[-1] if tops else None


def _class_block(node: ast.ClassDef, defined: Definitions, is_network: bool) -> Block:
    methods = {method.name: method for method in node.body if isinstance(method, ast.FunctionDef)}
    reached = _reached(methods)
    bases = [name for base in node.bases for name in names_used(base) if name in defined.classes]
    attributes = Attributes([methods[name] for name in reached], keep_all=bool(bases) or "forward" not in methods)
    attributes |= {name: [text] for name, text in defined.members[node.name].items() if attributes.stores[name] == 0}
    defined.methods = {name: parameters(method)[1:] for name, method in methods.items()}
    lines, signature, mentioned = [], "", set(_ENTRIES)
    while name := next((name for name in reached if short(name) in mentioned or "forward" not in methods), None):
        reached.remove(name)
        writer = Writer(methods[name], defined, attributes, is_network and name == "__init__")
        body = writer.body()
        if name == "__init__":
            lines, signature = body, writer.signature
        elif name == "forward":
            lines += _forward(body, writer)
        else:
            lines += headed(f"def {short(name)}({writer.signature})", body) if body else []
        mentioned |= _words(body)
    uses = [used for method in methods.values() for used in _used_in_order(method, defined) if used != node.name]
    uses = dict.fromkeys([*bases, *(name for name in uses if short(name) in mentioned)])
    if not is_network:
        inherited = f"<{','.join(map(short, bases))}" if bases else ""
        lines = headed(f"{short(node.name)}({signature}){inherited}", lines)
    return Block(node.name, tuple(lines), tuple(uses))


def _words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in re.findall(r"\w+", line)}


def _forward(body: list[str], writer: Writer) -> list[str]:
    """A forward of one chain is ``= steps``; any other tells its parameters."""
    if len(body) == 1 and body[0].startswith("x: "):
        return [f"= {body[0][3:]}"]
    return headed(f"forward({writer.signature})", body) if body else []


def _function_block(node: ast.FunctionDef, defined: Definitions) -> Block:
    defined.methods = {}
    writer = Writer(node, defined, Attributes([], keep_all=True), False)
    body = writer.body()
    mentioned = _words(body) - {short(node.name)}
    uses = dict.fromkeys(name for name in _used_in_order(node, defined) if short(name) in mentioned)
    return Block(node.name, tuple(headed(f"{short(node.name)}({writer.signature})", body)), tuple(uses))


def _reached(methods: dict[str, ast.FunctionDef]) -> list[str]:
    waiting, reached = deque(_ENTRIES), {}
    if "forward" not in methods:
        waiting += methods
    while waiting:
        name = waiting.popleft()
        if name in methods and name not in reached and not boilerplate(name):
            reached[name] = True
            waiting += [node.attr for node in ast.walk(methods[name]) if isinstance(node, ast.Attribute)]
    return list(reached)


def _used_in_order(function: ast.FunctionDef, defined: Definitions) -> list[str]:
    return [name for name in names_used(function) if name in defined.classes or name in defined.functions]
