"""Two processes at once, full disks and read-only folders: each verb ends in its result or in one clear line, and goes
on as if nothing had happened once it is alone, or there is room again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from cases import Cases
from killable import VERBS, Verb

from nngpt_perfclf.types import PerfclfError

LEFT = (0, 40_000, 400_000)  # bytes that are free on the full disk
SIZE = 64  # MiB of the small disk
DONE, TOLD, BROKEN = 0, 3, 4


def start(verb: Verb, folder: Path) -> int:
    """A child that works; its end says whether it was done, or ended with one clear line, as the command line does."""
    child = os.fork()
    if child:
        return child
    status, said = BROKEN, ""
    try:
        os.environ["NNGPT_PERFCLF_HOME"] = str(folder / "home")
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        verb.run(folder)
        status = DONE
    except (PerfclfError, OSError) as error:
        said = " ".join(str(error).split())
        status = TOLD if said else BROKEN
    except BaseException:  # noqa: BLE001 - every other error is the finding
        import traceback

        said = traceback.format_exc()
    finally:
        with suppress(OSError):
            Path(f"{tempfile.gettempdir()}/perfclf-said-{os.getpid()}").write_text(said)
        os._exit(status)


def ended(child: int) -> tuple[int, str]:
    _, status = os.waitpid(child, 0)
    file = Path(f"{tempfile.gettempdir()}/perfclf-said-{child}")
    said = file.read_text()
    file.unlink()
    return os.waitstatus_to_exitcode(status), said


def judged(states: list[tuple[int, str]]) -> tuple[str, str]:
    broken = [said[-500:] for status, said in states if status not in (DONE, TOLD)]
    told = sum(status == TOLD for status, _ in states)
    return f"{len(states)} processes, {told} told in one line", "; ".join(broken)


def together(verb: Verb, folder: Path, reference: object) -> tuple[str, str]:
    """Two processes begin the same work in the same folders."""
    verb.prepare(folder)
    outcome, violation = judged([ended(child) for child in [start(verb, folder), start(verb, folder)]])
    return outcome, violation or alone(verb, folder, reference)


def alone(verb: Verb, folder: Path, reference: object) -> str:
    status, said = ended(start(verb, folder))
    if status != DONE:
        return f"afterwards it fails: {said[-500:]}"
    found = verb.result(folder)
    return "" if found == reference else f"afterwards the result differs: {found} instead of {reference}"[:600]


@contextmanager
def small_disk(place: Path):
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def full(verb: Verb, disk: Path, reference: object, left: int) -> tuple[str, str]:
    folder = disk / "work"
    verb.prepare(folder)
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(filler, max(0, filler.stat().st_size - left))
    outcome, violation = judged([ended(start(verb, folder))])
    filler.unlink()
    return outcome, violation or alone(verb, folder, reference)


def read_only(verb: Verb, disk: Path, reference: object) -> tuple[str, str]:
    folder = disk / "work"
    verb.prepare(folder)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        outcome, violation = judged([ended(start(verb, folder))])
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    return outcome, violation or alone(verb, folder, reference)


def main() -> None:
    cases = Cases("shared")
    with tempfile.TemporaryDirectory(prefix="perfclf-shared-") as place:
        for number, (name, verb) in enumerate(VERBS.items()):
            whole = Path(place) / name
            verb.prepare(whole)
            status, said = ended(start(verb, whole))
            if status != DONE:
                sys.exit(f"shared: {name} fails by itself: {said}")
            reference = verb.result(whole)
            for case in cases.missing([f"{name}: two at once"]):
                cases.note(case, *together(verb, Path(place) / f"{name}-two", reference))
            if os.geteuid() != 0:
                print("shared: full and read-only disks need root: left out", flush=True)
                continue
            for left in LEFT:
                for case in cases.missing([f"{name}: full, {left:,} bytes left"]):
                    with small_disk(Path(place) / f"disk-{number}-{left}") as disk:
                        cases.note(case, *full(verb, disk, reference, left))
            for case in cases.missing([f"{name}: read-only"]):
                with small_disk(Path(place) / f"disk-{number}-ro") as disk:
                    cases.note(case, *read_only(verb, disk, reference))
    cases.finish()


if __name__ == "__main__":
    main()
