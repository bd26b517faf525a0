"""Every hardening script, one after the other; `make harden`. `--resume` goes on with a stopped run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("attacks", "plugins", "damaged", "shared", "hostile", "kills", "fuzz", "wheels")


def main() -> None:
    folder = Path(os.environ.setdefault("HARDENING", str(HERE.parents[1] / ".hardening")))
    if "--resume" not in sys.argv:
        shutil.rmtree(folder, ignore_errors=True)
    paths = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent)))
    failed, began = [], time.monotonic()
    for name in SCRIPTS:
        done = subprocess.run([sys.executable, HERE / f"{name}.py"], check=False,
                              env={**os.environ, "PYTHONPATH": paths})
        if done.returncode:
            failed.append(name)
    print(f"hardening took {(time.monotonic() - began) / 60:.1f} min; "
          + (f"violations in {', '.join(failed)}" if failed else "no violation"))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
