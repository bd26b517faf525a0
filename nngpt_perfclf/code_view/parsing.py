"""Reading a candidate's code as a syntax tree: bounded in size, depth and time, never executed."""

import ast
import re
import warnings
from functools import lru_cache
from threading import Lock

from nngpt_perfclf.types import PerfclfError

# At least twice what the largest network in LEMUR needs: 178,375 characters, 14,611 words, 29,630 nodes, depths of
# 141,462, 9 levels of brackets.
# `_DEPTHS` bounds the sum of all nodes' depths: what is read once for every block around it costs that much.
LARGEST = 400_000
DEEPEST = 120
_NESTED = 200
_WORDS = 40_000
_NODES = 60_000
_DEPTHS = 400_000
_DEFINITIONS = 1500
# Strings and comments are taken out before anything is counted: brackets within them nest nothing.
_QUIET = re.compile(r"""
    (?:(?<!\w)[rRuU])? (?:                                                  # prefixes that a docstring may have
        "{3} [^"\\]*+ (?: (?: \\[\s\S]? | "(?!"") ) [^"\\]*+ )*+ (?: "{3} | \Z )
      | '{3} [^'\\]*+ (?: (?: \\[\s\S]? | '(?!'') ) [^'\\]*+ )*+ (?: '{3} | \Z )
      | " (?: [^"\\\n]++ | \\[\s\S] )*+ "?
      | ' (?: [^'\\\n]++ | \\[\s\S] )*+ '?
    ) | [#][^\n]*""", re.VERBOSE)
_WORD = re.compile(r"\w+")
_UNARY = re.compile(r"(?:[-+~]\s*+|not\s++|lambda\s*+:\s*+|await\s++){60}")
# CPython 3.11 counts the depth of the tree that it builds for all threads together: two that parse at the same time can
# raise SystemError "AST constructor recursion depth mismatch". `warnings.catch_warnings` is not thread-safe either.
_ONE_AT_A_TIME = Lock()
_INDENT = re.compile(r"^[ \t]*(?=\S)", re.MULTILINE)


def parse(code: str) -> ast.Module | None:
    """The syntax tree, or None for code that does not parse.

    Raises PerfclfError for no code at all, more than 400,000 characters, 40,000 words, 60,000 nodes or 1,500
    definitions, and for brackets, indentation (120 levels) or expressions (200) nested more deeply, or much code nested
    deeply: such code could exhaust its reader.
    """
    if not code.strip():
        raise PerfclfError("the network's code is empty")
    if len(code) > LARGEST:
        raise PerfclfError(f"the network's code has {len(code):,} characters, more than {LARGEST:,}")
    quieted = quiet(code)
    if len(_WORD.findall(quieted)) > _WORDS:
        raise PerfclfError(f"the network's code has more than {_WORDS:,} words")
    _refuse_deep(quieted)
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return None
    except (RecursionError, MemoryError) as error:
        raise PerfclfError("the network's code is nested too deeply to be read") from error
    _refuse_endless(tree)
    return tree


@lru_cache(maxsize=256)
def parses(code: str) -> bool:
    """Whether the code parses; raises PerfclfError as `parse` does, and for text that is no Unicode. Remembered, since
    a loop asks many questions about one code."""
    if not code.isascii():
        try:
            code.encode("utf-8")
        except UnicodeEncodeError as error:
            raise PerfclfError(f"the network's code is not valid Unicode: {error.reason}") from error
    return parse(code) is not None


def quiet(code: str, mark: str = "''") -> str:
    """The code with its comments taken out and its string literals replaced by `mark`; any text, also unparsable."""
    return _QUIET.sub(lambda found: "" if found[0].startswith("#") else mark, code)


def _refuse_deep(code: str) -> None:
    depth = 0
    for bracket in re.findall(r"[()\[\]{}]", code):
        depth = depth + 1 if bracket in "([{" else max(depth - 1, 0)
        if depth > DEEPEST:
            raise PerfclfError(f"the network's code nests brackets more than {DEEPEST} levels deep")
    if _UNARY.search(code):
        raise PerfclfError("the network's code chains more operators than any network needs")
    levels: list[int] = []
    for found in _INDENT.finditer(code):
        width = len(found[0])
        while levels and levels[-1] >= width:
            levels.pop()
        levels.append(width)
        if len(levels) > DEEPEST:
            raise PerfclfError(f"the network's code is indented more than {DEEPEST} levels deep")


def _refuse_endless(tree: ast.AST) -> None:
    level, nodes, depths, definitions = [tree], 0, 0, 0
    for depth in range(_NESTED):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        nodes += len(level)
        depths += len(level) * depth
        definitions += sum(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in level)
        if nodes > _NODES or definitions > _DEFINITIONS:
            raise PerfclfError(f"the network's code has more than {_NODES:,} nodes or {_DEFINITIONS:,} definitions")
        if depths > _DEPTHS:
            raise PerfclfError("the network's code has too much deeply nested code to be read")
        if not level:
            return
    raise PerfclfError(f"the network's code nests expressions or blocks more than {_NESTED} levels deep")
