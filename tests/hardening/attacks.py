"""Attacks on the sandbox. Each prints LOOT where it succeeds; what it must not change is compared afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

from cases import Cases, gone

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.local_training import image_sets, trainer
from nngpt_perfclf.profiling.pool import Pool, Task
from nngpt_perfclf.profiling.types import shapes_of
from nngpt_perfclf.sandbox import process as sandbox
from nngpt_perfclf.types import Candidate, Recipe

SMALL = sandbox.Limits(seconds=8, memory=0.8, output=1 << 16)
PATIENT = replace(SMALL, seconds=60)  # for what ends by itself, on a busy machine too
LARGE = sandbox.Limits(seconds=180, memory=4)
LUCK = 0.3  # no network that does not learn gets so far on 512 images of 8 or 10 classes

# What a script prints LOOT for; HOME is the cache folder, TREASURE a file of the user, PARENT the process outside.
EXPRESSIONS = {
    "fork": "os.fork() >= 0", "vfork": "libc.vfork() >= 0", "clone": "libc.syscall(56, 17, 0, 0, 0, 0) >= 0",
    "clone3": "libc.syscall(435, ctypes.create_string_buffer(88), 88) >= 0",
    "clone in a user namespace": "libc.syscall(56, 17 | 0x10000000, 0, 0, 0, 0) >= 0",
    "exec": "os.execv('/bin/echo', ['echo', 'LOOT'])", "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "fexecve": "libc.syscall(322, os.open('/bin/echo', os.O_RDONLY), b'', 0, 0, 0x1000) == 0",
    "popen": "os.popen('echo LOOT').read()", "subprocess": "subprocess.run(['echo', 'LOOT']).returncode == 0",
    "multiprocessing": "multiprocessing.Process(target=print).start() is None",
    "a detached daemon": "os.fork() == 0 and os.setsid() and os.fork() == 0",
    "take back dying with the parent": "libc.prctl(1, 0, 0, 0, 0) == 0",
    "kill the parent": "os.kill(PARENT, 0) is None", "kill all": "os.kill(-1, 0) is None",
    "kill the group": "os.killpg(os.getpgid(PARENT), 0) is None",
    "tgkill": "libc.syscall(234, PARENT, PARENT, 10) == 0", "sigqueue": "libc.sigqueue(PARENT, 10, 0) == 0",
    "a pidfd of the parent": "signal.pidfd_send_signal(os.pidfd_open(PARENT), 0) is None",
    "signals by a file's owner": "fcntl.fcntl(1, fcntl.F_SETOWN, PARENT) == 0",
    "ptrace attach": "libc.ptrace(16, PARENT, 0, 0) == 0", "ptrace seize": "libc.ptrace(0x4206, PARENT, 0, 0) == 0",
    "the parent's memory": "open(f'/proc/{PARENT}/mem', 'rb')",
    "the parent's memory by process_vm_readv": "libc.process_vm_readv(PARENT, 0, 0, 0, 0, 0) >= 0",
    "the parent's environment": "open(f'/proc/{PARENT}/environ', 'rb').read()",
    "the parent's files": "os.listdir(f'/proc/{PARENT}/fd')",
    "the parent's limits": "resource.prlimit(PARENT, resource.RLIMIT_CPU, (1, 1)) is None",
    "the parent's priority": "os.setpriority(os.PRIO_PROCESS, PARENT, 19) is None",
    "the parent's processors": "os.sched_setaffinity(PARENT, {0}) is None",
    "TCP": "socket.socket()", "UDP": "socket.socket(type=socket.SOCK_DGRAM)", "UNIX socket": "socket.socketpair()",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "raw socket": "socket.socket(17, 3)",
    "io_uring": "libc.syscall(425, 1, ctypes.create_string_buffer(120)) >= 0", "bpf": "libc.syscall(321, 0, 0, 0) >= 0",
    "memfd": "os.memfd_create('x')", "shared memory": "libc.shmget(0, 4096, 0o1600) >= 0",
    "userfaultfd": "libc.syscall(323, 0) >= 0", "perf": "libc.syscall(298, 0, 0, 0, -1, 0) >= 0",
    "keyring": "libc.syscall(250, 0, -3, 0) >= 0", "unshare": "libc.unshare(0x10000000) == 0",
    "mount": "libc.mount(b'x', b'/mnt', b'tmpfs', 0, 0) == 0", "chroot": "os.chroot('.') is None",
    "more memory": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1)) is None",
    "more processor time": "resource.setrlimit(resource.RLIMIT_CPU, (-1, -1)) is None",
    "write beside the script": "open('beside', 'w')", "write the script": "open('script.py', 'a')",
    "write in /tmp": "open('/tmp/perfclf-loot', 'w')", "write in /dev/shm": "open('/dev/shm/perfclf-loot', 'w')",
    "an unnamed file": "os.open('.', os.O_TMPFILE | os.O_RDWR)", "truncate": "os.truncate(TREASURE, 0) is None",
    "unlink": "os.unlink(TREASURE) is None", "rename": "os.rename(TREASURE, TREASURE + 'x') is None",
    "hard link": "os.link(TREASURE, 'link') is None", "soft link": "os.symlink(TREASURE, 'link') is None",
    "chmod": "os.chmod('script.py', 0o777) is None", "utime": "os.utime('script.py') is None",
    "attributes": "os.setxattr('script.py', 'user.x', b'') is None", "mkdir": "os.mkdir('folder') is None",
    "mkfifo": "os.mkfifo('pipe') is None", "its own memory by /proc": "open('/proc/self/mem', 'wb')",
    "a lease on a library": "fcntl.fcntl(os.open(os.__file__, 0), fcntl.F_SETLEASE, fcntl.F_RDLCK) == 0",
    "the user's file": "open(TREASURE).read()", "the home folder": "os.listdir(os.path.dirname(HOME))",
    "the cache": "os.listdir(HOME)", "the seed of the test images": "open(SEED).read()",
    "the lock of the models": "fcntl.flock(os.open(HOME + '/models', os.O_RDONLY), fcntl.LOCK_EX) is None",
    "the user's file by /proc/self/root": "open('/proc/self/root' + TREASURE).read()",
    "the user's file by /proc/self/cwd": "open('/proc/self/cwd/../' + TREASURE).read()",
    "other candidates": "[name for name in os.listdir('/tmp')]", "passwords": "open('/etc/passwd').read()",
    "secrets of the environment": "'SECRET' in str(os.environ) or b'SECRET' in open('/proc/self/environ', 'rb').read()",
    "the terminal": "open('/dev/tty', 'w')", "the disk": "open('/dev/vda', 'rb')",
    "the digits": "open(DIGITS, 'rb').read()",
    "the digits by scikit-learn": "__import__('sklearn.datasets').datasets.load_digits()",
}
# Whole scripts that end by a limit or a refusal, whatever they try.
SCRIPTS = {
    "fork bomb": "while True:\n try: os.fork()\n except PermissionError: break",
    "thread bomb": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
    "memory": "held = []\nwhile True: held.append(bytearray(1 << 24))",
    "memory by mmap": "import mmap\nheld = []\nwhile True: held.append(mmap.mmap(-1, 1 << 26))",
    "memory of pipes": "held = []\nwhile True: held.append(os.pipe())",
    "endless loop": "while True: pass", "endless sleep": "import time\nwhile True: time.sleep(9)",
    "ignores every signal": "for n in set(signal.valid_signals()) - {9, 19}: signal.signal(n, signal.SIG_IGN)\n"
                            "while True: pass",
    "closes its streams and goes on": "os.close(1); os.close(2)\nwhile True: pass",
    "floods its output": "while True: print('x' * 99999)",
    "floods its errors": "while True: sys.stderr.write('x' * 9999)",
    "one line without an end": "while True: sys.stdout.write('x' * 9999)",
    "endless regular expression": "import re\nre.match('(a+)+$', 'a' * 99 + 'b')",
    "huge number": "print(len(str(9 ** 9 ** 9)))", "recursion": "sys.setrecursionlimit(10**9)\nf = lambda: f()\nf()",
    "crash": "ctypes.string_at(0)", "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "exit in silence": "os._exit(0)", "surrogates in an error": "raise ValueError('\\ud800\\x1b[31mred\\x1b[0m')",
    "title of the terminal": "sys.stderr.write('\\x1b]0;owned\\x07\\x1b[2J'); sys.exit(3)",
}
NET = textwrap.dedent("""
    import torch
    from torch import nn
    def supported_hyperparameters(): return {'lr'}
    class Net(nn.Module):
        def __init__(self, in_shape, out_shape, prm, device):
            super().__init__()
            self.classes, self.layer = out_shape[0], nn.Linear(1, 1)
        def train_setup(self, prm): pass
        def learn(self, data): pass
        def labels(self):
            LABELS
        def forward(self, x):
            if not hasattr(self, 'left'): self.left = list(self.labels())
            now, self.left = self.left[:len(x)], self.left[len(x):]
            return nn.functional.one_hot(torch.tensor(now) % self.classes, self.classes).float()
    PATCH
