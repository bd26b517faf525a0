"""How Python's expressions are written in few tokens: names canonical, constants worked out, strings a neutral mark."""

import ast
import re
from collections.abc import Iterable, Mapping

from nngpt_perfclf.code_view.names import OPTIONS, Definitions, letter, short

_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "==",
    ast.IsNot: "!=", ast.In: " in ", ast.NotIn: " not in ", ast.And: " and ", ast.Or: " or ", ast.Not: "not ",
    ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
}


class Notation:
    """Writes the expressions of one function, all but calls and names. `values`: names whose text stands in for them;
    `lists`: names of lists whose items are known; `attributes`: texts that stand in for ``self.NAME``."""

    def __init__(self, defined: Definitions, names: Iterable[str], attributes: Mapping[str, list[str]],
                 bound: str = "", of_data: bool = False) -> None:
        self.defined, self.attributes, self.bound = defined, attributes, bound
        # A forward's data is called x, y, z, …: the layers put into its chains may speak of the constructor's a, b, c.
        self.alphabet = "xyzwvuts" if of_data else "abcdefghijklmnopqr"
        self.locals: dict[str, str] = {}
        self.bearers: dict[str, set[str]] = {}
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.writable = set(names)
        self.channels = ""
        self.live = 0

    def name(self, name: str) -> str:
        """The canonical name of a local variable, given at its first use."""
        if name not in self.locals:
            self.call(name, letter(len(self.locals), self.alphabet))
        return self.locals[name]

    def call(self, name: str, written: str) -> None:
        """From here on the variable `name` is written so, and none of its old texts stands for it."""
        self.bearers.get(self.locals.get(name, ""), set()).discard(name)
        self.bearers.setdefault(written, set()).add(name)
        self.locals[name] = written

    def forget(self, name: str) -> None:
        """What was known of a variable's value holds no longer."""
        self.values.pop(name, None)
        self.lists.pop(name, None)

    def __call__(self, node: ast.AST | None) -> str:
        """The text of one expression."""
        if node is None:
            return ""
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            text = ",".join(self(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
        else:
            text = write(node)
        self.defined.spend(1 + len(text) // 16)
        return text

    def over(self, node: ast.expr) -> str:
        """What a loop runs over."""
        return self(node)

    def _constant(self, node: ast.Constant) -> str:
        value = node.value
        if isinstance(value, str):
            return value if value in OPTIONS else "''"
        if isinstance(value, float):
            return f"{value:g}".removeprefix("0") if 0 < value < 1 else f"{value:g}"
        if isinstance(value, bytes) or (isinstance(value, int) and value.bit_length() > 128):
            return "''"
        return short(str(value)) if not isinstance(value, bool) else ("1" if value else "0")

    def _slice(self, node: ast.Slice) -> str:
        return f"{self(node.lower)}:{self(node.upper)}" + (f":{self(node.step)}" if node.step else "")

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
        decides, changes_nothing = ("0", "1") if isinstance(node.op, ast.And) else ("1", "0")
        texts = [text for text in map(self._operand, node.values) if text != changes_nothing]
        return decides if decides in texts else _OPERATORS[type(node.op)].join(texts) or changes_nothing

    def _compare(self, node: ast.Compare) -> str:
        if len(node.ops) == 1 and (worked := _compared(self(node.left), node.ops[0], self(node.comparators[0]))):
            return worked
        return self._operand(node.left) + "".join(_OPERATORS[type(sign)] + self._operand(operand)
                                                  for sign, operand in zip(node.ops, node.comparators, strict=True))

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
        pairs = zip(node.keys, node.values, strict=True)
        return "{" + ",".join(f"{self(key)}:{self(value)}" for key, value in pairs) + "}"

    def _joinedstr(self, node: ast.JoinedStr) -> str:
        return "''"

    def _lambda(self, node: ast.Lambda) -> str:
        names = [argument.arg for argument in node.args.args]
        self.writable |= set(names)
        return f"\\{','.join(map(self.name, names))}:{self(node.body)}"

    def _namedexpr(self, node: ast.NamedExpr) -> str:
        return f"({self.name(node.target.id)}={self(node.value)})"

    def _listcomp(self, node: ast.ListComp) -> str:
        loops = "".join(self._comprehension(generator) for generator in node.generators)
        return f"[{self(node.elt)}{loops}]"

    _generatorexp = _setcomp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> str:
        loops = "".join(self._comprehension(generator) for generator in node.generators)
        return f"{{{self(node.key)}:{self(node.value)}{loops}}}"

    def _comprehension(self, node: ast.comprehension) -> str:
        tests = "".join(f" if {self(test)}" for test in node.ifs)
        return f" for {self(node.target).strip('()')} in {self.over(node.iter)}{tests}"


def _compared(left: str, sign: ast.cmpop, right: str) -> str:
    """1 or 0 for a comparison of two plain constants, "" for any other."""
    both = (left, right)
    if isinstance(sign, ast.Eq | ast.NotEq | ast.Is | ast.IsNot) and "None" in both and left != right:
        plain = all(re.fullmatch(r"None|\d+|[(\[].*[)\]]|[A-Z]\w+", side) for side in both)
        return "" if not plain else "0" if isinstance(sign, ast.Eq | ast.Is) else "1"
    if not all(re.fullmatch(r"None|\d{1,9}", side) for side in both):
        return ""
    if isinstance(sign, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        return str(int((left == right) == isinstance(sign, ast.Eq | ast.Is)))
    order = {ast.Lt: int.__lt__, ast.LtE: int.__le__, ast.Gt: int.__gt__, ast.GtE: int.__ge__}.get(type(sign))
    return str(int(order(int(left), int(right)))) if order and "None" not in both else ""
