import ctypes
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from nngpt_perfclf.sandbox import landlock

VERSION = landlock.version(ctypes.CDLL(None, use_errno=True))


def test_the_libraries_are_those_of_the_interpreter_and_this_package(monkeypatch, tmp_path):
    (tmp_path / "lib" / "site-packages").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), "", str(tmp_path / "lib" / "site-packages"), *sys.path])
    found = landlock.libraries()
    assert sysconfig.get_paths()["stdlib"] in found
    assert str(Path(landlock.__file__).parents[1]) in found
    assert str(tmp_path / "lib" / "site-packages") in found
    assert str(tmp_path) not in found
    assert not any(Path.home().is_relative_to(path) or Path.cwd().is_relative_to(path) for path in found)


def test_all_but_the_hidden_folder_is_readable(tmp_path):
    for name in ("inside/hidden/data", "inside/other", "beside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "inside" / "hidden")
    inside, link = str(tmp_path / "inside"), tmp_path / "link"
    link.symlink_to(inside)
    found = dict(landlock.rules([str(link), str(tmp_path / "beside")], [f"{inside}/hidden"]))
    assert found == {inside: False, f"{inside}/other": True, str(tmp_path / "beside"): True}


@pytest.mark.skipif(not VERSION, reason="this kernel has no Landlock")
@pytest.mark.parametrize(("action", "allowed"), [
    ("open(inside + '/file').read()", True), ("os.listdir(inside)", True), ("open(outside + '/file').read()", False),
    ("os.listdir(outside)", False), ("open(inside + '/new', 'w')", False), ("os.remove(inside + '/file')", False),
    ("open('/dev/null').read()", True), ("os.listdir('/proc/self')", True), ("os.listdir('/proc/1')", False),
    ("os.listdir('/etc')", False), ("open(os.path.join(inside, '..', 'outside', 'file'))", False),
    ("open(inside + '/link').read()", False), ("importlib.import_module('wave')", True),
])
def test_only_what_lies_below_the_readable_paths_is_read(tmp_path, action, allowed):
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside" / "file")
    script = (f"import ctypes, importlib, os; from nngpt_perfclf.sandbox import landlock, lock\n"
              f"inside, outside = {str(tmp_path / 'inside')!r}, {str(tmp_path / 'outside')!r}\n"
              "libc = ctypes.CDLL(None, use_errno=True); libc.prctl(lock.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n"
              f"landlock.restrict(libc, [inside, '/no/such/path', *landlock.libraries()])\n{action}")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.returncode == 0) == allowed, done.stderr
    assert allowed or "PermissionError" in done.stderr
    assert not os.path.exists(tmp_path / "inside" / "new")
