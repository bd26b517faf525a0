"""Statements of a network's code as lines of text: layers put where they are used, data flow as chains of steps.

``b=a: conv3:64>64 bn relu`` reads: a passes through these layers and becomes b; ``a: …``: it stays a.
"""

import ast
import re
from collections import Counter

from nngpt_perfclf.code_view.expressions import Phrases
from nngpt_perfclf.code_view.names import Definitions, boilerplate, fold, parameters
from nngpt_perfclf.code_view.usage import Attributes, assigned, changed, fold_lines, headed, names_used

_SERVICE = re.compile(r"optimi[sz]er|criteri|loss|scaler|device|scheduler|logg|verbose|name$")
_SWITCHED_OFF = re.compile(r"checkpoint|(^|_)amp($|_)|memory_efficient")
_SILENT = {"to", "train", "eval", "info", "warning", "debug", "warn", "empty_cache", "apply", "post_init",
           "update", "collect", "register_buffer", "seed", "manual_seed"}
_WORD = re.compile(r"\w+")
_CONTRACT = ("in", "out", "prm", "dev")


class Writer:
    """Writes one function: `signature`, its parameters by their canonical names, and `body()`, its lines."""

    def __init__(self, function: ast.FunctionDef, defined: Definitions, attributes: Attributes, contract: bool) -> None:
        self.function, self.attributes = function, attributes
        names = parameters(function)
        static = any(isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
                     for decorator in function.decorator_list)
        method = bool(attributes.stores or attributes.loads or names[:1] == ["self"]) and not static
        bound, names = (names[0], names[1:]) if method and names else ("", names)
        self.phrases = Phrases(defined, assigned(function), attributes, bound, of_data=function.name == "forward")
        if contract:
            self.phrases.values |= dict(zip(names, _CONTRACT, strict=False))
            names = names[len(_CONTRACT):]
        self.signature = ",".join(self._parameter(name) for name in names)
        self.uses = Counter(names_used(function))
        self.straight = True
        self.later: Counter[str] = Counter()

    def body(self) -> list[str]:
        """The function's lines, without variables that nothing reads."""
        self.later = Counter(self.uses)
        lines = self._block(self.function.body)
        mentions = Counter(word for line in lines for word in _WORD.findall(line))
        kept = []
        for line in reversed(lines):
            target = re.match(r" *([a-z]\d*)=(?!=)", line)
            if target and mentions[target[1]] == 1:
                mentions.subtract(_WORD.findall(line))
            else:
                kept.append(line)
        return fold_lines(kept[::-1])

    def _parameter(self, name: str) -> str:
        given = self.function.args
        ordered = [*given.posonlyargs, *given.args]
        optional = ordered[len(ordered) - len(given.defaults):]
        pairs = [*zip(optional, given.defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
        defaults = {parameter.arg: value for parameter, value in pairs if value is not None}
        written = self.phrases.name(name)
        return f"{written}={self.phrases(defaults[name])}" if name in defaults else written

    def _block(self, statements: list[ast.stmt]) -> list[str]:
        lines: list[str] = []
        head, steps = "", []

        def flush() -> None:
            if steps:
                lines.append(f"{head}: {' '.join(fold(steps))}")

        for statement in statements:
            if self.straight:
                self.later.subtract(names_used(statement))
            taken = self._steps(statement)
            if taken is None:
                written = self._statement(statement)
                if written:
                    flush()
                    head, steps = "", []
                    lines += written
                continue
            target, root, further = taken
            if target == root and head.split("=")[0] == root:
                steps += further
                continue
            flush()
            head, steps = (target if target == root else f"{target}={root}"), list(further)
        flush()
        return lines

    def _steps(self, node: ast.stmt) -> tuple[str, str, list[str]] | None:
        """Target, root and steps of ``x = f(g(y))`` or ``return f(y)``, or None for another statement."""
        if isinstance(node, ast.Return) and node.value is not None:
            found = self.phrases.chain(node.value)
            return None if found is None else (found[0], *found)
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            return None
        found = self.phrases.chain(node.value)
        name = node.targets[0].id
        if found is None or name in self.phrases.values or name in self.phrases.lists:
            return None
        root, steps = found
        if self.straight:
            bearers = self.phrases.bearers[root]
            bearers -= {other for other in bearers if self.later[other] <= 0}
            if not bearers - {name}:
                # Nothing reads the old variable any more: the new one goes on under its name.
                self.phrases.call(name, root)
        return self.phrases.name(name), root, steps

    def _statement(self, node: ast.stmt) -> list[str]:
        match node:
            case ast.Assign():
                return [line for target in node.targets for line in self._assign(target, node.value)]
            case ast.AugAssign():
                return self._grow(node)
            case ast.Expr():
                return self._expression(node.value)
            case ast.Return() if node.value is not None:
                return [f"return {self.phrases(node.value)}"]
            case ast.If():
                return self._if(node)
            case ast.With() | ast.Try() if self.straight:
                return self._straight(node, node.body)
            case ast.With() | ast.Try():
                return self._block(node.body)
        if not isinstance(node, ast.For | ast.While | ast.FunctionDef):
            return []
        settled = self._settled(node)
        match node:
            case ast.For():
                over = self.phrases.over(node.iter)
                if over.endswith(("modules()", "parameters()")):
                    return []
                head = f"for {self.phrases(node.target).strip('()')} in {over}"
            case ast.While():
                head = f"while {self.phrases(node.test)}"
            case _:
                names = ",".join(self.phrases.name(name) for name in parameters(node))
                head = f"def {self.phrases.name(node.name)}({names})"
        lines = self._inner(node.body)
        return [*settled, *headed(head, lines)] if lines else settled

    def _settled(self, node: ast.stmt) -> list[str]:
        """Lines that say the known values of the variables which a loop or branch is about to change."""
        lines = []
        for name in self._oldest_first(changed(node)):
            if self.phrases.values.get(name) not in _CONTRACT:
                text = self.phrases(ast.Name(name, ast.Load()))
                self.phrases.forget(name)
                lines.append(f"{self.phrases.name(name)}={text}")
        return lines

    def _oldest_first(self, names: set[str]) -> list[str]:
        """Those of the names whose value is known, in the order in which they got it."""
        if not any(name in self.phrases.values or name in self.phrases.lists for name in names):
            return []
        bound = [*self.phrases.values, *self.phrases.lists]
        self.phrases.defined.spend(len(bound) // 16)
        return [name for name in bound if name in names]

    def _straight(self, node: ast.stmt, body: list[ast.stmt]) -> list[str]:
        """A body that surely runs: its statements count as the function's own."""
        self.later.update(names_used(node))
        return self._block(body)

    def _inner(self, body: list[ast.stmt]) -> list[str]:
        straight, self.straight = self.straight, False
        lines = self._block(body)
        self.straight = straight
        return lines

    def _if(self, node: ast.If) -> list[str]:
        test = self.phrases(node.test)
        if test in ("0", "1"):
            body = node.body if test == "1" else node.orelse
            return self._straight(node, body) if self.straight else self._block(body)
        settled = self._settled(node) if self.straight else []
        lines, otherwise = self._inner(node.body), self._inner(node.orelse)
        if not lines and otherwise:
            return [*settled, *headed(f"if not ({test})", otherwise)]
        both = [*(headed(f"if {test}", lines) if lines else []), *(headed("else", otherwise) if otherwise else [])]
        return [*settled, *both]

    def _assign(self, target: ast.expr, value: ast.expr) -> list[str]:
        if isinstance(target, ast.Attribute):
            return self._attribute(target, value)
        if isinstance(target, ast.Name):
            return self._variable(target.id, value)
        if isinstance(target, ast.Tuple | ast.List):
            return self._unpack(target, value)
        return [f"{self.phrases(target)}={self.phrases(value)}"]

    def _attribute(self, target: ast.Attribute, value: ast.expr) -> list[str]:
        if _SERVICE.search(target.attr.lower()):
            return []
        if _SWITCHED_OFF.search(target.attr.lower()):
            self.attributes[target.attr] = ["0"]
            return []
        steps = self.phrases.steps(value)
        own = self.phrases.is_self(target.value)
        if own and self.straight and self.attributes.settle(target.attr, steps):
            return []
        return [f"{self.phrases(target)}: {' '.join(steps) or '()'}"]

    def _variable(self, name: str, value: ast.expr) -> list[str]:
        self.phrases.forget(name)
        if self.straight and isinstance(value, ast.List):
            self.phrases.lists[name] = self.phrases.items(value.elts)
            return []
        before = self.phrases.live
        steps = self.phrases.steps(value)
        text = steps[0] if len(steps) == 1 else "(" + " ".join(steps) + ")"
        if self.straight and self.phrases.live == before and (len(text) <= 16 or self.uses[name] <= 1):
            self.phrases.values[name] = text
            return []
        written = self.phrases.name(name)
        return [] if text == written else [f"{written}={text}"]

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr) -> list[str]:
        names = [element.id if isinstance(element, ast.Name) else None for element in target.elts]
        if isinstance(value, ast.Tuple) and len(value.elts) == len(names):
            return [line for element, part in zip(target.elts, value.elts, strict=True)
                    for line in self._assign(element, part)]
        whole = self.phrases(value)
        if whole in ("in", "out") and all(names) and self.straight:
            canonical = {("in", 1): "cin", ("out", 0): "n"}
            for place, name in enumerate(names):
                self.phrases.values[name] = canonical.get((whole, place), f"{whole}[{place}]")
            return []
        return [f"{','.join(map(self.phrases, target.elts))}={whole}"]

    def _grow(self, node: ast.AugAssign) -> list[str]:
        if isinstance(node.target, ast.Name):
            name = node.target.id
            if name in self.phrases.lists:
                items = self.phrases.known_list(node.value)
                self.phrases.lists[name] += [f"*{self.phrases(node.value)}"] if items is None else items
                return []
            if self.straight and name in self.phrases.values:
                return self._variable(name, ast.BinOp(ast.Name(name, ast.Load()), node.op, node.value))
        if isinstance(node.value, ast.List):
            return [f"{self.phrases(node.target)}+={' '.join(fold(self.phrases.items(node.value.elts)))}"]
        return [f"{self.phrases(node.target)}={self.phrases(ast.BinOp(node.target, node.op, node.value))}"]

    def _expression(self, value: ast.expr) -> list[str]:
        if not isinstance(value, ast.Call) or self._is_silent(value.func):
            return []
        function = value.func
        if isinstance(function, ast.Attribute):
            grown = function.value.id if isinstance(function.value, ast.Name) else None
            if grown in self.phrases.lists and function.attr in ("append", "extend") and len(value.args) == 1:
                items = [value.args[0]] if function.attr == "append" else [ast.Starred(value.args[0])]
                self.phrases.lists[grown] += self.phrases.items(items)
                return []
            if function.attr == "append" and len(value.args) == 1:
                return [f"{self.phrases(function.value)}+={' '.join(self.phrases.steps(value.args[0]))}"]
            if function.attr == "add_module" and len(value.args) == 2:
                return [f"{self.phrases(function.value)}+={' '.join(self.phrases.steps(value.args[1]))}"]
        return [self.phrases(value)]

    def _is_silent(self, function: ast.expr) -> bool:
        """Whether a bare call builds nothing: printing, super(), moving to a device, setting first weights."""
        if isinstance(function, ast.Name):
            return function.id in ("print", "super", "setattr")
        if isinstance(function, ast.Attribute):
            of_super = isinstance(function.value, ast.Call) and isinstance(function.value.func, ast.Name)
            return of_super or function.attr in _SILENT or function.attr.endswith("_") or boilerplate(function.attr)
        return False
