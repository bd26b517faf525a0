"""Which of the offered datasets a generated answer names.

Two readings of the same text. `reference` does what NNGPT does (`extract_answer` and `evaluate_epoch` in
``ab/gpt/ClassificationEval.py``), faults included, so that its published counts can be reproduced. `strict` is meant:

1. A name counts where it stands as a whole word, in any case, with hyphens, underscores and spaces alike; where two
   names could start, the longer one does (``cifar-100`` is no ``cifar-10``), and a part of a longer word is no name
   (``fashion-mnist`` is no ``mnist``).
2. A name that is negated (``not mnist``, ``rather than mnist``, ``mnist is worse``) does not count.
3. Of several names that count, the one that stands first in the text wins; none: None.
"""

from __future__ import annotations

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
_JOINER = r"[_\-\u2010\u2011]"  # makes one word of two
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
    """The dataset that a bare answer names, or None; entries of `datasets` that are None are never the answer.

    `reference` tries the whole text, then whole words, then words with hyphens and underscores as spaces, each for the
    datasets in the order given. Raises PerfclfError for an unknown mode.
    """
    _check(mode)
    if not text:
        return None
    named = [dataset for dataset in datasets if dataset is not None]
    return _reference(text, named) if mode == "reference" else _strict(text, named)


def read_answer(raw_output: str | None, datasets: Sequence[str | None], mode: Mode = "strict") -> str | None:
    """The same for a model's raw output: the echoed prompt and the reasoning block are taken out first.

    `reference` keeps what follows the first occurrence of the first marker in its list that occurs, then what follows
    the first ``</think>``. `strict` keeps what follows the last marker of any chat format, drops every closed reasoning
    block, and all from an unclosed ``<think>`` on.
    """
    _check(mode)
    if not raw_output:
        return None
    answer = _after_reference_markers(raw_output) if mode == "reference" else _after_markers(raw_output)
    return extract_answer(answer.strip(), [dataset for dataset in datasets if dataset], mode)


def _check(mode: str) -> None:
    if mode not in ("strict", "reference"):
        raise PerfclfError(f"unknown way of reading answers {mode!r}; known: strict, reference")


def _reference(text: str, datasets: Sequence[str]) -> str | None:
    said = text.strip().lower()
    plain = _plain(said)
    tests = (
        lambda name: said == name.lower(),
        lambda name: _is_word(name.lower(), said),
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
    said = unicodedata.normalize("NFKC", text).lower()
    names: dict[str, list[str]] = {}
    for name in datasets:
        names.setdefault(_key(name), []).append(name)
    # A longer name stands before its own beginning, so that the alternation takes it.
    longest_first = sorted((key for key in names if key), key=len, reverse=True)
    if not longest_first:
        return None
    anyone = re.compile(rf"(?<![^\W_])(?<![^\W_]{_JOINER})(?:{'|'.join(map(_pattern, longest_first))})"
                        rf"(?!{_JOINER}?[^\W_])")
    for found in anyone.finditer(said):
        before = re.split(r"[.!?;\n](?:\s|$)", said[max(0, found.start() - _NEAR):found.start()])[-1]
        if not (_NEGATED_BEFORE.search(before) or _NEGATED_AFTER.search(said[found.end():found.end() + _NEAR])):
            same = names[_key(found[0])]
            return next((name for name in same if name.lower() == found[0]), same[0])
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
            # A closing mark without an opening one: the chat template opened the block within the prompt.
            kept, reasons = kept if reasons else [], False
        elif not reasons:
            kept.append(part)
    return " ".join(kept)
