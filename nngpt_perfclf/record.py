"""A run folder's record: what was run, on which data, with which versions."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

from nngpt_perfclf.files import whole
from nngpt_perfclf.types import PerfclfError

_LIBRARIES = ("torch", "transformers", "trl", "peft", "lightgbm", "scikit-learn", "pandas", "datasketch")


def record(kind: str, config: dict, fingerprint: str, **more) -> dict:
    """The content of ``run.json``: `kind` of adviser or run, configuration, commit, versions, data fingerprint."""
    from nngpt_perfclf import __version__

    return {"kind": kind, "version": __version__, "commit": _commit(), "data": fingerprint,
            "versions": {name: version(name) for name in _LIBRARIES}, "config": config, **more}


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all."""
    with whole(path) as new:
        new.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON object; raises PerfclfError where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PerfclfError(f"no {path.name} in {path.parent}: is it a run folder?") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PerfclfError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise PerfclfError(f"{path} must hold a JSON object")
    return content


def _commit() -> str | None:
    """The checkout's commit, with a + where files differ from it; None outside a checkout."""
    said = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=Path(__file__).parent, capture_output=True,
                          text=True, check=False)
    return said.stdout.strip() or None
