"""A hundred kill -9 at random moments: resumed results equal uninterrupted ones, and no process is left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cases import Cases
from killable import VERBS, Verb

IN_A_ROW = 4  # kills of one work before it may end
SHARES = {"corpus": 16, "trees": 12, "language": 12, "evaluation": 16, "loop": 16, "gate": 12, "prune": 8, "serve": 8}


@dataclass
class Work:
    """One verb in one folder, done by a child process that is killed."""

    verb: Verb
    folder: Path

    def start(self) -> int:
        """The child's number. It is forked, so that it starts at once with all libraries imported."""
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            os.setsid()
            quiet = os.open(self.folder / "child.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            os.environ["NNGPT_PERFCLF_HOME"] = str(self.folder / "home")
            self.verb.run(self.folder)
            status = 0
        except BaseException:  # noqa: BLE001 - the parent reads it in the log
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def to_the_end(self) -> float:
        """Seconds that it took; raises RuntimeError where it fails."""
        began = time.monotonic()
        _, status = os.waitpid(self.start(), 0)
        if status:
            raise RuntimeError((self.folder / "child.log").read_text()[-600:])
        return time.monotonic() - began

    def killed_after(self, seconds: float) -> bool:
        """Whether it was still at work; with it end the processes that it started."""
        child, deadline = self.start(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                _, status = os.waitpid(child, 0)
                if status:
                    raise RuntimeError((self.folder / "child.log").read_text()[-600:])
                return False
            time.sleep(min(0.01, max(0.0, deadline - time.monotonic())))
        family = descendants(child)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        deadline = time.monotonic() + 10
        while alive := [one for one in family if is_alive(one)]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes {alive} outlive the one that was killed")
            time.sleep(0.02)
        return True


def descendants(process: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, new = [], [process]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def killed(cases: Cases, name: str, verb: Verb, kills: int, place: Path) -> None:
    """Works that are killed up to `IN_A_ROW` times each, until there were so many kills."""
    whole = Work(verb, place / f"{name}-whole")
    verb.prepare(whole.folder)
    seconds = whole.to_the_end()
    reference = verb.result(whole.folder)
    done, turn = 0, 0
    while done < kills:
        case, rng = f"{name} {turn}", random.Random(f"{name} {turn}")
        turn += 1
        if case in cases.done:
            done += cases.done[case]["kills"]
            continue
        work, own, violation = Work(verb, place / f"{name}-{turn}"), 0, ""
        verb.prepare(work.folder)
        try:
            for _ in range(min(IN_A_ROW, kills - done)):
                if not work.killed_after(rng.uniform(0, seconds)):
                    break
                own += 1
            work.to_the_end()
            found = verb.result(work.folder)
            violation = "" if found == reference else f"resumed result differs: {found} instead of {reference}"[:600]
        except RuntimeError as error:
            violation = str(error)
        cases.note(case, f"works of {name}", violation, kills=own, seconds=seconds)
        done += own
        shutil.rmtree(work.folder)


def main() -> None:
    cases = Cases("kills")
    wanted = {name: count for name, count in SHARES.items() if name in VERBS}
    with tempfile.TemporaryDirectory(prefix="perfclf-kills-") as place:
        for name, count in wanted.items():
            killed(cases, name, VERBS[name], count, Path(place))
    print(f"kills: {sum(row['kills'] for row in cases.done.values())} kills over {', '.join(wanted)}", flush=True)
    cases.finish()


if __name__ == "__main__":
    main()
