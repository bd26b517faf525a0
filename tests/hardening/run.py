"""Every hardening script, a few at a time; `make harden`. `--resume` goes on with a stopped run."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("kills", "hostile", "shared", "fuzz", "attacks", "damaged", "wheels", "plugins")  # the longest first
AT_ONCE = 3  # on two cores: `hostile` mostly waits
FOLDER = Path(os.environ.setdefault("HARDENING", str(HERE.parents[1] / ".hardening")))


def run(name: str) -> bool:
    """Whether the script ends without a violation, now or before the run was stopped."""
    done, began = FOLDER / f"{name}.done", time.monotonic()
    if done.exists():
        print(f"{name}: done before", flush=True)
        return True
    paths = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent)))
    status = subprocess.run([sys.executable, HERE / f"{name}.py"], check=False,
                            env={**os.environ, "PYTHONPATH": paths}).returncode
    print(f"{name}: took {(time.monotonic() - began) / 60:.1f} min", flush=True)
    if not status:
        done.touch()
    return not status


def main() -> None:
    if "--resume" not in sys.argv:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        held = dict(zip(SCRIPTS, pool.map(run, SCRIPTS), strict=True))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    computed, failed = used.ru_utime + used.ru_stime, [name for name in SCRIPTS if not held[name]]
    print(f"hardening took {(time.monotonic() - began) / 60:.1f} min, {computed / 60:.1f} min of processor time, "
          f"beside a load of {os.getloadavg()[2]:.1f}; "
          + (f"violations in {', '.join(failed)}" if failed else "no violation"))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
