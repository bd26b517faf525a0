"""A thousand hostile requests: huge, slow, cut, malformed, wrong types and encodings; the server goes on answering."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from cases import Cases, gone
from made_scorers import SOUND

COUNT, ASKED_EVERY = 1_000, 25
SLOWEST = 5.0  # seconds for a good request in between
MOST_MEMORY = 1_500  # MiB
GOOD = json.dumps({"target": "svhn", "candidates": [{"name": "n", "arch_code": SOUND}]}).encode()
PATHS = ("/rank", "/gate", "/advise", "/outcomes", "/decisions?after=x", "/metrics", "/nowhere", "/../etc/passwd")


def hostile(number: int) -> bytes:
    """The bytes of one request."""
    rng = random.Random(number)
    path, body = rng.choice(PATHS), bytearray(GOOD)
    for _ in range(rng.randrange(1, 9)):
        body[rng.randrange(len(body))] = rng.randrange(256)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode()
    values = rng.choice([None, [], {}, "x" * 99_999, 10**400, -1, True, "\ud800", {"a": [[[]]]}, [GOOD.decode()] * 99])
    typed = json.dumps({rng.choice(("target", "candidates", "questions", "outcomes", "more")): values}).encode()
    made = (
        head + f"Content-Length: {len(body)}\r\n\r\n".encode() + bytes(body),
        head + f"Content-Length: {len(typed)}\r\n\r\n".encode() + typed,
        head + b"Content-Length: 99999999999\r\n\r\n", head + b"Content-Length: -1\r\n\r\n",
        head + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n", head + b"Content-Length: 10\r\n\r\nab",
        head + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        head + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n", rng.randbytes(rng.randrange(1, 3000)), b"A" * 70_000, b"\x16\x03\x01\x02\x00\x01",
        head + b"X: " + b"y" * 60_000 + b"\r\n\r\n", head + b"".join(b"X%d: y\r\n" % n for n in range(3000)) + b"\r\n",
        head + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        head + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        head + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + b"\x1f\x8b" + bytes(18),
        head + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000,
        f"DELETE {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        head + f"Content-Length: {len(GOOD)}\r\nAuthorization: Bearer \xff\r\n\r\n".encode("latin-1") + GOOD,
        f"GET {path}?{'a' * 30_000} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), GOOD, b"\r\n" * 500, b"")
    return rng.choice(made)


def send(port: int, raw: bytes, rng: random.Random) -> str:
    """Send it, sometimes slowly or without reading; what came back in a word."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            if rng.random() < 0.05:
                for place in range(0, min(len(raw), 40), 4):
                    connection.sendall(raw[place:place + 4])
                    time.sleep(0.01)
            else:
                connection.sendall(raw)
            if rng.random() < 0.1:
                return "left without reading"
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(4)
            answer = connection.recv(200)
        except OSError:
            return "connection closed"
    return f"status {answer[9:12].decode(errors='replace')}" if answer.startswith(b"HTTP/1.1 ") else "no answer"


def good(port: int) -> float:
    """Seconds that a good request takes; raises where it is not answered."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/rank", GOOD)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    if answer.status != 200 or len(told["rows"]) != 1:
        raise RuntimeError(f"a good request got {answer.status}")
    return time.monotonic() - began


def memory(process: int) -> float:
    return int(Path(f"/proc/{process}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    cases = Cases("hostile")
    if find_spec("uvicorn") is None:
        print("hostile: the extra serve is not installed: left out", flush=True)
        cases.finish()
    with tempfile.TemporaryDirectory(prefix="perfclf-hostile-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = subprocess.Popen([sys.executable, "-m", "nngpt_perfclf", "serve", f"serve.port={port}",
                                   "advice.profile=never", "serve.seconds=2", f"out={folder}"],
                                  env={**os.environ, "NNGPT_PERFCLF_HOME": folder}, stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            for case in cases.missing(map(str, range(COUNT))):
                number, violation = int(case), ""
                outcome = send(port, hostile(number), random.Random(number))
                if outcome == "status 500":
                    violation = "an internal error"
                if number % ASKED_EVERY == 0:
                    violation = violation or checked(server, port)
                cases.note(case, outcome, violation)
            cases.note("at the end", "answers", checked(server, port))
        finally:
            server.terminate()
            server.wait(20)
        cases.note("afterwards", "ended", "" if gone(folder) else "a process is left")
    cases.finish()


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            good(port)
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server does not start")


def checked(server: subprocess.Popen, port: int) -> str:
    if server.poll() is not None:
        return f"the server ended with {server.returncode}"
    try:
        seconds = good(port)
    except (OSError, http.client.HTTPException, RuntimeError, ValueError) as error:
        return f"a good request failed: {error}"
    if seconds > SLOWEST:
        return f"a good request took {seconds:.1f} s"
    return f"{memory(server.pid):.0f} MiB" if memory(server.pid) > MOST_MEMORY else ""


if __name__ == "__main__":
    main()
