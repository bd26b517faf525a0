"""The structure of a network's code as lines of text: the network class first, then what it uses."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from nngpt_perfclf.prompts.expressions import Definitions, Phrases, fold, parameters, short

_TRAINING = {"train_setup", "learn", "supported_hyperparameters"}
_BOILERPLATE = ("optimizer", "criteri", "loss", "scaler", "device", "scheduler")
_GROWING = {"append", "extend", "insert", "add_module"}
_DYNAMIC = {"getattr", "children", "modules", "named_children", "named_modules", "_modules", "__dict__"}
_CONTRACT = ("in", "out", "prm", "dev")


@dataclass(frozen=True)
class Block:
    """One class or function: its name, its lines, and the names of what else it uses, in order."""

    name: str
    lines: tuple[str, ...]
    uses: tuple[str, ...]


def blocks(tree: ast.Module) -> Iterator[Block]:
    """The network, then what it uses, each once, breadth first; nothing for a module that defines nothing."""
    defined = definitions(tree)
    first = _network(defined)
    waiting, seen = ([first] if first else list(defined.functions)), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name in _TRAINING:
            continue
        seen.add(name)
        if name in defined.classes:
            block = _class_block(defined.classes[name], defined, name == first)
        else:
            block = _function_block(defined.functions[name], defined)
        waiting += block.uses
        yield block


def definitions(tree: ast.Module) -> Definitions:
    """Classes, functions, constants and renamed imports of a module."""
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
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.classes[node.name] = node
        elif isinstance(node, ast.FunctionDef):
            found.functions[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = phrases(node.value)
            if len(text) <= 24:
                found.constants[node.targets[0].id] = text
    return found


def _network(defined: Definitions) -> str | None:
    if "Net" in defined.classes:
        return "Net"
    used = {name for node in defined.classes.values() for name in _names(node)}
    tops = [name for name in defined.classes if name not in used] or list(defined.classes)
    return tops[-1] if tops else None


def _names(node: ast.AST) -> list[str]:
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]


def _class_block(node: ast.ClassDef, defined: Definitions, is_network: bool) -> Block:
    methods = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
    reached = _reached(methods)
    bases = [name for base in node.bases for name in _names(base) if name in defined.classes]
    attributes = _Attributes([methods[name] for name in reached], keep_all=bool(bases))
    lines: list[str] = []
    for name in reached:
        writer = _Writer(methods[name], defined, attributes, is_network and name == "__init__")
        body = writer.body()
        if name == "__init__":
            lines += body
        elif body:
            told = "" if name == "forward" else f"def {short(name)}"
            lines += _headed(f"{told}({','.join(writer.parameters)})" if told or len(writer.parameters) != 1 else "", body)
    uses = [name for method in reached for name in _used_in_order(methods[method], defined) if name != node.name]
    if is_network:
        return Block(node.name, tuple(lines), tuple([*bases, *uses]))
    given = ",".join(letters(methods["__init__"])) if "__init__" in methods else ""
    head = f"{short(node.name)}({given})" + (f"<{','.join(map(short, bases))}" if bases else "")
    return Block(node.name, tuple(_headed(head, lines)), tuple([*bases, *uses]))


def letters(function: ast.FunctionDef) -> list[str]:
    """The canonical names of a method's parameters after self, with their plain defaults."""
    from nngpt_perfclf.prompts.expressions import letter

    return [letter(number) for number in range(len(parameters(function)) - 1)]


def _function_block(node: ast.FunctionDef, defined: Definitions) -> Block:
    writer = _Writer(node, defined, _Attributes([], keep_all=True), False)
    body = writer.body()
    uses = tuple(name for name in _used_in_order(node, defined) if name != node.name)
    return Block(node.name, tuple(_headed(f"{short(node.name)}({','.join(writer.parameters)})", body)), uses)


def _headed(head: str, lines: list[str]) -> list[str]:
    if not head:
        return [f"= {line}" if number == 0 else line for number, line in enumerate(lines)]
    return [f"{head}: {lines[0].lstrip()}"] if len(lines) == 1 else [f"{head}:", *(f" {line}" for line in lines)]


def _reached(methods: dict[str, ast.FunctionDef]) -> list[str]:
    waiting, reached = ["__init__", "forward"], []
    if "forward" not in methods:
        waiting += [name for name in methods if name not in _TRAINING]
    while waiting:
        name = waiting.pop(0)
        if name in methods and name not in reached and name not in _TRAINING:
            reached.append(name)
            waiting += [one.attr for one in ast.walk(methods[name]) if isinstance(one, ast.Attribute)]
    return reached


def _used_in_order(function: ast.FunctionDef, defined: Definitions) -> list[str]:
    return [name for name in _names(function) if name in defined.classes or name in defined.functions]


