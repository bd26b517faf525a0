"""Expressions of a network's code in few tokens, with local names made canonical and constants put in place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nngpt_perfclf.prompts.layers import FUNCTIONS, layer

# String literals that are options of layers or keys of a recipe; every other one becomes a neutral mark.
OPTIONS = frozenset(
    "lr momentum dropout batch epoch weight_decay zeros reflect replicate circular same valid bilinear nearest bicubic area"
    " trilinear linear relu leaky_relu gelu silu tanh sigmoid elu selu mish mean sum max avg none fan_in fan_out batch"
    " layer instance group conv bn pool".split())
_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "==",
    ast.IsNot: "!=", ast.In: " in ", ast.NotIn: " not in ", ast.And: " and ", ast.Or: " or ", ast.Not: "not ",
    ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
}
_MODULES = {"nn", "torch", "F", "functional", "np", "numpy", "math", "torchvision", "models", "init"}
_WRAPPERS = {"int", "float", "str", "bool", "tuple", "list"}
_MOVES = {"to", "cuda", "cpu", "contiguous", "float", "clone", "detach", "item"}
_LONGEST = 20


def fold(items: Iterable[str]) -> list[str]:
    """Repeated neighbours once: ``a b a b c`` becomes ``(a b)*2 c``; the longest saving first, left to right."""
    items, folded, start = list(items), [], 0
    while start < len(items):
        best = (0, 1, 1)
        for period in range(1, min(12, (len(items) - start) // 2) + 1):
            unit, times = items[start:start + period], 1
            while items[start + times * period:start + (times + 1) * period] == unit:
                times += 1
            best = max(best, ((times - 1) * period, -period, times))
        saved, period, times = best
        if saved > 1 or (saved and len(items[start]) > 6):
            period = -period
            unit = " ".join(items[start:start + period])
            folded.append(f"({unit})*{times}" if period > 1 else f"{unit}*{times}")
            start += period * times
        else:
            folded.append(items[start])
            start += 1
    return folded


@dataclass
class Definitions:
    """What the module defines: classes and functions by name, and the modules' and layers' names that imports renamed."""

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=lambda: set(_MODULES))
    renamed: dict[str, str] = field(default_factory=dict)

    def parameters(self, name: str) -> list[str]:
        """The parameters of a class's constructor or a function, without self."""
        if name in self.functions:
            return parameters(self.functions[name])
        for method in self.classes[name].body if name in self.classes else ():
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                return parameters(method)[1:]
        return []


