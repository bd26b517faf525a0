"""Calls, names and attributes of a network's code in few tokens: layers under short names, data flow as chains."""

import ast
from collections.abc import Iterable

from nngpt_perfclf.code_view.layers import FUNCTIONS, layer
from nngpt_perfclf.code_view.names import fold, letter, short
from nngpt_perfclf.code_view.notation import Notation

_WRAPPERS = {"int", "float", "str", "bool", "tuple", "list"}
_MOVES = {"to", "cuda", "cpu", "contiguous", "float", "clone", "detach", "item"}


class Phrases(Notation):
    """Writes the expressions of one function, knowing what the module defines and which layers there are."""

    def steps(self, node: ast.expr) -> list[str]:
        """The layers of an expression in the order in which data meets them; one item for what is no chain."""
        if isinstance(node, ast.Call):
            called = self._called(node.func)
            if called == "Sequential":
                return fold(self.items(node.args))
            if called == "ModuleList" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
                return ["[" + " ".join(fold(self.items(node.args[0].elts))) + "]"]
        if isinstance(node, ast.Attribute) and self.is_self(node.value) and node.attr in self.attributes:
            return list(self.attributes[node.attr])
        return [self(node)]

    def chain(self, node: ast.expr) -> tuple[str, list[str]] | None:
        """A variable and the steps that are taken from it, or None where the expression is no such chain."""
        if isinstance(node, ast.Name) and node.id in self.locals and node.id not in self.values:
            return self.name(node.id), []
        if not isinstance(node, ast.Call):
            return None
        own = isinstance(node.func, ast.Attribute) and self.is_self(node.func.value)
        if isinstance(node.func, ast.Attribute) and not own and not self._of_module(node.func):
            return self._method_step(node)
        if not node.args or isinstance(node.args[0], ast.Starred) or self._called(node.func)[:1].isupper():
            return None
        start = self.chain(node.args[0])
        if start is None:
            return None
        root, steps = start
        return root, [*steps, *self._step(node)]

    def _method_step(self, node: ast.Call) -> tuple[str, list[str]] | None:
        start = self.chain(node.func.value)
        if start is None:
            return None
        root, steps = start
        method = node.func.attr
        if method in _MOVES:
            return root, steps
        if method in ("view", "reshape") and len(node.args) == 2 and self(node.args[1]) == "-1":
            return root, [*steps, "flat"]
        if method == "flatten":
            return root, [*steps, "flat"]
        return root, [*steps, method + self._bracketed(node.args, node.keywords)]

    def _step(self, node: ast.Call) -> list[str]:
        further, function = node.args[1:], node.func
        if isinstance(function, ast.Attribute) and self.is_self(function.value) and not further:
            return self.steps(function)
        called = self._called(function)
        if called in FUNCTIONS:
            found = layer(FUNCTIONS[called], self._arguments(further, node.keywords), self.channels)
            if found and not (called == "flatten" and len(further) > 1):
                return [found[0]]
        return [self(function) + self._bracketed(further, node.keywords)]

    def _bracketed(self, arguments: list[ast.expr], keywords: list[ast.keyword]) -> str:
        text = self._written(arguments, keywords)
        return f"({text})" if text else ""

    def is_self(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.bound

    def _of_module(self, node: ast.AST) -> bool:
        """Whether a dotted name begins with a library's name, such as ``torch.nn.functional.relu``."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.defined.modules and node.id not in self.writable

    def _called(self, function: ast.expr) -> str:
        if isinstance(function, ast.Name) and self.values.get(function.id, "").isidentifier():
            return self.values[function.id]
        if isinstance(function, ast.Name):
            return "" if function.id in self.writable else self.defined.renamed.get(function.id, function.id)
        if isinstance(function, ast.Attribute) and self._of_module(function):
            return function.attr
        return ""

    def items(self, arguments: Iterable[ast.expr]) -> list[str]:
        items: list[str] = []
        for argument in arguments:
            before = len(items)
            if isinstance(argument, ast.Starred):
                elements = self.known_list(argument.value)
                items += [f"*{self(argument.value)}"] if elements is None else elements
            elif isinstance(argument, ast.Call) and self._called(argument.func) == "OrderedDict":
                items += self._ordered(argument)
            else:
                steps = self.steps(argument)
                nested = isinstance(argument, ast.Call) and self._called(argument.func) == "Sequential"
                items += ["(" + " ".join(steps) + ")"] if nested and len(steps) > 1 else steps
            self.defined.spend(len(items) - before)
        return items

    def _ordered(self, call: ast.Call) -> list[str]:
        if len(call.args) == 1 and isinstance(call.args[0], ast.List):
            pairs = [entry.elts for entry in call.args[0].elts if isinstance(entry, ast.Tuple)]
            return self.items(elements[-1] for elements in pairs if len(elements) == 2)
        return [self(call)]

    def known_list(self, node: ast.expr) -> list[str] | None:
        if isinstance(node, ast.Name) and node.id in self.lists:
            self.defined.spend(len(self.lists[node.id]))
            return list(self.lists[node.id])
        return self.items(node.elts) if isinstance(node, ast.List | ast.Tuple) else None

    def _arguments(self, positional: list[ast.expr], keywords: list[ast.keyword]) -> tuple[list[str], dict[str, str]]:
        return [self(argument) for argument in positional], {word.arg or "**": self(word.value) for word in keywords}

    def _written(self, positional: list[ast.expr], keywords: list[ast.keyword], order: list[str] = ()) -> str:
        texts = [self(argument) for argument in positional]
        self.defined.spend(len(order) * (1 + len(keywords)) // 16)
        for word in keywords:
            if word.arg in ("inplace", "device", "dtype", "training"):
                continue
            place = order.index(word.arg) if word.arg in order else -1
            value = self(word.value)
            if place == len(texts):
                texts.append(value)
            elif place >= 0:
                texts.append(f"{letter(place)}={value}")
            else:
                texts.append(f"{short(word.arg)}={value}" if word.arg else f"**{value}")
        return ",".join(texts)

    def _name(self, node: ast.Name) -> str:
        if node.id in self.values:
            return self.values[node.id]
        if node.id == self.bound:
            return "self"
        if node.id in self.lists:
            self.defined.spend(len(self.lists[node.id]))
            return "[" + " ".join(fold(self.lists[node.id])) + "]"
        if node.id in self.locals or node.id in self.writable:
            self.live += 1
            return self.name(node.id)
        if node.id in self.defined.constants:
            return self.defined.constants[node.id]
        return short(self.defined.renamed.get(node.id, node.id))

    def _attribute(self, node: ast.Attribute) -> str:
        if self.is_self(node.value):
            if node.attr in self.attributes:
                steps = self.attributes[node.attr]
                return steps[0] if len(steps) == 1 else "(" + " ".join(steps) + ")"
            return short(node.attr)
        if self._of_module(node):
            return short(node.attr)
        owner = self(node.value)
        return self.defined.members.get(owner, {}).get(node.attr, f"{owner}.{short(node.attr)}")

    def _subscript(self, node: ast.Subscript) -> str:
        if isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
            table = self.defined.tables.get(node.value.id, ast.Dict([], []))
            for key, value in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == node.slice.value:
                    return self(value)
        whole, part = self(node.value), self(node.slice)
        items = self.lists.get(node.value.id) if isinstance(node.value, ast.Name) else None
        self.defined.spend(len(items or ()) // 16)
        if items and part.isdigit() and int(part) < len(items) and not any(item[:1] == "*" for item in items):
            return items[int(part)]
        canonical = {("in", "1"): "cin", ("out", "0"): "n", ("prm", "dropout"): "p"}
        return canonical.get((whole, part), f"{whole}.{part}" if whole == "prm" else f"{whole}[{part}]")

    def _call(self, node: ast.Call) -> str:
        called = self._called(node.func)
        if called in _WRAPPERS and len(node.args) == 1 and not node.keywords:
            return self(node.args[0])
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in _MOVES and not self._of_module(node.func):
                return self(node.func.value)
            if node.func.attr == "get" and node.args and self(node.func.value) == "prm":
                key = self(node.args[0])
                return "p" if key == "dropout" else f"prm.{key}"
        if called == "Sequential":
            return "(" + " ".join(self.steps(node)) + ")"
        if called and called not in self.defined.classes and called not in self.defined.functions:
            found = layer(called, self._arguments(node.args, node.keywords), self.channels)
            if found:
                self.channels = found[1]
                return found[0]
        if called in FUNCTIONS and node.args:
            inner = layer(FUNCTIONS[called], self._arguments(node.args[1:], node.keywords), self.channels)
            if inner:
                return f"{inner[0]}({self(node.args[0])})"
        own = isinstance(node.func, ast.Attribute) and self.is_self(node.func.value)
        order = self.defined.methods.get(node.func.attr, ()) if own else self.defined.parameters(called)
        return f"{self(node.func)}({self._written(node.args, node.keywords, order)})"

    def over(self, node: ast.expr) -> str:
        """What a loop runs over: ``range(4)`` as ``4``."""
        if isinstance(node, ast.Call) and self._called(node.func) == "range" and not node.keywords:
            return "..".join(map(self, node.args))
        return self(node)
