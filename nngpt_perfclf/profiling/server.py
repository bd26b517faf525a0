"""The fork server: imports PyTorch once, then forks one locked child for each network.

It runs no candidate code itself: it reads requests, forks, reads what the children say up to a bound, kills those that
take too long and passes the bytes on unread. Frames on both streams: a line of JSON with `length`, then so many bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import BinaryIO

from nngpt_perfclf.sandbox.lock import die_with_parent, lock

_CHUNK = 1 << 16


@dataclass
class Child:
    """One network that is being profiled; `deadline` on the monotonic clock."""

    number: int
    process: int
    began: float
    deadline: float
    answer: bytearray = field(default_factory=bytearray)
    stopped: str = ""


def read_frame(stream: BinaryIO) -> tuple[dict, bytes] | None:
    """The next frame's head and body, None at the end of the stream."""
    line = stream.readline()
    if not line:
        return None
    head = json.loads(line)
    return head, stream.read(head["length"])


def frame(head: dict, body: bytes) -> bytes:
    """`head` and `body` as one frame."""
    return json.dumps({**head, "length": len(body)}).encode() + b"\n" + body


def serve(requests: BinaryIO, answers: BinaryIO, limits: dict) -> None:
    """Answer requests until their stream ends. `limits`: ``seconds``, ``output`` in bytes, and those of `lock`."""
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        children: dict[int, Child] = {}
        while True:
            soonest = min((child.deadline for child in children.values()), default=None)
            wait = None if soonest is None else max(0.0, soonest - time.monotonic())
            for key, _ in selector.select(wait):
                if key.fileobj is requests:
                    asked = read_frame(requests)
                    if asked is None:
                        return
                    pipe, child = _start(asked, limits)
                    children[pipe] = child
                    selector.register(pipe, selectors.EVENT_READ)
                elif _heard(children[key.fd], key.fd, limits):
                    _finish(selector, children, key.fd, answers)
            late = [pipe for pipe, child in children.items() if child.deadline <= time.monotonic()]
            for pipe in late:
                children[pipe].stopped = "time"
                _finish(selector, children, pipe, answers)


def _start(asked: tuple[dict, bytes], limits: dict) -> tuple[int, Child]:
    head, body = asked
    reading, writing = os.pipe()
    began = time.monotonic()
    process = os.fork()
    if process == 0:
        _become_child(writing, head, body, limits)
    os.close(writing)
    os.set_blocking(reading, False)
    return reading, Child(head["number"], process, began, began + limits["seconds"])


def _become_child(answer: int, head: dict, body: bytes, limits: dict) -> None:
    """Never returns: locks itself, profiles one network, writes what it found."""
    try:
        os.dup2(answer, 3)
        os.closerange(4, 1 << 16)
        with open(os.devnull, "r+b") as null:
            for stream in (0, 1, 2):
                os.dup2(null.fileno(), stream)
        from nngpt_perfclf.profiling.build import profile

        lock(limits)
        found = profile(body.decode(), head["request"])
        said = json.dumps(found).encode()
        while said:
            said = said[os.write(3, said):]
    finally:
        os._exit(0)


def _heard(child: Child, pipe: int, limits: dict) -> bool:
    """Read what is there; True: there is no more to come, or it is too much."""
    with contextlib.suppress(BlockingIOError):
        chunk = os.read(pipe, _CHUNK)
        child.answer += chunk
        if len(child.answer) > limits["output"]:
            child.stopped = "output"
        return not chunk or bool(child.stopped)
    return False


def _finish(selector, children: dict[int, Child], pipe: int, answers: BinaryIO) -> None:
    child = children.pop(pipe)
    selector.unregister(pipe)
    os.close(pipe)
    # What closed its stream has nothing more to say, whether it goes on or not.
    ended = _ended(child.process)
    seconds = time.monotonic() - child.began
    head = {"number": child.number, "stopped": child.stopped, "signal": ended, "seconds": round(seconds, 4)}
    answers.write(frame(head, b"" if child.stopped else bytes(child.answer)))
    answers.flush()


def _ended(process: int) -> int:
    """Wait for the child, which is killed if it has not ended yet; the signal that it died of by itself, or 0."""
    ended, status = os.waitpid(process, os.WNOHANG)
    if ended:
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return 0 if died == signal.SIGKILL else died


def main() -> None:
    die_with_parent(ctypes.CDLL(None, use_errno=True))
    limits = json.loads(sys.argv[1])
    if os.getppid() != limits["parent"]:
        return
    # Nothing that a library prints may mix with the answers.
    requests, answers = sys.stdin.buffer.raw, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from nngpt_perfclf.profiling.warm_up import warm_up

    warm_up()
    gc.collect()
    gc.freeze()
    serve(requests, answers, limits)


if __name__ == "__main__":
    main()
