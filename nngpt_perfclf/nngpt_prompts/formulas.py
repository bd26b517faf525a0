"""NNGPT's ``<<formula>>`` marks in prompt texts, worked out without running code."""

import ast
import math
import operator
import re
from collections.abc import Mapping
from itertools import pairwise

_MARK = re.compile(r"<<(.*?)>>")
_LONGEST, _LARGEST = 500, 1e6
_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
           ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_COMPARED = {ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
             ast.Gt: operator.gt, ast.GtE: operator.ge}
_MATHS = {"sqrt", "log", "log2", "log10", "log1p", "exp", "expm1", "floor", "ceil", "trunc", "fabs", "pow"}
_FUNCTIONS = {"abs": abs, "round": round, "min": min, "max": max}


class _NoFormula(Exception):  # noqa: N818 (not an error: most marks in code are bit shifts)
    """What stands between the marks cannot be worked out."""


def fill_formulas(text: str, values: Mapping[str, object]) -> str:
    """Replace each ``<<formula>>`` by its value: a float with four decimals, one decimal over 100, two in scientific
    form under 0.001, anything else as Python writes it; names of `values` that hold numbers stand for them.

    The rules are those of NNGPT's ``evaluate_delimited_formulas``, which evaluates as Python; here only arithmetic,
    comparisons, abs, round, min, max and math's functions are. What cannot be worked out stays, trimmed.
    """
    numbers = {name: number for name, value in values.items() if (number := _number(value)) is not None}
    return _MARK.sub(lambda found: _worked_out(found[1].strip(), numbers), text)


def _number(value: object) -> float | None:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _worked_out(formula: str, numbers: Mapping[str, float]) -> str:
    written = formula
    for name in sorted(numbers, key=len, reverse=True):
        written = re.sub(rf"\b{re.escape(name)}\b", str(numbers[name]), written)
    try:
        if len(written) > _LONGEST:
            raise _NoFormula
        return _shown(_value(ast.parse(written, mode="eval").body))
    except (_NoFormula, SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return f"<<{formula}>>"


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if abs(value) < 0.001:
        return f"{value:.2e}"
    return f"{value:.1f}" if value > 100 else f"{value:.4f}"


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=int() | float() | str()):
            return node.value
        case ast.UnaryOp(op=op) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(node.operand))
        case ast.BinOp(op=op) if type(op) in _BINARY:
            return _combined(type(op), _value(node.left), _value(node.right))
        case ast.Compare() if all(type(op) in _COMPARED for op in node.ops):
            sides = [_value(side) for side in (node.left, *node.comparators)]
            return all(_COMPARED[type(op)](*pair) for op, pair in zip(node.ops, pairwise(sides), strict=True))
        case ast.IfExp():
            return _value(node.body if _value(node.test) else node.orelse)
        case ast.Tuple():
            return tuple(map(_value, node.elts))
        case ast.Attribute(value=ast.Name(id="math")) if node.attr in ("pi", "e", "tau", "inf", "nan"):
            return getattr(math, node.attr)
        case ast.Call(keywords=[]):
            return _function(node.func)(*map(_value, node.args))
    raise _NoFormula


def _combined(op: type, left: object, right: object) -> object:
    if not all(isinstance(side, int | float) for side in (left, right)):
        raise _NoFormula
    if op is ast.Pow and isinstance(left, int) and isinstance(right, int) and (abs(left) > _LARGEST or right > 64):
        raise _NoFormula
    return _BINARY[op](left, right)


def _function(node: ast.expr):
    match node:
        case ast.Name() if node.id in _FUNCTIONS:
            return _FUNCTIONS[node.id]
        case ast.Attribute(value=ast.Name(id="math")) if node.attr in _MATHS:
            return getattr(math, node.attr)
    raise _NoFormula
