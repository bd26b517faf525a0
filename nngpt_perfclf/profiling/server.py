"""The fork server: imports PyTorch once, then forks one locked child for each network.

It runs no candidate code itself: it reads requests, forks, reads what the children say up to a bound, kills those that
take too long and passes the bytes on unread. Frames on both streams: a line of JSON with `length`, then so many bytes.
"""

import ctypes
import gc
import json
import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field

from nngpt_perfclf.sandbox.lock import die_with_parent, lock

NO_SANDBOX = 3  # the server's exit status where no child can lock itself
_CHUNK = 1 << 16


@dataclass
class Child:
    """One network that is being profiled; `deadline` on the monotonic clock; `answer`: what it has said so far."""

    number: int
    process: int
    began: float
    deadline: float
    answer: bytearray = field(default_factory=bytearray)
    stopped: str = ""


class Server:
    """Answers requests until their stream ends. `requests`, `answers`: file descriptors; `limits`: ``seconds``,
    ``output`` in bytes, and those of `lock`.

    Answers wait in memory until they are taken: a server that waited for its reader could not read its next request,
    which the reader may be writing.
    """

    def __init__(self, requests: int, answers: int, limits: dict):
        self.requests, self.answers, self.limits = requests, answers, limits
        self._children: dict[int, Child] = {}
        self._outgoing = bytearray()

    def serve(self) -> None:
        """Until the requests end."""
        os.set_blocking(self.answers, False)
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self.requests, selectors.EVENT_READ)
            while True:
                for key, _ in self._selector.select(self._wait()):
                    if key.fd == self.requests:
                        asked = read_frame(self.requests)
                        if asked is None:
                            return
                        self._start(*asked)
                    elif key.fd == self.answers:
                        self._send()
                    elif _hear(self._children[key.fd], key.fd, self.limits):
                        self._finish(key.fd)
                self._stop_late()

    def _wait(self) -> float | None:
        soonest = min((child.deadline for child in self._children.values()), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic())

    def _start(self, head: dict, body: bytes) -> None:
        reading, writing = os.pipe()
        began = time.monotonic()
        process = os.fork()
        if process == 0:
            _become_child(writing, head, body, self.limits)
        os.close(writing)
        os.set_blocking(reading, False)
        self._children[reading] = Child(head["number"], process, began, began + self.limits["seconds"])
        self._selector.register(reading, selectors.EVENT_READ)

    def _stop_late(self) -> None:
        now = time.monotonic()
        for pipe in [pipe for pipe, child in self._children.items() if child.deadline <= now]:
            self._children[pipe].stopped = "time"
            self._finish(pipe)

    def _finish(self, pipe: int) -> None:
        child = self._children.pop(pipe)
        self._selector.unregister(pipe)
        os.close(pipe)
        died_of = _ended(child.process)
        head = {"number": child.number, "stopped": child.stopped, "signal": died_of,
                "seconds": round(time.monotonic() - child.began, 4)}
        if not self._outgoing:
            self._selector.register(self.answers, selectors.EVENT_WRITE)
        self._outgoing += frame(head, b"" if child.stopped else bytes(child.answer))

    def _send(self) -> None:
        del self._outgoing[:os.write(self.answers, self._outgoing[:_CHUNK])]
        if not self._outgoing:
            self._selector.unregister(self.answers)


def read_frame(stream: int) -> tuple[dict, bytes] | None:
    """The next frame's head and body, None at the end of the stream. No byte beyond it is read."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(stream, 1)
        if not byte:
            return None
        line += byte
    head = json.loads(line)
    body = bytearray()
    while len(body) < head["length"]:
        chunk = os.read(stream, min(_CHUNK, head["length"] - len(body)))
        if not chunk:
            return None
        body += chunk
    return head, bytes(body)


def frame(head: dict, body: bytes) -> bytes:
    """`head` and `body` as one frame."""
    return json.dumps({**head, "length": len(body)}).encode() + b"\n" + body


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


def _hear(child: Child, pipe: int, limits: dict) -> bool:
    """Read what is there; True: there is no more to come, or it is too much."""
    chunk = os.read(pipe, _CHUNK)
    child.answer += chunk
    if len(child.answer) > limits["output"]:
        child.stopped = "output"
    return not chunk or bool(child.stopped)


def _ended(process: int) -> int:
    """The signal that the child died of by itself, or 0. Whatever goes on after its last word is killed."""
    ended, status = os.waitpid(process, os.WNOHANG)
    if ended:
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return 0 if died == signal.SIGKILL else died


def _check_lock(limits: dict) -> None:
    """Exit with NO_SANDBOX where a child cannot lock itself: no network may be called broken for that."""
    process = os.fork()
    if process == 0:
        status = NO_SANDBOX
        try:
            lock(limits)
            status = 0
        except OSError as error:
            print(f"no sandbox: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    _, ended = os.waitpid(process, 0)
    if ended != 0:
        sys.exit(NO_SANDBOX)


def main() -> None:
    die_with_parent(ctypes.CDLL(None, use_errno=True))
    limits = json.loads(sys.argv[1])
    if os.getppid() != limits["parent"]:
        return
    # Nothing that a library prints may mix with the answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    from nngpt_perfclf.profiling.warm_up import warm_up

    warm_up()
    gc.collect()
    gc.freeze()
    _check_lock(limits)
    Server(0, answers, limits).serve()


if __name__ == "__main__":
    main()