class _Attributes(dict):
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
        if self.stores[name] != 1:
            return False
        if self.loads[name] == 0:
            return not self.keep_all
        if self.loads[name] == 1 or (len(steps) == 1 and len(steps[0]) <= 6):
            self[name] = steps
            return True
        return False


class _Writer:
    """Writes one function's statements."""

    def __init__(self, function: ast.FunctionDef, defined: Definitions, attributes: _Attributes, contract: bool) -> None:
        self.function, self.attributes = function, attributes
        names = parameters(function)
        static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in function.decorator_list)
        method = bool(attributes.stores or attributes.loads or names[:1] == ["self"]) and not static
        bound, names = (names[0], names[1:]) if method and names else ("", names)
        self.phrases = Phrases(defined, _assigned(function), attributes, bound)
        self.phrases.locals |= {}
        if contract:
            self.phrases.values |= dict(zip(names, _CONTRACT, strict=False))
            names = names[len(_CONTRACT):]
        self.parameters = [self.phrases.name(name) for name in names]
        self.unstable = _unstable(function.body)
        self.uses = Counter(_names(function))
        self.straight = True

    def body(self) -> list[str]:
        """The function's lines; steps that follow each other on one variable share a line."""
        return self._block(self.function.body)

    def _block(self, statements: list[ast.stmt]) -> list[str]:
        lines: list[str] = []
        steps: list[str] = []
        variable = self.parameters[0] if self.parameters and statements is self.function.body else None
        for statement in statements:
            taken = self._steps(statement, variable)
            if taken is not None:
                variable, further = taken
                steps += further
                continue
            written = self._statement(statement)
            if written:
                if steps:
                    lines.append(" ".join(fold(steps)))
                    steps = []
                lines += written
                variable = None
        return fold_lines([*lines, *([" ".join(fold(steps))] if steps else [])])

    def _steps(self, node: ast.stmt, variable: str | None) -> tuple[str, list[str]] | None:
        """The variable and steps of ``x = f(g(x))`` or ``return f(x)``, or None for another statement."""
        if isinstance(node, ast.Return) and node.value is not None:
            found = self.phrases.chain(node.value)
            return None if found is None or (variable is not None and found[0] != variable) or variable is None else found
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            return None
        found = self.phrases.chain(node.value)
        if found is None or not found[1]:
            return None
        root, steps = found
        target = self.phrases.name(node.targets[0].id)
        if root == target:
            return target, steps if variable == target else [f"{target}:", *steps]
        return target, [f"{target}={root}", *steps] if variable is None else [f"; {target}={root}", *steps]

    def _statement(self, node: ast.stmt) -> list[str]:
        match node:
            case ast.Assign():
                return self._assign(node.targets[-1], node.value) if len(node.targets) == 1 else [
                    line for target in node.targets for line in self._assign(target, node.value)]
            case ast.AnnAssign() if node.value is not None:
                return self._assign(node.target, node.value)
            case ast.AugAssign():
                return self._grow(node)
            case ast.Expr():
                return self._expression(node.value)
            case ast.Return():
                return [f"return {self.phrases(node.value)}".rstrip()]
            case ast.For():
                target = self.phrases(node.target).strip("()")
                return self._nested(f"for {target} in {self.phrases.over(node.iter)}", node.body)
            case ast.While():
                return self._nested(f"while {self.phrases(node.test)}", node.body)
            case ast.If():
                return self._if(node)
            case ast.With():
                return self._inner(node.body)
            case ast.Try():
                return self._inner(node.body)
            case ast.FunctionDef():
                names = ",".join(self.phrases.name(name) for name in parameters(node))
                return self._nested(f"def {self.phrases.name(node.name)}({names})", node.body)
        return []

    def _inner(self, body: list[ast.stmt]) -> list[str]:
        straight, self.straight = self.straight, False
        lines = self._block(body)
        self.straight = straight
        return lines

    def _nested(self, head: str, body: list[ast.stmt]) -> list[str]:
        lines = self._inner(body)
        return _headed(head, lines) if lines else []

    def _if(self, node: ast.If) -> list[str]:
        lines = self._nested(f"if {self.phrases(node.test)}", node.body)
        otherwise = self._inner(node.orelse)
        return [*lines, *(_headed("else", otherwise) if otherwise else [])]

    def _assign(self, target: ast.expr, value: ast.expr) -> list[str]:
        if isinstance(target, ast.Attribute):
            return self._attribute(target, value)
        if isinstance(target, ast.Name):
            return self._variable(target.id, value)
        if isinstance(target, ast.Tuple | ast.List):
            return self._unpack(target, value)
        return [f"{self.phrases(target)}={self.phrases(value)}"]

    def _attribute(self, target: ast.Attribute, value: ast.expr) -> list[str]:
        if any(word in target.attr.lower() for word in _BOILERPLATE):
            return []
        steps = self.phrases.steps(value)
        if self.phrases._is_self(target.value) and self.straight and self.attributes.settle(target.attr, steps):
            return []
        return [f"{self.phrases(target)}: {' '.join(steps)}"]

    def _variable(self, name: str, value: ast.expr) -> list[str]:
        if any(word in name.lower() for word in ()):
            return []
        steady = self.straight and name not in self.unstable
        if steady and isinstance(value, ast.List):
            self.phrases.lists[name] = self.phrases._items(value.elts)
            return []
        before = self.phrases.live
        steps = self.phrases.steps(value)
        text = steps[0] if len(steps) == 1 else "(" + " ".join(steps) + ")"
        if steady and self.phrases.live == before and (len(text) <= 16 or self.uses[name] <= 1):
            self.phrases.lists.pop(name, None)
            self.phrases.values[name] = text
            return []
        self.phrases.values.pop(name, None)
        self.phrases.lists.pop(name, None)
        return [f"{self.phrases.name(name)}={text}"]

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr) -> list[str]:
        names = [one.id if isinstance(one, ast.Name) else None for one in target.elts]
        if isinstance(value, ast.Tuple) and len(value.elts) == len(names):
            return [line for one, part in zip(target.elts, value.elts, strict=True) for line in self._assign(one, part)]
        whole = self.phrases(value)
        if whole in ("in", "out") and all(name and name not in self.unstable for name in names) and self.straight:
            known = {("in", 1): "cin", ("out", 0): "n"}
            for place, name in enumerate(names):
                self.phrases.values[name] = known.get((whole, place), f"{whole}[{place}]")
            return []
        return [f"{','.join(map(self.phrases, target.elts))}={whole}"]

    def _grow(self, node: ast.AugAssign) -> list[str]:
        if isinstance(node.target, ast.Name) and node.target.id in self.phrases.lists:
            items = self.phrases._known_list(node.value)
            self.phrases.lists[node.target.id] += [f"*{self.phrases(node.value)}"] if items is None else items
            return []
        if isinstance(node.target, ast.Name):
            self.phrases.values.pop(node.target.id, None)
        joined = ast.BinOp(node.target, node.op, node.value)
        items = node.value.elts if isinstance(node.value, ast.List) else None
        text = " ".join(fold(self.phrases._items(items))) if items is not None else None
        name = self.phrases(node.target)
        return [f"{name}+={text}" if text is not None else f"{name}={self.phrases(joined)}"]

    def _expression(self, value: ast.expr) -> list[str]:
        if isinstance(value, ast.Constant) or not isinstance(value, ast.Call):
            return []
        function = value.func
        if isinstance(function, ast.Name) and function.id in ("print", "super"):
            return []
        if isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Call) and isinstance(function.value.func, ast.Name):
                return []
            if function.attr in ("to", "train", "eval", "info", "warning", "debug", "warn", "empty_cache"):
                return []
            grown = function.value.id if isinstance(function.value, ast.Name) else None
            if grown in self.phrases.lists and function.attr in ("append", "extend") and len(value.args) == 1:
                items = [value.args[0]] if function.attr == "append" else [ast.Starred(value.args[0])]
                self.phrases.lists[grown] += self.phrases._items(items)
                return []
            if function.attr == "append" and len(value.args) == 1:
                return [f"{self.phrases(function.value)}+={' '.join(self.phrases.steps(value.args[0]))}"]
        return [self.phrases(value)]


def fold_lines(lines: list[str]) -> list[str]:
    """The same line again and again once."""
    folded: list[str] = []
    start = 0
    while start < len(lines):
        times = 1
        while start + times < len(lines) and lines[start + times] == lines[start]:
            times += 1
        folded.append(lines[start] if times == 1 else f"{lines[start]} *{times}")
        start += times
    return folded


def _assigned(function: ast.FunctionDef) -> set[str]:
    stored = {one.id for one in ast.walk(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    inner = {one.name for one in ast.walk(function) if isinstance(one, ast.FunctionDef) and one is not function}
    arguments = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)}
    return stored | inner | arguments


def _unstable(body: list[ast.stmt]) -> set[str]:
    """Names that are assigned or grown within loops, branches and inner functions: their value is not known."""
    found: set[str] = set()
    for statement in body:
        if not isinstance(statement, ast.For | ast.While | ast.If | ast.With | ast.Try | ast.FunctionDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _GROWING \
                    and isinstance(node.func.value, ast.Name):
                found.add(node.func.value.id)
    return found
