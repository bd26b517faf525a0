"""Commands as people type them, run in the tests' own process: torch and the recorded trials are loaded once, and which
trials are near is learned once from the same trials."""

from __future__ import annotations

import io
import os
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from nngpt_perfclf.advice import fine_tuning
from nngpt_perfclf.cli import main
from nngpt_perfclf.models import throughput

_FIT = fine_tuning.fit_neighbours
_LEARNED = {}


def command(words, folder: Path) -> subprocess.CompletedProcess:
    """What ``python -m nngpt_perfclf WORDS``, started in the folder, says and returns."""
    return _run(main, words, folder)


def python(words, *, stdout=None, **_) -> subprocess.CompletedProcess:
    """In place of `subprocess.run` for ``[python, -m, MODULE, *WORDS]`` of this package; what it says is passed on
    unless it is piped."""
    _, _, module, *rest = words
    done = _run({"nngpt_perfclf": main, "nngpt_perfclf.models.throughput": throughput.main}[module], rest, Path.cwd())
    if stdout is None:
        print(done.stdout)
    return done


def _run(function, words, folder: Path) -> subprocess.CompletedProcess:
    out, err = io.StringIO(), io.StringIO()
    # transformers and accelerate leave variables, which would change later tests.
    with (chdir(folder), redirect_stdout(out), redirect_stderr(err), patch.dict(os.environ),
          patch.object(fine_tuning, "fit_neighbours", _learned_once)):
        try:
            code = function([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def _learned_once(data):
    """What took half of the time of a short training is the same for every training on the same trials."""
    key = (data.fingerprint, data.config.task, data.config.epoch, data.config.seed, data.config.split)
    if key not in _LEARNED:
        _LEARNED[key] = _FIT(data)
    return _LEARNED[key]
