"""Text that candidate code printed, cleaned for terminals and logs."""

import re

LONGEST = 300
# ECMA-48: control sequences (colours, cursor), operating system commands (titles, links), and the two-byte escapes.
_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*"
                      r"(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?")


def printable(text: str, longest: int = LONGEST) -> str:
    """One line of at most `longest` characters without terminal escapes, control characters or lone surrogates."""
    text = _ESCAPES.sub("", text[:4 * longest])
    return "".join(c if c.isprintable() else " " for c in text)[:longest]


def unicode_fault(code: str) -> str | None:
    """Why `code` cannot be written to a file, None where it can: a lone surrogate is no character."""
    try:
        code.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"the network's code is not valid Unicode: {error.reason}"
    return None
