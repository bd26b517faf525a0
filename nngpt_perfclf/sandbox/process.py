"""Run an untrusted script in a sandboxed subprocess, and return its output or why it failed."""

import ctypes
import json
import os
import platform
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nngpt_perfclf.sandbox import landlock, seccomp
from nngpt_perfclf.sandbox.words import printable

LOCK = "nngpt_perfclf.sandbox.lock"


@dataclass(frozen=True)
class Limits:
    """`seconds` of wall time, and as many of CPU time for each thread; `memory`: GiB of address space; `output`:
    bytes on both streams together; `threads` for numeric work."""

    seconds: float
    memory: float
    output: int = 4 << 20
    threads: int = 1


@dataclass(frozen=True)
class Finished:
    """What a script left: its standard output, the `seconds` it took, and the `failure` in words, empty if none."""

    output: bytes
    seconds: float
    failure: str


def run(script: Path, folder: Path, limits: Limits, modules: tuple[str, ...] = ()) -> Finished:
    """Run `script` in `folder`, under `limits`: it reads that folder and the installed libraries alone, changes no
    file, has no network, starts no process and sends no signal; never raises for anything that the script does.

    `modules`: trusted ones that are imported before the sandbox closes.
    """
    began = time.monotonic()
    deadline = began + limits.seconds
    locked = json.dumps({**lock_limits(limits, folder), "modules": modules})
    # A session of its own: a signal to the terminal's group, or to this group, reaches only one of the two.
    process = subprocess.Popen([sys.executable, "-P", "-m", LOCK, locked, str(script)], cwd=folder,
                               env=environment(folder, limits.threads), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        output, errors, stopped = _read(process, deadline, limits)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    seconds = time.monotonic() - began
    return Finished(output, seconds, stopped or _failure(process.returncode, errors, limits))


def protections() -> dict[str, str]:
    """What holds candidate code on this machine, in words, by what it protects.

    A missing seccomp filter reads as "none": `run` then fails every script before its first line. "reading": what keeps
    the user's files from being read.
    """
    version = landlock.version(ctypes.CDLL(None, use_errno=True)) if sys.platform == "linux" else 0
    filtered = available()
    seccomp_filter = "seccomp filter" if filtered else "none"
    behind = f", Landlock {version}" if version and filtered else ""
    return {"time": "killed at the deadline, RLIMIT_CPU", "memory": "RLIMIT_AS", "output": "read up to a bound",
            "processes": seccomp_filter, "signals": seccomp_filter + (behind if version >= 6 else ""),
            "network": seccomp_filter + (behind if version >= 4 else ""), "files": seccomp_filter + behind,
            "reading": behind.removeprefix(", ") or "none"}


def available() -> bool:
    """Whether this machine can lock a process up at all; without the seccomp filter no candidate code may run."""
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    kernel_filters = actions.is_file() and "errno" in actions.read_text().split()
    return sys.platform == "linux" and platform.machine() in seccomp.ARCHITECTURES and kernel_filters


def lock_limits(limits: Limits, folder: Path) -> dict:
    """What `lock.lock` takes, for code that works in `folder`."""
    return {"cpu_seconds": int(limits.seconds * limits.threads) + 1, "memory_bytes": int(limits.memory * 2**30),
            "readable": [str(folder), *landlock.libraries()], "hidden": landlock.labelled()}


def environment(folder: Path, threads: int) -> dict[str, str]:
    """Nothing of this process's own environment, which may hold secrets, but where Python finds its packages."""
    count = str(threads)
    package = str(Path(__file__).resolve().parents[2])
    return {"PATH": os.defpath, "HOME": str(folder), "LOGNAME": "nobody", "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join([*(path for path in sys.path if path), package]),
            # PyTorch and matplotlib make these folders when they are not there, which the sandbox refuses.
            "TORCHINDUCTOR_CACHE_DIR": str(folder), "MPLCONFIGDIR": str(folder),
            "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count,
            # OpenBLAS would start its threads on import, before the sandbox closes around this one.
            "OPENBLAS_NUM_THREADS": "1"}


def _read(process: subprocess.Popen, deadline: float, limits: Limits) -> tuple[bytes, bytes, str]:
    """Both streams to their end, and why reading stopped before it, if it did."""
    texts = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in texts:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                return *_bytes(texts), f"ran longer than {limits.seconds:g} s"
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                texts[key.fileobj] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
            if sum(map(len, texts.values())) > limits.output:
                return *_bytes(texts), f"printed more than {limits.output:,} bytes"
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return *_bytes(texts), f"ran longer than {limits.seconds:g} s"
    return *_bytes(texts), ""


def _bytes(texts: dict) -> list[bytes]:
    return [bytes(text) for text in texts.values()]


def _failure(status: int, errors: bytes, limits: Limits) -> str:
    if status == 0:
        return ""
    if status == -signal.SIGXCPU:
        return f"used more than {limits.seconds:g} s of processor time"
    if status < 0:
        return f"died of {signal.Signals(-status).name}"
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    return f"exit status {status}: {printable(lines[-1]) if lines else 'no message'}"
