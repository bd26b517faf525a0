"""Run folders become the advisers that travel with the package, so that names work without training.

``python -m nngpt_perfclf.advice.shipping RUN…`` copies what answering needs; what only training needs stays behind.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from nngpt_perfclf.advice.loading import FOLDERS, SHIPPED
from nngpt_perfclf.console import say
from nngpt_perfclf.record import read_json, write_json
from nngpt_perfclf.types import PerfclfError

LARGEST = 12_000_000  # bytes of one adviser: the package is downloaded whole
LEFT_BEHIND = ("checkpoints", "log.jsonl", "shards")


def ship(run: Path, shipped: Path = SHIPPED) -> Path:
    """Copy the finished run folder of an adviser into the package, in the place of the one of its kind.

    Raises PerfclfError where the run is unfinished, of another kind, or too large. A `prior.json` is copied beside the
    advisers too, for those that read nothing.
    """
    told = read_json(run / "run.json")
    kinds = {kind: name for name, kind in FOLDERS.items()}
    if told.get("kind") not in kinds or told.get("status") != "done":
        raise PerfclfError(f"{run} is no finished run of an adviser ({', '.join(kinds)})")
    target = shipped / told["kind"]
    unfinished = target.with_name(f".{target.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(run, unfinished, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    # Where somebody trained is nobody's business and of no use elsewhere.
    told["config"] |= {"out": None, "threads": None, "corpus": {**told["config"]["corpus"], "path": None}}
    write_json(unfinished / "run.json", told)
    size = sum(file.stat().st_size for file in unfinished.rglob("*") if file.is_file())
    if size > LARGEST:
        shutil.rmtree(unfinished)
        raise PerfclfError(f"{run} takes {size:,} bytes, more than the {LARGEST:,} that may travel with the package")
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    shutil.copy(target / "prior.json", shipped / "prior.json")
    return target


if __name__ == "__main__":
    for name in sys.argv[1:]:
        say(f"shipped {ship(Path(name))}")
