"""What a language model gets to see of a network's code: its structure within a token budget, or the reference's cut.

The structural view knows neither comments, docstrings, annotations, white space nor the names of local variables, and
no string literal reaches it: nothing in it can carry an instruction.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, takewhile

from nngpt_perfclf.code_view.parsing import parse, quiet
from nngpt_perfclf.code_view.structure import blocks
from nngpt_perfclf.types import PerfclfError

CUT = 2000
_PIECES = re.compile(r"\d|\n+|\s?[^\W\d_]+|[^\w\s]+|_+|\s")


@dataclass(frozen=True)
class View:
    """`text`: what is shown; `parsed`: whether the code parses; `left_out`: in words what the budget did not allow."""

    text: str
    parsed: bool
    left_out: str = ""


@lru_cache(maxsize=16384)
def code_view(code: str, style: str = "ast", tokens: int = 250) -> View:
    """The view of one network's code. `style`: "ast" (structure, at most about `tokens` tokens) or "cut" (the first
    2,000 characters, as NNGPT's templates have it).

    Raises PerfclfError for an unknown style, empty code, and code too large or nested too deeply to be read safely.
    """
    if style not in ("ast", "cut"):
        raise PerfclfError(f"unknown code view {style!r}; known: ast, cut")
    if tokens < 16:
        raise PerfclfError(f"a code view needs at least 16 tokens, not {tokens}")
    tree = parse(code)
    if style == "cut":
        return View(code[:CUT], tree is not None, "" if len(code) <= CUT else f"{len(code) - CUT} characters")
    if tree is None:
        return _unparsed(code, tokens)
    try:
        written = [list(block.lines) for block in blocks(tree)]
    except RecursionError as error:
        raise PerfclfError("the network's code is nested too deeply to be read") from error
    return _within(written, tokens)


def estimate_tokens(text: str) -> int:
    """About how many tokens Gemma's vocabulary needs for a view: a digit is one, a word one for every six letters.

    Over the views of LEMUR's networks the sum is within 2 % of the tokenizer's, nine views of ten within 9 %.
    """
    return sum(_cost(piece.strip()) for piece in _PIECES.findall(text))


def _cost(piece: str) -> int:
    if piece.isalpha():
        return 2 if piece == "relu" else -(-len(piece) // 6)
    return max(1, -(-len(piece) // 3))


def _within(written: list[list[str]], budget: int) -> View:
    lines = [line for block in written for line in block]
    costs = [estimate_tokens(line) + 1 for line in lines]
    if sum(costs) <= budget:
        return View("\n".join(lines) or "no layers", True)
    left, shown = budget - 8, []
    while costs[len(shown)] <= left:
        left -= costs[len(shown)]
        shown.append(lines[len(shown)])
    part = _cut_line(lines[len(shown)], left)
    ends = list(accumulate(map(len, written)))
    started = sum(end - len(block) <= len(shown) for end, block in zip(ends, written, strict=True))
    blocks_left = len(written) - started
    what = f"{blocks_left} more blocks" if blocks_left > 1 else "1 more block" if blocks_left else "the rest"
    return View("\n".join([*shown, *([part] if part else []), f"… {what} left out"]), True, what)


def _cut_line(line: str, budget: int) -> str:
    words = line.split(" ")
    # A word costs the same wherever it stands, so that one walk along the line is enough.
    costs = accumulate(estimate_tokens(f" {word}" if at else word) for at, word in enumerate(words))
    shown = sum(1 for _ in takewhile(lambda cost: cost < budget, costs))
    return " ".join(words[:shown]).rstrip()


def _unparsed(code: str, budget: int) -> View:
    """A cleaned cut of code that does not parse: no comments, no literals, no imports, no blank lines."""
    lines = ["does not parse:"]
    left = budget - estimate_tokens(lines[0])
    for line in quiet(code).splitlines():
        line = line.rstrip()
        # A line of nothing but literals is a docstring, or might have been meant as one.
        if not line.strip(" \t'") or line.lstrip().startswith(("import ", "from ")):
            continue
        cost = estimate_tokens(line) + 1
        if cost > left - 6:
            shown = _cut_line(line.strip(), left - 6)
            return View("\n".join([*lines, *([shown] if shown else []), "… the rest left out"]), False, "the rest")
        lines.append(line)
        left -= cost
    return View("\n".join(lines), False)
