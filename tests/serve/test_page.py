"""The page that shows decisions as they are made, in a real browser. Needs the extra `serve` and chromium."""

import re
import shutil
import subprocess

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from made_scorers import SOUND
from made_server import ask, started

from nngpt_perfclf.types import Candidate, Recipe

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--virtual-time-budget=20000"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_it_shows_the_decisions_that_are_made_while_it_is_open(tmp_path):
    server, thread, service, port = started(tmp_path, token="secret")
    first = [{"name": "<b>net</b>", "arch_code": SOUND}, {"name": "broken", "arch_code": "def f(:"}]
    headers = {"Authorization": "Bearer secret"}
    assert ask(port, "POST", "/gate", {"target": "svhn", "candidates": first}, headers)[0] == 200
    read, calls = service.record.decisions, []

    def decisions(after, limit):
        calls.append(after)
        if len(calls) == 3:
            service.gate_of("mnist").should_train(Candidate("later", SOUND, Recipe(lr=0.1)))
        return read(after, limit)

    service.record.decisions = decisions
    shown = subprocess.run([CHROMIUM, *ARGUMENTS, f"--user-data-dir={tmp_path / 'browser'}", "--enable-logging=stderr",
                            "--dump-dom", f"http://127.0.0.1:{port}/#token=secret"],
                           capture_output=True, text=True, timeout=120, check=True)
    server.should_exit = True
    thread.join(10)
    assert re.findall(r'class="name">([^/]*(?:/b&gt;)?)</span>', shown.stdout) == [
        "later", "broken", "&lt;b&gt;net&lt;/b&gt;"]
    assert "2 of 3 candidates let through" in shown.stdout
    assert "no class Net" in shown.stdout or "broken: " in shown.stdout
    assert "CONSOLE" not in shown.stderr.replace("favicon", "")
