"""A worker process: receives a `Training`, then candidates and targets, and sends an outcome for each. Run as
``python -m nngpt_perfclf.loop.worker DESCRIPTOR``; it ends with the process that started it."""

import ctypes
import sys
from multiprocessing.connection import Connection

from nngpt_perfclf.sandbox.lock import die_with_parent

READY = "ready"


def main() -> None:
    if sys.platform == "linux":
        die_with_parent(ctypes.CDLL(None, use_errno=True))
    with Connection(int(sys.argv[1])) as connection:
        training = connection.recv()
        connection.send(READY)
        while True:
            try:
                candidate, target = connection.recv()
            except EOFError:
                return
            connection.send(training(candidate, target))


if __name__ == "__main__":
    main()
