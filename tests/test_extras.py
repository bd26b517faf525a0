"""What needs an optional library names the extra that brings it; asking and the NNGPT commands need none."""

import configparser
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from nngpt_perfclf.extras import EXTRAS, extras_named
from nngpt_perfclf.types import PerfclfError

CHECKOUT = Path(__file__).parents[1]
# Distributions that bring modules of another name, and modules that come along with another distribution.
MODULE_OF = {"scikit-learn": "sklearn"}
COME_ALONG = {"tokenizers"}
BARE = textwrap.dedent("""
    import sys
    from nngpt_perfclf.extras import EXTRAS

    class Without:
        names = {module for modules in EXTRAS.values() for module in modules}
        def __init__(self, finder):
            self.finder = finder
        def find_spec(self, name, path=None, target=None):
            return None if name.partition(".")[0] in self.names else self.finder.find_spec(name, path, target)
        def __getattr__(self, name):
            return getattr(self.finder, name)

    sys.meta_path[:] = map(Without, sys.meta_path)
    from nngpt_perfclf.cli import main
    sys.exit(main(sys.argv[1:]))
""")


def bare(*words, cwd):
    """The command line in an environment that has only what the package requires."""
    return subprocess.run([sys.executable, "-c", BARE, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=60, env={**os.environ, "PYTHONPATH": str(CHECKOUT)})


@pytest.mark.parametrize(("extra", "module"), [(extra, module) for extra, names in EXTRAS.items() for module in names])
def test_a_missing_library_names_its_extra(extra, module):
    with pytest.raises(PerfclfError, match=rf"needs {module}, .* pip install 'nngpt-perfclf\[{extra}\]'"), \
            extras_named():
        raise ModuleNotFoundError("No module", name=f"{module}.part")


def test_any_other_missing_module_stays_what_it_is():
    with pytest.raises(ModuleNotFoundError), extras_named():
        raise ModuleNotFoundError("No module", name="nowhere")


def test_the_extras_are_those_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    for extra, modules in EXTRAS.items():
        lines = setup["options.extras_require"][extra].strip().splitlines()
        names = {Requirement(line).name for line in lines} - {"nngpt-perfclf"}
        assert {MODULE_OF.get(name, name) for name in names} == set(modules) - COME_ALONG


def test_ranking_needs_no_optional_library(tmp_path):
    done = bare("rank", CHECKOUT / "examples" / "network.py", "--target", "svhn", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)["rows"]
    assert row["status"] == "ok"


@pytest.mark.parametrize(("words", "line"), [
    (["train", "model=pointwise"], "nngpt-perfclf[train]"),
    (["train"], "pip install 'nngpt-perfclf["), (["evaluate", "adviser=pointwise"], "nngpt-perfclf[train]"),
    (["advise", CHECKOUT / "examples" / "network.py", "svhn", "mnist", "adviser=pretrained"], "nngpt-perfclf["),
])
def test_verbs_that_need_one_say_so_in_one_line(words, line, tmp_path):
    done = bare(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
