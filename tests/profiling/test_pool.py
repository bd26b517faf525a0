"""Candidates that attack the profiler, many of them in one fork server, as in use."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from process_ends import ends_within
from profiled_networks import network

from nngpt_perfclf.profiling import pool
from nngpt_perfclf.profiling.pool import Pool, Task
from nngpt_perfclf.profiling.types import Shapes, Structure
from nngpt_perfclf.sandbox.process import Limits
from nngpt_perfclf.types import PerfclfError

SHAPES = Shapes(3, 32, 10)
LIMITS = Limits(seconds=2, memory=2, output=1 << 17)

# What is called while the network is built -> how that ends.
REFUSED = {
    "os.fork()": "PermissionError: [Errno 1] Operation not permitted",
    "subprocess.run(['true'])": "PermissionError: [Errno 1] Operation not permitted",
    "os.kill(os.getppid(), 9)": "PermissionError: [Errno 1] Operation not permitted",
    "os.kill(int(open('/proc/self/stat').read().split()[3]), 9)": "PermissionError: [Errno 1] Operation not permitted",
    "os.listdir(SECRETS)": "PermissionError: [Errno 13] Permission denied: 'SECRETS'",
    "open(SECRETS + '/secret').read()": "PermissionError: [Errno 13] Permission denied: 'SECRETS/secret'",
    "open('/etc/passwd').read()": "PermissionError: [Errno 13] Permission denied: '/etc/passwd'",
    "open('written', 'w')": "PermissionError: [Errno 13] Permission denied: 'written'",
    "socket.socket()": "PermissionError: [Errno 1] Operation not permitted",
    "bytearray(1 << 40)": "MemoryError",
    "sys.exit(0)": "SystemExit: 0",
    "recurse()": "RecursionError: maximum recursion depth exceeded",
    "os._exit(0)": "ended without a word",
    "os.close(3)": "ended without a word",
    "ctypes.string_at(0)": "died of SIGSEGV",
    "os.abort()": "died of SIGSEGV",
    "os.write(3, b'{}') and os._exit(0)": "handed back no valid profile",
    "os.write(3, b'[' * 100_000) and os._exit(0)": "handed back no valid profile",
    "[os.write(3, b' ' * 4096) for _ in range(100)]": "handed back more than 131,072 bytes",
}
ENDLESS = {"while True: pass": ("used more than 2 s of processor time", "took longer than 6 s"),  # on a busy machine
           "threading.Event().wait()": ("took longer than 6 s",),
           "os.close(3)\nwhile True: pass": ("ended without a word",)}
NOISE = "print('x' * 100_000)\nsys.stderr.write('y' * 100_000)\nos.write(1, b'{\"number\": 0}\\n')"
BEFORE = "import ctypes, os, socket, subprocess, sys, threading\ndef recurse(): recurse()\nSECRETS = 'SECRETS'"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "secret").write_text("treasure")
    return folder


@pytest.fixture(scope="module")
def answers(secrets):
    """Every attack between two networks that behave."""
    before = BEFORE.replace("'SECRETS'", repr(str(secrets)))

    def attack(line):
        return network(build=f"{line}\nself.head = nn.Linear(channels, classes)",
                       forward="return self.head(x.mean((2, 3)))", before=before)

    codes = {line: attack(line) for line in ("pass", *REFUSED, *ENDLESS, NOISE, "1")}
    with Pool(LIMITS, workers=2) as running:
        found = {task.code: answer for task, answer in running.run(Task(code, SHAPES) for code in codes.values())}
    return {line: found[code] for line, code in codes.items()}


@pytest.mark.parametrize("line", REFUSED)
def test_an_attack_costs_one_failed_profile(answers, secrets, line):
    answer = answers[line]
    assert answer.structure is None
    assert not answer.timed_out
    assert answer.reason == REFUSED[line].replace("SECRETS", str(secrets))


@pytest.mark.parametrize("line", ENDLESS)
def test_what_never_ends_is_stopped(answers, line):
    assert answers[line].reason in ENDLESS[line]
    assert answers[line].timed_out == ("ended without a word" not in ENDLESS[line])
    assert answers[line].seconds < 10


def test_rubbish_on_its_streams_is_not_heard(answers):
    assert isinstance(answers[NOISE].structure, Structure)


def test_networks_before_and_after_the_attacks_are_profiled(answers):
    assert answers["pass"].structure == answers["1"].structure
    assert answers["pass"].structure.parameters == 40


def test_no_file_is_left(answers, secrets):
    assert [path.name for path in secrets.iterdir()] == ["secret"]


def test_large_codes_and_large_answers_do_not_wait_for_each_other():
    many = "self.layers = nn.Sequential(*[nn.Linear(3, 3) for _ in range(1500)])\n"
    codes = [network(build=many + "'" + letter * 150_000 + "'", forward="return self.layers(x.mean((2, 3)))")
             for letter in "abcd"]
    with Pool(Limits(seconds=30, memory=2, output=1 << 20)) as running:
        found = dict(running.run([Task(code, SHAPES) for code in codes]))
    assert {len(answer.structure.layers) for answer in found.values()} == {1500}


def test_a_server_that_ends_is_an_error_with_its_last_words(monkeypatch):
    monkeypatch.setattr(pool, "SERVER", "nngpt_perfclf.no_such_module")
    with pytest.raises(PerfclfError, match=r"the profiling server ended: .*no_such_module"), Pool() as running:
        list(running.run([Task(network(), SHAPES)]))


def test_the_server_dies_with_its_parent():
    script = """
        import sys, time
        from nngpt_perfclf.profiling.pool import Pool
        with Pool() as running:
            print(running._server.pid, flush=True)
            sys.stdin.read()
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    server = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert ends_within(10, server), "the server outlived its parent"


def test_the_working_folder_is_removed():
    with Pool() as running:
        folder = running._folder
        assert folder.is_dir()
    assert not os.path.exists(folder)
