"""A run folder: the state of a run, and its manifest `run.json`: what was run, on which data, with which versions."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nngpt_perfclf import __version__
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError

MANIFEST = "run.json"
DONE = "done"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "lightgbm", "scikit-learn", "pandas", "datasketch")
# What must agree for a stopped run to go on.
_IDENTITY = ("kind", "data", "config", "adviser", "pairs")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run: begun, finished or free."""

    path: Path

    @property
    def manifest(self) -> dict:
        """The content of run.json; raises PerfclfError where there is none or it is damaged."""
        return read_json(self.path / MANIFEST)

    @property
    def is_begun(self) -> bool:
        return (self.path / MANIFEST).is_file()

    @property
    def is_done(self) -> bool:
        """Whether a finished run lies here."""
        return self.is_begun and self.manifest.get("status") == DONE

    @property
    def result(self) -> dict:
        """What the finished run found."""
        return self.manifest.get("result", {})

    def claim(self, resume: bool) -> RunFolder:
        """Itself, if a run may be written here. Raises PerfclfError for a file, and for a folder that holds a run
        already unless that one is to be resumed."""
        if self.path.exists() and not self.path.is_dir():
            raise PerfclfError(f"{self.path} is a file; out= must name a folder")
        if self.is_begun and not resume:
            raise PerfclfError(f"{self.path} already holds a run: name another out=, or continue it with resume=true")
        return self

    def begin(self, begun: dict) -> None:
        """Write the manifest; raises PerfclfError where the folder holds that of another configuration or data."""
        if self.is_begun:
            there = self.manifest
            changed = [key for key in _IDENTITY if _canonical(there.get(key)) != _canonical(begun.get(key))]
            if changed:
                raise PerfclfError(f"{self.path} was begun with another {', '.join(changed)}: name another out=")
            return
        self.note(begun)

    def note(self, manifest: dict) -> None:
        """Write the manifest over the one that may be there."""
        write_json(self.path / MANIFEST, manifest)


def manifest(kind: str, config: dict, fingerprint: str, **more) -> dict:
    """The content of ``run.json``: `kind` of adviser or run, configuration, commit, versions, data fingerprint."""
    return {"kind": kind, "version": __version__, "commit": _commit(), "data": fingerprint, "versions": _versions(),
            "config": config, **more}


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The checkout's commit, with a + where files differ from it; None for an installed package, whose folder may lie
    in somebody else's checkout."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    said = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=checkout, capture_output=True, text=True,
                          check=False)
    return said.stdout.strip() or None


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
