"""Whether code keeps LEMUR's interface, by its syntax tree alone: what breaks it would waste a training slot."""

import ast

from nngpt_perfclf.code_view.parsing import parse
from nngpt_perfclf.types import PerfclfError

CLASS, FUNCTION = "Net", "supported_hyperparameters"
METHODS = ("forward", "learn", "train_setup")


def fault_of(code: str) -> str | None:
    """Why a network with this code cannot be trained, in one line; None where nothing is wrong on the face of it.

    LEMUR's interface: a class ``Net`` with ``forward``, ``learn`` and ``train_setup``, which it may inherit from a
    class of the same file or from an imported one, and a function ``supported_hyperparameters``.
    """
    try:
        tree = parse(code)
    except PerfclfError as error:
        return str(error)
    if tree is None:
        return "the code does not parse as Python"
    defined = {node.name: node for node in ast.walk(tree)
               if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}
    names = _names(tree)
    network = _class(CLASS, defined, names)
    if network is None and CLASS not in names:
        return f"no class {CLASS}"
    missing = [] if network is None else _missing(network, defined, names)
    if missing:
        return f"{CLASS} has no {', '.join(missing)}"
    if FUNCTION not in defined and FUNCTION not in names:
        return f"no function {FUNCTION}"
    return None


def _names(tree: ast.Module) -> dict[str, str | None]:
    """Names that the module imports (None) or sets to another name."""
    names: dict[str, str | None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0]: None for alias in node.names}
        elif isinstance(node, ast.Assign):
            value = node.value.id if isinstance(node.value, ast.Name) else None
            names |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    return names


def _class(name: str, defined: dict[str, ast.AST], names: dict[str, str | None]) -> ast.ClassDef | None:
    """The class of this file that a name refers to, through assignments such as ``Net = Model``."""
    for _ in range(len(names) + 1):
        if isinstance(found := defined.get(name), ast.ClassDef):
            return found
        if (name := names.get(name)) is None:
            return None
    return None


def _missing(network: ast.ClassDef, defined: dict[str, ast.AST], names: dict[str, str | None]) -> list[str]:
    """The methods that the class lacks; none where it inherits from a class that is not of this file."""
    found, seen, waiting = set(), set(), [network]
    while waiting:
        node = waiting.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        found |= {child.name for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)}
        found |= {target.id for child in node.body if isinstance(child, ast.Assign)
                  for target in child.targets if isinstance(target, ast.Name)}
        for base in node.bases:
            if isinstance(base, ast.Name):
                parent = _class(base.id, defined, names)
                if parent is not None:
                    waiting.append(parent)
                elif base.id != "Module":
                    return []
            elif not (isinstance(base, ast.Attribute) and base.attr == "Module"):
                return []
    return [method for method in METHODS if method not in found]