""")
FROM_SETS = "from nngpt_perfclf.local_training import image_sets as s; return s.{}.test_labels.tolist()"
# How a candidate that does not learn could know the answers: (labels, code that runs when it is imported).
CHEATS = {
    "asks the image set": (FROM_SETS.format("load('{target}')"), ""),
    "makes the image set anew": (FROM_SETS.format("drawn('{target}', 0)"), ""),
    "reads scikit-learn's digits": ("from sklearn.datasets import load_digits; return load_digits().target[-512:]", ""),
    "reads its folder": ("import numpy; return numpy.load('images.npz')['test_labels'].tolist()", ""),
    "replaces the loss and argmax": ("return [0] * 512", "torch.Tensor.argmax = lambda x, *a: torch.arange(len(x))"),
    "is equal to everything": ("return [0] * 512", "import json\nclass All(list):\n    __eq__ = lambda s, o: True\n"
                               "json.dump = lambda o, f: f.write('{\"accuracy\": 1.0}')"),
    "writes its own answer": ("return [0] * 512", "import os\nfor fd in range(3, 9):\n  try: os.write(fd, b'[' + "
                              "b','.join([b'1'] * 512) + b']')\n  except OSError: pass"),
    "writes an accuracy": ("return [0] * 512", "import os\nfor fd in range(1, 9):\n  try: os.write(fd, b'1.0')\n"
                           "  except OSError: pass\nos._exit(0)"),
}


def main() -> None:
    cases = Cases("attacks")
    os.environ["SECRET_TOKEN"] = "treasure"
    image_sets.load("digits")  # the seed exists before anybody looks for it
    signalled: list[int] = []
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, frame: signalled.append(got))
    scripts = {name: f"try:\n    if {text}: print('LOOT')\nexcept Exception as error: print(type(error).__name__)"
               for name, text in EXPRESSIONS.items()}
    for name in cases.missing([*scripts, *SCRIPTS]):
        outcome, violation = attacked(SCRIPTS[name], SMALL) if name in SCRIPTS else attacked(scripts[name], PATIENT)
        cases.note(name, outcome, violation + (f"it sent signals {signalled}" if signalled else ""))
        signalled.clear()
    for target in image_sets.names():
        for name in cases.missing([f"{target}: {name}" for name in CHEATS]):
            cases.note(name, *cheated(target, name.partition(": ")[2]))
    profiled(cases, scripts)
    cases.finish()


def attacked(attack: str, limits: sandbox.Limits) -> tuple[str, str]:
    """Run one attack; what came of it, and what it must not have done."""
    folder = Path(tempfile.mkdtemp(prefix="perfclf-attack-"))
    home = image_sets.home()
    try:
        (folder / "treasure").mkdir()
        (folder / "treasure" / "file").write_text("precious")
        inside = folder / "inside"
        inside.mkdir()
        (inside / "script.py").write_text(prelude(folder, home) + attack)
        before = snapshot(folder)
        finished = sandbox.run(inside / "script.py", inside, limits)
        faults = []
        if b"LOOT" in finished.output:
            faults.append("it succeeded")
        if snapshot(folder) != before:
            faults.append("it changed files")
        if finished.seconds > limits.seconds + 5:
            faults.append(f"it took {finished.seconds:.1f} s")
        if finished.failure and limits is PATIENT:
            faults.append(f"it did not come to its end: {finished.failure}")
        if not finished.failure.isprintable():
            faults.append("its failure moves the terminal")
        if not gone(folder.name):
            faults.append("a process outlived it")
        said = finished.output.decode(errors="replace").strip()
        if said in ("NameError", "AttributeError", "TypeError", "ImportError", "SyntaxError"):
            faults.append(f"the attack itself is wrong: {said}")
        return ("stopped" if finished.failure else f"refused ({said or 'no error'})"), "; ".join(faults)
    finally:
        shutil.rmtree(folder)


def prelude(folder: Path, home: Path) -> str:
    digits = sandbox.landlock.labelled()
    return (f"import ctypes, fcntl, multiprocessing, os, resource, signal, socket, subprocess, sys\n"
            f"libc, PARENT, HOME = ctypes.CDLL(None, use_errno=True), os.getppid(), {str(home)!r}\n"
            f"TREASURE, SEED = {str(folder / 'treasure' / 'file')!r}, {str(home / image_sets.SEED_FILE)!r}\n"
            f"DIGITS = {str(digits[0] if digits else home) + '/digits.csv.gz'!r}\n")


def snapshot(folder: Path) -> dict:
    return {str(path): (path.stat().st_mode, path.stat().st_ctime_ns, path.is_file() and path.read_bytes())
            for path in sorted(folder.rglob("*"))} | {path: os.path.exists(path) for path in
                                                      ("/tmp/perfclf-loot", "/dev/shm/perfclf-loot")}


def cheated(target: str, name: str) -> tuple[str, str]:
    labels, patch = CHEATS[name]
    code = NET.replace("LABELS", labels.replace("{target}", target)).replace("PATCH", patch)
    outcome = trainer.train_in_sandbox(Candidate(name, code), target, LARGE, seed=0).outcome
    if outcome.accuracy is None:
        return "failed", ""
    return "by luck", f"accuracy {outcome.accuracy:.3f}" if outcome.accuracy > LUCK else ""


def profiled(cases: Cases, scripts: dict[str, str]) -> None:
    """The same expressions in networks that are profiled, one forked child each; the server must go on."""
    folder = Path(tempfile.mkdtemp(prefix="perfclf-attack-"))
    (folder / "treasure").mkdir()
    (folder / "treasure" / "file").write_text("precious")
    shapes = shapes_of(Recipe(), "cifar-10", dataset_properties(None))
    names = list(cases.missing(f"profiled: {name}" for name in scripts))
    codes = {prelude(folder, image_sets.home()) + scripts[name.partition(": ")[2]].replace(
        "print('LOOT')", "raise RuntimeError('LO' + 'OT')").replace("except Exception", "except OSError"): name
        for name in names}
    before = snapshot(folder)
    try:
        with Pool() as pool:
            for task, answer in pool.run(Task(code, shapes) for code in codes):
                fault = "it succeeded" if "LOOT" in answer.reason or answer.structure else ""
                fault += "; it changed files" if snapshot(folder) != before else ""
                fault += "; it did not come to its end" if answer.timed_out else ""
                cases.note(codes[task.code], "refused", fault)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
