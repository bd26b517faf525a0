import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from nngpt_perfclf.config import load_config
from nngpt_perfclf.models.zoo import describe, ensure_ready
from nngpt_perfclf.types import PerfclfError


@pytest.fixture(autouse=True)
def _nothing_is_ready(tmp_path, monkeypatch):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    save_file({"table": np.zeros(4, np.float32)}, folder / "model.safetensors")
    return folder


def model_at(folder):
    return load_config(overrides=[f"model={folder}"]).model


def test_a_whole_folder_is_ready_as_it_is(folder):
    assert ensure_ready(model_at(folder)) == folder


@pytest.mark.parametrize(("name", "word"), [
    ("config.json", "no config.json"), ("tokenizer.json", "no tokenizer"), ("model.safetensors", "no weights")])
def test_the_missing_file_is_named(folder, name, word):
    (folder / name).unlink()
    with pytest.raises(PerfclfError, match=word):
        ensure_ready(model_at(folder))


def test_cut_weights_are_told_from_whole_ones(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(PerfclfError, match="damaged"):
        ensure_ready(model_at(folder))


def test_a_missing_shard_is_named(folder):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-00002.safetensors"}}))
    with pytest.raises(PerfclfError, match=r"lacks model-00002\.safetensors"):
        ensure_ready(model_at(folder))


def test_a_hub_model_that_is_out_of_reach_is_one_line_with_a_way_out():
    with pytest.raises(PerfclfError, match=r"deepseek-ai/deepseek-coder-7b-instruct-v1\.5 .*model=PATH") as caught:
        ensure_ready(load_config(overrides=["model=deepseek-coder-7b"]).model)
    assert "\n" not in str(caught.value)


def test_a_hub_model_in_the_hubs_cache_is_used_from_there(folder, tmp_path):
    model = load_config(overrides=["model=deepseek-coder-7b"]).model
    repository = tmp_path / "hub" / f"models--{model.location.replace('/', '--')}"
    (repository / "snapshots").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    folder.rename(repository / "snapshots" / ("0" * 40))
    assert ensure_ready(model) == repository / "snapshots" / ("0" * 40)


@pytest.mark.parametrize(("change", "word"), [
    ({"source": "folder"}, "location"), ({"sha256": None}, "sha256"), ({"source": "adviser"}, "no language model")])
def test_a_model_file_that_cannot_work_says_why(change, word):
    with pytest.raises(PerfclfError, match=word):
        ensure_ready(replace(load_config().model, **change))


def test_the_list_says_which_are_ready_and_what_brings_the_others(folder):
    rows = {row["name"]: row for row in describe(load_config(overrides=[f"model={folder}"]))["models"]}
    assert rows["mine"]["ready"] is True
    assert rows["mine"]["where"] == str(folder)
    assert rows["gemma-3-270m"]["ready"] is False
    assert rows["gemma-3-270m"]["where"] == "models --fetch model=gemma-3-270m"


def test_the_list_has_every_registered_adviser_and_says_which_can_be_trained():
    config = load_config(overrides=["model=pairwise"])
    found = describe(config)
    assert "pairwise" not in [row["name"] for row in found["models"]]
    trainable = {row["name"]: row["can_be_trained"] for row in found["advisers"]}
    assert trainable["pairwise"]
    assert not trainable["prior"]
    with pytest.raises(PerfclfError, match="pairwise is no language model"):
        describe(config, fetch=True)
