"""Every candidate here attacks the machine that trains it. What is at stake is made small, and lies in `tmp_path`."""

import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest
from process_ends import ends_within

from nngpt_perfclf.local_training import trainer
from nngpt_perfclf.sandbox import process as sandbox
from nngpt_perfclf.types import Candidate

SMALL = sandbox.Limits(seconds=5, memory=0.25, output=1 << 16)


@pytest.fixture
def run(tmp_path):
    def run(code, limits=SMALL):
        (tmp_path / "script.py").write_text(textwrap.dedent(code))
        return sandbox.run(tmp_path / "script.py", tmp_path, limits)
    return run


def test_a_script_that_behaves_is_heard(run):
    finished = run("print('hello')")
    assert finished.output == b"hello\n"
    assert finished.failure == ""
    assert 0 < finished.seconds < 5


def test_one_that_loops_for_ever_is_stopped_at_its_deadline(run):
    finished = run("while True: pass", sandbox.Limits(seconds=0.5, memory=0.25))
    assert finished.failure == "ran longer than 0.5 s"
    assert finished.seconds < 2


def test_one_that_waits_for_ever_with_its_streams_closed_is_stopped(run):
    code = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    assert run(code, sandbox.Limits(seconds=0.5, memory=0.25)).failure == "ran longer than 0.5 s"


def test_one_that_eats_memory_gets_no_more_than_its_share(run):
    assert run("x = bytearray(1 << 30)").failure == "exit status 1: MemoryError"


def test_shared_and_anonymous_memory_count_as_well(run):
    assert "Cannot allocate memory" in run("import mmap; mmap.mmap(-1, 1 << 30)").failure
    assert "not permitted" in run("import os; os.memfd_create('hidden')").failure.lower()


@pytest.mark.parametrize("attack", [
    "os.fork()", "os.execv('/bin/true', ['true'])", "subprocess.run(['true'])", "multiprocessing.Process().start()",
])
def test_one_that_starts_processes_is_refused(run, attack):
    finished = run(f"import multiprocessing, os, subprocess\n{attack}")
    assert finished.failure == "exit status 1: PermissionError: [Errno 1] Operation not permitted"


def test_a_fork_bomb_never_has_a_second_process(run):
    finished = run("""
        import os, threading
        started = 0
        for _ in range(20):
            try:
                os.fork()
                started += 1
            except PermissionError:
                pass
        print(started, len(os.listdir('/proc/self/task')))
    """)
    assert finished.output == b"0 1\n"


def test_threads_are_bounded_by_memory(run):
    finished = run("""
        import threading, time
        while True:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    """)
    assert finished.failure == "exit status 1: RuntimeError: can't start new thread"


@pytest.mark.parametrize("attack", [
    "os.unlink(path)", "os.remove('script.py')", "open(path, 'w')", "open(path, 'a')", "open(path, 'r+')",
    "open('beside', 'x')", "os.rename(path, path + 'x')", "os.truncate(path, 0)", "os.mkdir('folder')",
    "os.symlink(path, 'link')", "os.link(path, 'link')", "os.chmod(path, 0o777)", "os.utime(path)",
    "os.setxattr(path, 'user.x', b'')", "os.mkfifo('pipe')", "shutil.rmtree(os.path.dirname(path))",
    "open('/dev/shm/perfclf', 'w')", "os.open('.', os.O_TMPFILE | os.O_WRONLY)", "os.chown(path, 1, 1)",
])
def test_no_file_can_be_changed(run, tmp_path, attack):
    treasure = tmp_path / "treasure" / "file"
    treasure.parent.mkdir()
    treasure.write_text("precious")
    before = treasure.stat()
    finished = run(f"import os, shutil\npath = {str(treasure)!r}\n{attack}")
    assert "PermissionError" in finished.failure
    assert treasure.read_text() == "precious"
    assert treasure.stat().st_ctime_ns == before.st_ctime_ns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py", "treasure"]


@pytest.mark.parametrize("attack", ["open(path).read()", "os.listdir(os.path.dirname(path))", "open('/etc/passwd')",
                                    "os.listdir('/')", "os.listdir('/proc')", "open(f'/proc/{os.getppid()}/environ')"])
def test_no_file_of_the_user_can_be_read(run, tmp_path_factory, attack):
    secret = tmp_path_factory.mktemp("home") / "secret"
    secret.write_text("treasure")
    assert "PermissionError" in run(f"import os\npath = {str(secret)!r}\nprint({attack})").failure


