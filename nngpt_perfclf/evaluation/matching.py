"""Which of the offered datasets a generated answer names.

There are two modes. `reference` does what NNGPT does (`extract_answer` and `evaluate_epoch` in
``ab/gpt/ClassificationEval.py``), faults included, so that its published counts can be reproduced. `strict` follows
these rules:

1. A name matches as a whole word, in any case; hyphens, underscores and spaces within it are interchangeable. The
   longest name matches (``cifar-100``, not ``cifar-10``). A part of a longer word does not match, and a word that is
   joined to the name by a hyphen or an underscore makes it a longer word (``fashion-mnist`` does not name ``mnist``).
2. A negated name (``not mnist``, ``rather than mnist``, ``mnist is worse``) does not match.
3. The first match in the text is the answer; without a match it is None.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from nngpt_perfclf.types import PerfclfError

Mode = Literal["strict", "reference"]
_MARKERS = ("### Response:", "<|im_start|>assistant", "<|assistant|>", "[/INST]")
_STRICT_MARKERS = (*_MARKERS, "<|start_header_id|>assistant<|end_header_id|>", "<start_of_turn>model")
_OPENS, _CLOSES = "<think(?:ing)?>", "</think(?:ing)?>"
_NEAR = 80  # characters within which a negation belongs to a name
_SPACES = r"[\s_\-\u2010-\u2015\u2212]"
_JOINS = r"[_\-\u2010-\u2012\u2212]"  # without the dashes that separate clauses
_WORD = r"[^\W_]"
_NEGATED_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|nor|except|unlike|without|(?<!worse\s)(?<!lower\s)(?<!less\s)than|over|versus|vs\.?|beats?|instead\s+of|rather\s+than"
    r"|compared\s+(?:to|with)|(?:worse|worst|lower(?:\s+accuracy)?|less\s+\w+)(?=\s+(?:on|for|with|in)\b)"
    r"|isn'?t|wasn'?t|cannot\s+be|can'?t\s+be|won'?t\s+be)|!=)"
    r"(?:\s+(?:on|for|in|with|be|the|a|an|dataset|it|is|to|likely|really|than))*[\s\"'`*(\[:]*$")
_NEGATED_AFTER = re.compile(
    r"^[\s\"'`*)\]]*(?:dataset\s+)?(?:(?:is|was|does|would|will|has|can|could|performs?)\s*(?:not\b|n'?t\b|never\b)"
    r"|isn'?t|wasn'?t|doesn'?t|won'?t|wouldn'?t"
    r"|(?:is|was|does|performs?|would\s+be|will\s+be)\s+(?:the\s+)?(?:worse|worst|wrong|incorrect|lower|less|harder|out)\b)")


def extract_answer(text: str | None, datasets: Sequence[str | None], mode: Mode = "strict") -> str | None:
    """The dataset that an answer names, or None; entries of `datasets` that are None are never the answer.

    `reference` compares the whole text, then whole words, then words with hyphens and underscores replaced by spaces,
    each with the datasets in the given order. Raises PerfclfError for an unknown mode.
    """
    _check(mode)
    if not text:
        return None
    named = [dataset for dataset in datasets if dataset is not None]
    return _reference(text, named) if mode == "reference" else _strict(text, named)


def read_answer(raw_output: str | None, datasets: Sequence[str | None], mode: Mode = "strict") -> str | None:
    """The dataset that a model's raw output names: `extract_answer` without the echoed prompt and reasoning blocks.

    `reference` keeps the text after the first occurrence of the first marker of its list that occurs, then the text
    after the first ``</think>``. `strict` keeps the text after the last marker of any chat format, and removes closed
    reasoning blocks and everything from an unclosed ``<think>`` on.
    """
    _check(mode)
    if not raw_output:
        return None
    answer = _after_reference_markers(raw_output) if mode == "reference" else _after_markers(raw_output)
    return extract_answer(answer.strip(), [dataset for dataset in datasets if dataset], mode)


def _check(mode: str) -> None:
    if mode not in ("strict", "reference"):
        raise PerfclfError(f"unknown mode of matching {mode!r}; known: strict, reference")


def _reference(text: str, datasets: Sequence[str]) -> str | None:
    lowered = text.strip().lower()
    plain = _plain(lowered)
    tests = (
        lambda name: lowered == name.lower(),
        lambda name: _is_word(name.lower(), lowered),
        lambda name: _is_word(_plain(name.lower()), plain),
    )
    return next((name for test in tests for name in datasets if test(name)), None)


def _plain(text: str) -> str:
    return text.replace("-", " ").replace("_", " ")


def _is_word(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _after_reference_markers(raw: str) -> str:
    marker = next((marker for marker in _MARKERS if marker in raw), None)
    answer = raw.split(marker, 1)[1] if marker else raw
    return answer.split("</think>", 1)[-1]


def _strict(text: str, datasets: Sequence[str]) -> str | None:
    lowered = unicodedata.normalize("NFKC", text).lower()
    names: dict[str, list[str]] = {}
    for name in datasets:
        names.setdefault(_key(name), []).append(name)
    # The alternation takes the first alternative that matches, so longer names come first.
    longest_first = sorted((key for key in names if key), key=len, reverse=True)
    if not longest_first:
        return None
    alternatives = "|".join(map(_pattern, longest_first))
    any_name = re.compile(rf"(?<!{_WORD})(?<!{_WORD}{_JOINS})(?:{alternatives})(?!{_JOINS}?{_WORD})")
    for match in any_name.finditer(lowered):
        before = re.split(r"[.!?;\n](?:\s|$)", lowered[max(0, match.start() - _NEAR):match.start()])[-1]
        if not (_NEGATED_BEFORE.search(before) or _NEGATED_AFTER.search(lowered[match.end():match.end() + _NEAR])):
            spellings = names[_key(match[0])]
            return next((name for name in spellings if name.lower() == match[0]), spellings[0])
    return None


def _key(name: str) -> str:
    return re.sub(rf"{_SPACES}+", " ", unicodedata.normalize("NFKC", name).lower()).strip()


def _pattern(key: str) -> str:
    return rf"{_SPACES}+".join(map(re.escape, key.split(" ")))


def _after_markers(raw: str) -> str:
    ends = [raw.rfind(marker) + len(marker) for marker in _STRICT_MARKERS if marker in raw]
    answer = raw[max(ends, default=0):]
    kept, reasons = [], False
    for part in re.split(f"({_OPENS}|{_CLOSES})", answer, flags=re.IGNORECASE):
        if re.fullmatch(_OPENS, part, re.IGNORECASE):
            reasons = True
        elif re.fullmatch(_CLOSES, part, re.IGNORECASE):
            # A closing tag without an opening one: the chat template opened the block within the prompt.
            kept, reasons = kept if reasons else [], False
        elif not reasons:
            kept.append(part)
    return " ".join(kept)
