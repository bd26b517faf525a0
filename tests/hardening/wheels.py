"""The wheel: the same bytes from two builds, installed by pip alone on Python 3.11, 3.12 and 3.13, and asked there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cases import Cases

CHECKOUT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")


def build(place: Path) -> Path:
    """The wheel of the commit that is checked out, as `make wheel` makes it."""
    source = place / "source"
    source.mkdir(parents=True)
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--no-same-permissions"], cwd=source, input=packed, check=True, umask=0o022)
    told = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=CHECKOUT, capture_output=True, text=True,
                          check=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, source], check=True,
                   capture_output=True, umask=0o022,
                   env={**os.environ, "SOURCE_DATE_EPOCH": told.stdout.strip(), "PYTHONHASHSEED": place.name})
    return next(place.glob("*.whl"))


def interpreter(version: str) -> str | None:
    """A Python of this version, from where pyenv keeps them or the path."""
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python"))
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")


def asked(python: str, wheel: Path, place: Path) -> tuple[str, str]:
    """Install the wheel without an extra, and ask for advice and a ranking."""
    subprocess.run([python, "-m", "venv", place], check=True)
    run = {"cwd": place, "capture_output": True, "text": True, "timeout": 600,
           "env": {"PATH": os.environ["PATH"], "HOME": str(place), "NNGPT_PERFCLF_HOME": str(place / "home"),
                   **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}}}
    done = subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", wheel], check=False, **run)
    if done.returncode:
        return "not installed", done.stderr[-300:]
    shutil.copy(CHECKOUT / "examples" / "network.py", place / "network.py")
    command, began = place / "bin" / "nngpt-perfclf", time.monotonic()
    advised = subprocess.run([command, "advise", "network.py", "svhn", "mnist", "--json"], check=False, **run)
    ranked = subprocess.run([command, "rank", "network.py", "--target", "svhn", "--json", "advice.profile=never"],
                            check=False, **run)
    seconds = time.monotonic() - began
    for told in (advised, ranked):
        if told.returncode:
            return "does not answer", told.stderr[-300:]
    if json.loads(advised.stdout)["answer"] not in ("svhn", "mnist"):
        return "does not answer", advised.stdout[:300]
    return f"advise and rank answer in {seconds:.1f} s together", ""


def main() -> None:
    cases = Cases("wheels")
    with tempfile.TemporaryDirectory(prefix="perfclf-wheels-") as folder:
        wheels = [build(Path(folder) / number) for number in "12"]
        sums = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
        print(f"wheels: {sums[0]}  {wheels[0].name}", flush=True)
        cases.note("two builds", "equal", "" if len(set(sums)) == 1 else f"the wheels differ: {sums}")
        for version in cases.missing(VERSIONS):
            python = interpreter(version)
            if python is None:
                print(f"wheels: no Python {version} here: left out", flush=True)
                continue
            cases.note(version, *asked(python, wheels[0], Path(folder) / version))
    cases.finish()


if __name__ == "__main__":
    main()
