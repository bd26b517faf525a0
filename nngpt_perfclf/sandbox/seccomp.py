"""The seccomp filter: no new process, no signal, no socket, no change of the file tree. It needs no privilege, cannot
be undone, and is inherited by every thread that is started afterwards."""

import ctypes
import os
import platform
import sys

PR_SET_PDEATHSIG, PR_SET_SECCOMP = 1, 22
EPERM, EACCES, ENOSYS = 1, 13, 38

# Denied calls: name -> number on x86_64, on aarch64 (None: that machine has no such call). What a capability guards is
# not named: the process has none left.
DENIED = {
    # processes and signals
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97),
    "setns": (308, 268), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    # talking to others, and memory that outlives the process or that no limit counts
    "socket": (41, 198), "socketpair": (53, 199), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "memfd_create": (319, 279), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    # the file tree
    "creat": (85, None), "truncate": (76, 45), "unlink": (87, None), "unlinkat": (263, 35), "rmdir": (84, None),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34),
    "mknod": (133, None), "mknodat": (259, 33), "link": (86, None), "linkat": (265, 37), "symlink": (88, None),
    "symlinkat": (266, 36), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
}
CLONE, OPEN, OPENAT, PRLIMIT, FCNTL, PRCTL = (56, 220), (2, None), (257, 56), (302, 261), (72, 25), (157, 167)
# From here on the numbers are the same everywhere, and a program can do without every one of these calls (io_uring,
# clone3, openat2, pidfd_…): "not implemented" sends it to the older call, which the filter can look into.
FIRST_NEW_CALL = 424

CLONE_THREAD = 0x10000
F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE = 8, 10, 15, 1024
OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def filter_program(machine: str) -> bytes:
    """The seccomp filter as classic BPF. Raises OSError for a machine whose call numbers are not known here."""
    if machine not in ARCHITECTURES or sys.byteorder != "little":
        raise OSError(ENOSYS, f"no seccomp filter for {machine}")
    column, audit = ARCHITECTURES[machine]
    steps = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_JUMP_AT_LEAST, 0, 1, FIRST_NEW_CALL), (_RETURN, 0, 0, _ERRNO | ENOSYS)]
    for numbers in DENIED.values():
        if numbers[column] is not None:
            steps += [(_JUMP_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERRNO | EPERM)]

    def unless(call: tuple, argument: int, tests: list[tuple], error: int) -> None:
        """Look into one argument's low half: the last step of `tests` falls through to the refusal or skips it."""
        if call[column] is None:
            return
        inner = [(_LOAD, 0, 0, 16 + 8 * argument), *tests, (_RETURN, 0, 0, _ERRNO | error), (_RETURN, 0, 0, _ALLOW)]
        steps.extend([(_JUMP_EQUAL, 0, len(inner), call[column]), *inner])

    unless(CLONE, 0, [(_JUMP_ANY_BIT, 1, 0, CLONE_THREAD)], EPERM)
    unless(OPEN, 1, [(_JUMP_ANY_BIT, 0, 1, OPEN_TO_WRITE)], EACCES)
    unless(OPENAT, 2, [(_JUMP_ANY_BIT, 0, 1, OPEN_TO_WRITE)], EACCES)
    unless(PRLIMIT, 0, [(_JUMP_EQUAL, 1, 0, 0)], EPERM)
    # To outlive its parent, a process would take back that it dies with it.
    unless(PRCTL, 0, [(_JUMP_EQUAL, 0, 1, PR_SET_PDEATHSIG)], EPERM)
    others = (F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE)  # signals to others, and files that others wait for
    unless(FCNTL, 1, [(_JUMP_EQUAL, len(others) - 1 - i, int(i == len(others) - 1), command)
                      for i, command in enumerate(others)], EPERM)
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")
                    for code, yes, no, value in steps)


def refuse_calls(libc: ctypes.CDLL) -> None:
    """Install the filter; the process must have set PR_SET_NO_NEW_PRIVS. Raises OSError where the kernel refuses."""
    program = filter_program(platform.machine())
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = _Filter(len(program) // 8, ctypes.cast(code, ctypes.c_void_p).value)
    checked(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(filter_), 0, 0), "PR_SET_SECCOMP")


def checked(result: int, what: str) -> int:
    """The result of a C call; raises OSError with `errno` where it is negative."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