def test_its_own_folder_and_the_libraries_can_be_read(run, tmp_path):
    (tmp_path / "data.json").write_text("[1]")
    assert run("import json, wave; print(json.load(open('data.json')))").output == b"[1]\n"


def test_the_current_folder_is_no_library(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(tmp_path) not in sandbox.lock_limits(SMALL, tmp_path / "folder")["readable"]


def test_a_failure_moves_no_cursor_and_paints_nothing(run):
    assert run(r"raise ValueError('\x1b[31mred\x1b[0m\x07 and \u202e bare')").failure == (
        "exit status 1: ValueError: red  and   bare")


def test_one_that_prints_gigabytes_is_cut_off(run):
    for stream in ("stdout", "stderr"):
        finished = run(f"import sys\nwhile True: sys.{stream}.write('x' * 10_000)")
        assert finished.failure == "printed more than 65,536 bytes"
        assert len(finished.output) <= 2 * SMALL.output


@pytest.mark.parametrize("attack", [
    "os.kill(os.getppid(), 9)", "os.killpg(0, 9)", "os.kill(-1, 9)", "signal.pidfd_send_signal(0, 9)",
    "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))", "os.setpriority(0, os.getppid(), 19)",
    "fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())", "os.sched_setaffinity(os.getppid(), {0})",
    "fcntl.fcntl(os.open(os.__file__, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
])
def test_no_other_process_can_be_harmed(run, attack):
    finished = run(f"import fcntl, os, resource, signal\n{attack}")
    assert finished.failure.startswith("exit status 1: ")
    assert "Error: [Errno" in finished.failure


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_there_is_no_network(run, family):
    finished = run(f"import socket\nsocket.socket(socket.{family}, socket.SOCK_DGRAM)")
    assert finished.failure == "exit status 1: PermissionError: [Errno 1] Operation not permitted"


def test_secrets_of_the_environment_stay_outside(run, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "treasure")
    finished = run("import os; print(sorted(os.environ))")
    assert b"SECRET" not in finished.output


def test_no_process_can_leave_the_sandbox(run):
    finished = run("""
        import ctypes, resource
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.unshare(0x10000000), libc.setuid(1) == 0, end=' ')
        try:
            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        except ValueError:
            print('held')
    """)
    assert finished.output.split()[0] == b"-1"
    assert finished.output.split()[-1] == b"held"


def test_it_cannot_take_back_that_it_dies_with_its_parent(run):
    assert run("import ctypes; print(ctypes.CDLL(None).prctl(1, 0, 0, 0, 0))").output == b"-1\n"


def test_the_labels_of_installed_image_sets_are_hidden(run):
    folder = f"{find_spec('sklearn').submodule_search_locations[0]}/datasets/data"
    finished = run(f"import os; print(os.path.exists({folder!r})); open({folder!r} + '/digits.csv.gz')")
    assert finished.output == b"True\n"
    assert "PermissionError" in finished.failure


def test_the_machine_says_what_protects_it():
    said = sandbox.protections()
    assert set(said) == {"time", "memory", "output", "processes", "signals", "network", "files", "reading"}
    assert all(said.values())


def test_the_sandboxed_process_dies_with_its_parent(tmp_path):
    (tmp_path / "script.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(f"""
        import json, subprocess, sys, time
        limits = json.dumps({{"cpu_seconds": 5, "memory_bytes": 1 << 28, "modules": [], "readable": ["/"],
                              "hidden": []}})
        subprocess.Popen([sys.executable, "-m", {sandbox.LOCK!r}, limits, {str(tmp_path / 'script.py')!r}])
        time.sleep(60)
    """)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ends_within(5, child), "the sandboxed process outlived its parent"


def test_code_that_is_no_unicode_becomes_an_outcome_that_says_so():
    outcome = trainer.train_in_sandbox(Candidate("odd", "x = '\ud800'"), "digits", SMALL, seed=0).outcome
    assert outcome.failure == "the network's code is not valid Unicode: surrogates not allowed"


def test_a_candidate_that_attacks_becomes_an_outcome_that_says_so():
    candidate = Candidate("killer", "import os\nos.kill(os.getppid(), 9)\n")
    outcome = trainer.train_in_sandbox(candidate, "digits", sandbox.Limits(seconds=300, memory=4), seed=0).outcome
    assert outcome.accuracy is None
    assert outcome.failure == "exit status 1: PermissionError: [Errno 1] Operation not permitted"
    assert (outcome.candidate, outcome.target) == ("killer", "digits")
    assert outcome.seconds > 0
