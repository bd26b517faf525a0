"""Writes requirements/locked.txt: what set-up installs, with the hashes of every file that the registry has of it.

`make lock` runs it with constraints.txt and their hashes, made by uv, on standard input.
"""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[1]
EXTRAS = ("train", "llm", "serve", "optuna", "dev")  # as in the Makefile; llm contains train
LOCKED = CHECKOUT / "requirements" / "locked.txt"
HEAD = """\
# What set-up installs, by `make lock` from constraints.txt: pip takes no file with another hash. torch's CPU build is
# in torch-cpu.txt. Where pip does not find it, set-up adds the libraries that the CUDA build needs.
"""


def wanted() -> set[str]:
    """The names of all packages that the extras need in this environment, pip and setuptools among them."""
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    lines = [setup["options"]["install_requires"], *(setup["options.extras_require"][name] for name in EXTRAS)]
    names = "\n".join(lines).split()
    waiting = [Requirement(name) for name in names if not name.startswith("nngpt-perfclf")]
    found, seen = {"pip", "setuptools"}, set()
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        for extra in {"", *asked.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            found.add(name)
            try:
                needed = map(Requirement, requires(asked.name) or ())
            except PackageNotFoundError:
                continue
            waiting += [one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})]
    return found


def main() -> None:
    blocks = re.findall(r"^\S+==[^\n]*\n(?: +--hash=[^\n]*\n?)+", sys.stdin.read(), re.MULTILINE)
    names = wanted()
    kept = [block.rstrip() for block in blocks if canonicalize_name(block.split("==")[0]) in names]
    LOCKED.write_text(HEAD + "\n".join(kept) + "\n")
    print(f"{len(kept)} of {len(names)} packages locked; not in constraints.txt: "
          f"{', '.join(sorted(names - {canonicalize_name(block.split('==')[0]) for block in kept})) or 'none'}")


if __name__ == "__main__":
    main()
