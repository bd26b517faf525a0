"""The cases of a hardening script: counted as they are done, kept on disk, so that a stopped script goes on."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from nngpt_perfclf.config import load_config

# Made-up networks cannot be built: all would be broken. The answers of these scripts are not kept for the user.
NOT_BUILT = load_config(overrides=["advice.profile=never", "advice.answer_cache=false"])
FOLDER = Path(os.environ.get("HARDENING", ".hardening"))
SHOWN_EVERY = 10.0  # seconds


class Cases:
    """Cases of the script `name`, each with an outcome in a few words; a violation is what must not happen."""

    def __init__(self, name: str):
        FOLDER.mkdir(exist_ok=True)
        self.name, self.file = name, FOLDER / f"{name}.jsonl"
        lines = self.file.read_text().splitlines() if self.file.is_file() else []
        # A violation is tried again.
        self.done = {row["case"]: row for row in map(json.loads, lines) if not row["violation"]}
        self._shown = time.monotonic()

    def missing(self, cases: Iterable[str]) -> Iterator[str]:
        """Those that are not done yet."""
        return (case for case in cases if case not in self.done)

    def note(self, case: str, outcome: str, violation: str = "", **figures: float) -> None:
        row = {"case": case, "outcome": outcome, "violation": violation, **figures}
        self.done[case] = row
        with self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        if violation:
            print(f"{self.name}: VIOLATION {case}: {violation}", flush=True)
        if time.monotonic() - self._shown > SHOWN_EVERY:
            self._shown = time.monotonic()
            print(f"{self.name}: {len(self.done):,} cases so far", flush=True)

    def finish(self) -> None:
        """Print the counts and end the process: 1 where there is a violation."""
        counts = Counter(row["outcome"] for row in self.done.values())
        bad = [row for row in self.done.values() if row["violation"]]
        print(f"{self.name}: {len(self.done):,} cases, {len(bad)} violations: "
              + ", ".join(f"{count:,} {outcome}" for outcome, count in counts.most_common()), flush=True)
        sys.exit(bool(bad))


def processes_with(word: str) -> list[int]:
    """The processes, but for this one, whose command line has `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            ended = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word.encode() in command and not ended:
            found.append(int(entry.name))
    return found


def gone(word: str, seconds: float = 15.0) -> bool:
    """Whether those processes end within so many seconds."""
    deadline = time.monotonic() + seconds
    while processes_with(word):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
