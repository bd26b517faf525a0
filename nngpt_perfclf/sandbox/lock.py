"""Permanent restrictions of a process that is about to run untrusted code; run as a module, for a script.

Three layers of the kernel, none of which takes a privilege: resource limits; Landlock, which hides the user's files and
makes the others read-only; and a seccomp filter, which refuses new processes, signals, sockets and every change of the
file tree. Run as ``python -m nngpt_perfclf.sandbox.lock LIMITS SCRIPT``.
"""

import ctypes
import json
import os
import resource
import runpy
import signal
import sys
from importlib import import_module

from nngpt_perfclf.sandbox import landlock, seccomp
from nngpt_perfclf.sandbox.seccomp import PR_SET_PDEATHSIG, checked

PR_SET_NO_NEW_PRIVS = 38


def lock(limits: dict) -> None:
    """Take the limits and give up every right. `limits`: ``cpu_seconds``, ``memory_bytes``, ``readable``, the files
    and folders that may be read besides the system's libraries, and ``hidden``, folders inside these that may not.

    Raises OSError where the kernel has no seccomp filter, or where a second thread would stay outside of it: code must
    not run then. Where the kernel has no Landlock, every file can be read.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise OSError(seccomp.EPERM, "a library started threads before the lock")
    libc = ctypes.CDLL(None, use_errno=True)
    die_with_parent(libc)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"],) * 2)
    _drop_capabilities(libc)
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    if landlock.version(libc):
        landlock.restrict(libc, limits["readable"], limits["hidden"])
    seccomp.refuse_calls(libc)


def die_with_parent(libc: ctypes.CDLL) -> None:
    """The kernel kills this process when the thread that started it ends."""
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    version_3, this_process = 0x20080522, 0
    checked(libc.capset((ctypes.c_uint32 * 2)(version_3, this_process), (ctypes.c_uint32 * 6)()), "capset")


def main() -> None:
    limits, script = json.loads(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    # Trusted libraries come in first: some of them open files for writing when they are imported.
    for module in limits["modules"]:
        import_module(module)
    lock(limits)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
