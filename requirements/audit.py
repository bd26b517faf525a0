"""Prints the advisories that name a version in constraints.txt, from local copies of advisory databases.

    python requirements/audit.py ADVISORIES...

ADVISORIES: a checkout of github.com/pypa/advisory-database (YAML in OSV's format), or the file data/insecure.json of
github.com/pyupio/safety-db. Where the network allows it, `pip-audit` asks the current databases instead.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

FILES = [Path(__file__).parents[1] / name for name in ("constraints.txt", "requirements/torch-cpu.txt")]
Advisory = tuple[str, str, bool]  # package, what the advisory is called, whether it names the pinned version


def pins() -> dict[str, Version]:
    """The pinned versions by name, without a local part such as ``+cpu``."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    found = re.findall(r"^([\w.-]+)==([\w.!]+)", text, re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


def from_osv(folder: Path, pinned: dict[str, Version]) -> Iterator[Advisory]:
    for file in sorted(folder.glob("vulns/*/*.yaml")):
        name = canonicalize_name(file.parent.name)
        if name in pinned:
            entry = yaml.safe_load(file.read_text(encoding="utf-8"))
            ranges = [one["events"] for part in entry["affected"] for one in part.get("ranges", ())
                      if one["type"] == "ECOSYSTEM"]
            listed = {version for part in entry["affected"] for version in part.get("versions", ())}
            hit = str(pinned[name]) in listed or any(_inside(events, pinned[name]) for events in ranges)
            yield name, entry["id"], hit and "withdrawn" not in entry


def from_safety_db(file: Path, pinned: dict[str, Version]) -> Iterator[Advisory]:
    for package, ranges in json.loads(file.read_text(encoding="utf-8")).items():
        name = canonicalize_name(package)
        if name in pinned:
            for versions in ranges:
                yield name, f"{package} {versions}", SpecifierSet(versions, prereleases=True).contains(pinned[name])


def _inside(events: list[dict[str, str]], version: Version) -> bool:
    """Whether the events of a range, each one of introduced, fixed and last_affected, leave the version affected."""
    inside = False
    for at, kind in sorted((Version(text), kind) for event in events for kind, text in event.items()):
        if version > at or (version == at and kind != "last_affected"):
            inside = kind == "introduced"
    return inside


def main(places: list[str]) -> int:
    pinned = pins()
    if not places:
        sys.exit(__doc__)
    advisories = [one for place in map(Path, places)
                  for one in (from_osv if place.is_dir() else from_safety_db)(place, pinned)]
    hits = sorted({what for _, what, hit in advisories if hit})
    print(f"{len(pinned)} versions, {len(advisories)} advisories about {len({name for name, *_ in advisories})} of "
          f"the packages; affected: {', '.join(hits) or 'none'}")
    return bool(hits)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