def parameters(function: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters, in order."""
    told = function.args
    starred = [argument for argument in (told.vararg, told.kwarg) if argument]
    return [argument.arg for argument in [*told.posonlyargs, *told.args, *told.kwonlyargs, *starred]]


def letter(number: int) -> str:
    """a, b, …, z, a1, b1, …: the canonical name of a function's local variable."""
    return chr(97 + number % 26) + (str(number // 26) if number >= 26 else "")


class Phrases:
    """Writes the expressions of one function. `values`: names whose text stands in for them; `lists`: names of lists
    whose items are known; `attributes`: texts that stand in for ``self.NAME``."""

    def __init__(self, defined: Definitions, names: Iterable[str], attributes: Mapping[str, list[str]],
                 bound: str = "") -> None:
        self.defined, self.attributes, self.bound = defined, attributes, bound
        self.locals: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.writable = set(names)
        self.channels = ""
        self.live = 0

    def name(self, name: str) -> str:
        """The canonical name of a local variable, given at its first use."""
        return self.locals.setdefault(name, letter(len(self.locals)))

    def __call__(self, node: ast.AST | None) -> str:
        """The text of one expression."""
        if node is None:
            return ""
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            return ",".join(self(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
        return write(node)

    def steps(self, node: ast.expr) -> list[str]:
        """The layers of an expression in the order in which data meets them; one item for what is no chain."""
        if isinstance(node, ast.Call):
            called = self._called(node.func)
            if called == "Sequential":
                return fold(self._items(node.args))
            if called == "ModuleList" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
                return ["[" + " ".join(fold(self._items(node.args[0].elts))) + "]"]
        if isinstance(node, ast.Attribute) and self._is_self(node.value) and node.attr in self.attributes:
            return list(self.attributes[node.attr])
        return [self(node)]

    def chain(self, node: ast.expr) -> tuple[str, list[str]] | None:
        """A variable and the steps that are taken from it, or None where the expression is no such chain."""
        if isinstance(node, ast.Name) and node.id in self.locals and node.id not in self.values:
            return self.name(node.id), []
        if not isinstance(node, ast.Call):
            return None
        if isinstance(node.func, ast.Attribute) and not self._is_self(node.func.value):
            root = self._name_of(node.func.value)
            if root not in self.defined.modules:
                return self._method_step(node)
        if not node.args or isinstance(node.args[0], ast.Starred):
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
        if isinstance(function, ast.Attribute) and self._is_self(function.value) and not further:
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

    def _is_self(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.bound

    def _name_of(self, node: ast.AST) -> str | None:
        while isinstance(node, ast.Attribute):
            node = node.value
        return node.id if isinstance(node, ast.Name) else None

    def _called(self, function: ast.expr) -> str:
        if isinstance(function, ast.Name):
            return self.defined.renamed.get(function.id, function.id) if function.id not in self.locals else ""
        if isinstance(function, ast.Attribute) and self._name_of(function) in self.defined.modules:
            return function.attr
        return ""

    def _items(self, arguments: Iterable[ast.expr]) -> list[str]:
        items: list[str] = []
        for argument in arguments:
            if isinstance(argument, ast.Starred):
                known = self._known_list(argument.value)
                items += [f"*{self(argument.value)}"] if known is None else known
            elif isinstance(argument, ast.Call) and self._called(argument.func) == "OrderedDict":
                items += self._ordered(argument)
            else:
                steps = self.steps(argument)
                nested = isinstance(argument, ast.Call) and self._called(argument.func) == "Sequential"
                items += ["(" + " ".join(steps) + ")"] if nested and len(steps) > 1 else steps
        return items

    def _ordered(self, call: ast.Call) -> list[str]:
        if len(call.args) == 1 and isinstance(call.args[0], ast.List):
            pairs = [entry.elts[1] for entry in call.args[0].elts if isinstance(entry, ast.Tuple) and len(entry.elts) == 2]
            return self._items(pairs)
        return [self(call)]

    def _known_list(self, node: ast.expr) -> list[str] | None:
        if isinstance(node, ast.Name) and node.id in self.lists:
            return list(self.lists[node.id])
        return self._items(node.elts) if isinstance(node, ast.List | ast.Tuple) else None

    def _arguments(self, positional: list[ast.expr], keywords: list[ast.keyword]) -> tuple[list[str], dict[str, str]]:
        return [self(one) for one in positional], {word.arg or "**": self(word.value) for word in keywords}

    def _written(self, positional: list[ast.expr], keywords: list[ast.keyword], order: list[str] = ()) -> str:
        texts = [self(one) for one in positional]
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

    def _constant(self, node: ast.Constant) -> str:
        value = node.value
        if isinstance(value, str):
            return value if value in OPTIONS else "''"
        if isinstance(value, float):
            return f"{value:g}".removeprefix("0") if 0 < value < 1 else f"{value:g}"
        if isinstance(value, bytes):
            return "''"
        return str(value)[:_LONGEST] if not isinstance(value, bool) else ("1" if value else "0")

    def _name(self, node: ast.Name) -> str:
        if node.id in self.values:
            return self.values[node.id]
        if node.id in self.lists:
            return "[" + " ".join(fold(self.lists[node.id])) + "]"
        if node.id in self.locals or node.id in self.writable:
            self.live += 1
            return self.name(node.id)
        if node.id in self.defined.constants:
            return self.defined.constants[node.id]
        return short(self.defined.renamed.get(node.id, node.id))

    def _attribute(self, node: ast.Attribute) -> str:
        if self._is_self(node.value):
            if node.attr in self.attributes:
                steps = self.attributes[node.attr]
                return steps[0] if len(steps) == 1 else "(" + " ".join(steps) + ")"
            return short(node.attr)
        if self._name_of(node) in self.defined.modules:
            return short(node.attr)
        return f"{self(node.value)}.{short(node.attr)}"

    def _subscript(self, node: ast.Subscript) -> str:
        whole, part = self(node.value), self(node.slice)
        known = {("in", "1"): "cin", ("out", "0"): "n", ("prm", "dropout"): "p"}
        return known.get((whole, part), f"{whole}.{part}" if whole == "prm" else f"{whole}[{part}]")

    def _slice(self, node: ast.Slice) -> str:
        return f"{self(node.lower)}:{self(node.upper)}" + (f":{self(node.step)}" if node.step else "")

    def _call(self, node: ast.Call) -> str:
        called = self._called(node.func)
        if called in _WRAPPERS and len(node.args) == 1 and not node.keywords:
            return self(node.args[0])
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in _MOVES and self._name_of(node.func) not in self.defined.modules:
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
        return f"{self(node.func)}({self._written(node.args, node.keywords, self.defined.parameters(called))})"

    def _binop(self, node: ast.BinOp) -> str:
        left, right, sign = self._operand(node.left), self._operand(node.right), _OPERATORS[type(node.op)]
        if left.isdigit() and right.isdigit() and len(left + right) < 12:
            worked = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "//": int.__floordiv__}.get(sign)
            if worked and not (sign == "//" and int(right) == 0):
                return str(worked(int(left), int(right)))
        return f"{left}{sign}{right}"

    def _operand(self, node: ast.expr) -> str:
        text = self(node)
        plain = not isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda) or text.isalnum()
        return text if plain else f"({text})"

    def _unaryop(self, node: ast.UnaryOp) -> str:
        return _OPERATORS[type(node.op)] + self._operand(node.operand)

    def _boolop(self, node: ast.BoolOp) -> str:
        return _OPERATORS[type(node.op)].join(map(self._operand, node.values))

    def _compare(self, node: ast.Compare) -> str:
        pairs = zip(node.ops, node.comparators, strict=True)
        return self._operand(node.left) + "".join(_OPERATORS[type(sign)] + self._operand(one) for sign, one in pairs)

    def _ifexp(self, node: ast.IfExp) -> str:
        return f"{self._operand(node.body)} if {self._operand(node.test)} else {self._operand(node.orelse)}"

    def _starred(self, node: ast.Starred) -> str:
        return f"*{self(node.value)}"

    def _tuple(self, node: ast.Tuple) -> str:
        return "(" + ",".join(map(self, node.elts)) + ")"

    def _list(self, node: ast.List) -> str:
        return "[" + ",".join(map(self, node.elts)) + "]"

    _set = _list

    def _dict(self, node: ast.Dict) -> str:
        return "{" + ",".join(f"{self(key)}:{self(value)}" for key, value in zip(node.keys, node.values, strict=True)) + "}"

    def _joinedstr(self, node: ast.JoinedStr) -> str:
        return "''"

    def _lambda(self, node: ast.Lambda) -> str:
        names = [argument.arg for argument in node.args.args]
        self.writable |= set(names)
        return f"\\{','.join(map(self.name, names))}:{self(node.body)}"

    def _namedexpr(self, node: ast.NamedExpr) -> str:
        return f"({self.name(node.target.id)}={self(node.value)})"

    def _listcomp(self, node: ast.ListComp) -> str:
        loops = "".join(self._comprehension(one) for one in node.generators)
        return f"[{self(node.elt)}{loops}]"

    _generatorexp = _setcomp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> str:
        loops = "".join(self._comprehension(one) for one in node.generators)
        return f"{{{self(node.key)}:{self(node.value)}{loops}}}"

    def _comprehension(self, node: ast.comprehension) -> str:
        tests = "".join(f" if {self(test)}" for test in node.ifs)
        return f" for {self(node.target).strip('()')} in {self.over(node.iter)}{tests}"

    def over(self, node: ast.expr) -> str:
        """What a loop runs over: ``range(4)`` as ``4``."""
        if isinstance(node, ast.Call) and self._called(node.func) == "range" and not node.keywords:
            return "..".join(map(self, node.args))
        return self(node)


def short(name: str) -> str:
    """An identifier, cut where no honest name is that long."""
    return name if len(name) <= _LONGEST else name[:_LONGEST]
