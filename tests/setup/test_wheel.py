"""The wheel holds everything that the commands read: installed alone, it lists models and prompts."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, copy_of_checkout(folder)],
        check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A Python that finds the wheel's package and this environment's dependencies, but not the checkout."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True, text=True)
    paths = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
                           check=True, capture_output=True, text=True).stdout.strip()
    # A plain path line: the editable install's own .pth files are not read in a folder added this way.
    (Path(paths) / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return place / "bin"


def copy_of_checkout(folder):
    """What a build reads, so that it writes nothing into the checkout."""
    copy = folder / "source"
    for name in ("nngpt_perfclf", "conf"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    return copy


def run(bin_folder, *words, cwd):
    return subprocess.run([bin_folder / "nngpt-perfclf", *words], cwd=cwd, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "NNGPT_PERFCLF_HOME": str(cwd / "home")})


def test_the_checkout_is_not_what_is_imported(installed, tmp_path):
    found = subprocess.run([installed / "python", "-c", "import nngpt_perfclf; print(nngpt_perfclf.__file__)"],
                           cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert Path(found).is_relative_to(installed.parent)
    assert not Path(found).is_relative_to(CHECKOUT)


def test_models_lists_every_file_of_conf(installed, tmp_path):
    done = run(installed, "models", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {row["name"] for row in json.loads(done.stdout)["models"]}
    assert names == {path.stem for path in (CHECKOUT / "conf" / "model").glob("*.yaml")}


def test_prompts_lists_the_templates(installed, tmp_path):
    done = run(installed, "prompts", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("normalized_accuracy", "metadata", "code", "code_metadata", "code_recipe"):
        assert name in done.stdout


def test_every_data_file_of_the_package_and_of_conf_travels_inside(wheel):
    inside = set(ZipFile(wheel).namelist())
    conf = {f"nngpt_perfclf/{path.relative_to(CHECKOUT)}" for path in (CHECKOUT / "conf").rglob("*.yaml")}
    package = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "nngpt_perfclf").rglob("*")
               if path.is_file() and "__pycache__" not in path.parts}
    assert conf | package <= inside


def test_every_room_stands_in_the_list_of_packages():
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    rooms = {".".join(path.parent.relative_to(CHECKOUT).parts)
             for path in (CHECKOUT / "nngpt_perfclf").rglob("__init__.py")}
    assert listed == rooms | {"nngpt_perfclf.conf"}
