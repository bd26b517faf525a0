"""Hints in error messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, names: Iterable[str], prefix: str = "") -> str:
    """``; did you mean X?`` for the known name nearest to `word`, with `prefix` before it; empty if none is near."""
    near = difflib.get_close_matches(str(word), list(names), n=1, cutoff=0.5)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
