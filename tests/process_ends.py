"""Whether a process ends, for the tests of what must die with its parent."""

import time


def ends_within(seconds: float, process: int) -> bool:
    """Wait until the process is gone or a zombie; False if it is still alive after so many seconds."""
    deadline = time.monotonic() + seconds
    while _alive(process):
        if time.monotonic() >= deadline:
            return False
    return True


def _alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
