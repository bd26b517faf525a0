import subprocess
import sys
import textwrap

from nngpt_perfclf.sandbox.process import environment


def test_the_filter_alone_protects_files_where_the_kernel_has_no_landlock(tmp_path):
    """The layers are measured one by one, so that the weaker kernel is covered by this test as well."""
    (tmp_path / "script.py").write_text(textwrap.dedent("""
        from nngpt_perfclf.sandbox import landlock
        from nngpt_perfclf.sandbox.lock import lock
        landlock.version = lambda libc: 0
        lock({"cpu_seconds": 5, "memory_bytes": 1 << 28, "readable": [], "hidden": []})
        open("beside", "w")
    """))
    finished = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment(tmp_path, 1),
                              capture_output=True, text=True, timeout=20)
    assert finished.stderr.splitlines()[-1] == "PermissionError: [Errno 13] Permission denied: 'beside'"
