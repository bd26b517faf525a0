"""A sealed folder's files are refused by name once they change."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf import checksums
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.types import PerfclfError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    for place in (folder, folder / "inside"):
        write_json(place / "weights.json", {"label": {"source": 0.25}})
        (place / "log.jsonl").write_text("{}")
    checksums.seal(folder)
    return folder


def test_sealed_files_are_read_and_the_sums_are_those_of_sha256sum(folder):
    assert read_json(folder / "inside" / "weights.json") == {"label": {"source": 0.25}}
    if tool := shutil.which("sha256sum"):
        assert subprocess.run([tool, "--check", "--quiet", checksums.FILE], cwd=folder, check=False).returncode == 0


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_flipped_byte_is_read(folder, place, change):
    file = folder / "inside" / "weights.json"
    whole = file.read_bytes()
    place %= len(whole)
    try:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1:])
        with pytest.raises(PerfclfError, match=r"weights\.json is damaged"):
            read_json(file)
    finally:
        file.write_bytes(whole)


def test_files_without_sums_and_files_of_a_folder_that_is_trained_again_are_read(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    checksums.seal(tmp_path)
    write_json(tmp_path / "b.json", {"b": 2})
    assert read_json(tmp_path / "b.json") == {"b": 2}
    checksums.unseal(tmp_path)
    write_json(tmp_path / "a.json", {"a": 2})
    assert read_json(tmp_path / "a.json") == {"a": 2}
    checksums.unseal(tmp_path / "none")


@pytest.mark.parametrize("content", [b"\xff", b"deadbeef  a.json\n", b"0" * 64 + b" a.json\n"])
def test_damaged_sums_are_refused(tmp_path, content):
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / checksums.FILE).write_bytes(content)
    with pytest.raises(PerfclfError, match="SHA256SUMS is damaged"):
        read_json(tmp_path / "a.json")


def test_every_pretrained_file_that_is_loaded_has_its_sum():
    files = [file for file in PRETRAINED.rglob("*") if file.suffix in (".json", ".npz", ".safetensors")]
    assert files
    for file in files:
        checksums.check(file)
        assert file.name in (file.parent / checksums.FILE).read_text(), f"{file} has no sum: ship the adviser again"
