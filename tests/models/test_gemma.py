"""Reading without transformers gives what reading with it gives, to the last bit."""

import subprocess
import sys

import pytest
import torch

from nngpt_perfclf.config import load_config
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.models import gemma
from nngpt_perfclf.models.adapter import save_adapter, with_adapter
from nngpt_perfclf.models.language import load
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

PAIRS = (("cifar-10", "svhn"), ("svhn", "cifar-10"), ("cifar-10", "cifar-100"))
CODES = ("", "conv3:cin>64 bn relu\n", " ".join(f"conv{at}" for at in range(180)))  # the last one is over the window
PROMPTS = [Prompt("Which?\n", code, f"lr-2.1 {a} or {b}:\n", (a, b)) for code in CODES for a, b in PAIRS]
STRANGE = ("", " a  b\t\n", "<bos><eos>", "ünïcode ▁ 日本語", "'\"\\")


@pytest.fixture(scope="module")
def adapter(tiny_folder, tmp_path_factory):
    """An adapter that changes every layer."""
    folder = tmp_path_factory.mktemp("adapters") / "adapter"
    model = with_adapter(load(tiny_folder, precision="float32"), load_config(overrides=["lora.rank=4"]))
    draw = torch.Generator().manual_seed(0)
    for name, weight in model.network.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=draw) / 5
    save_adapter(model.network, folder, {}, "tiny")
    return folder


def both(tiny_folder, adapter, precision, monkeypatch):
    alone = load(tiny_folder, adapter, precision=precision, merge=True)
    with monkeypatch.context() as patch:
        patch.setattr(gemma, "can_read", lambda *_: False)
        hosted = load(tiny_folder, adapter, precision=precision, merge=True)
    assert isinstance(alone.network, gemma.Gemma)
    assert not isinstance(hosted.network, gemma.Gemma)
    return alone, hosted


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_answers_tokens_and_weights_are_those_of_transformers(tiny_folder, adapter, precision, monkeypatch):
    alone, hosted = both(tiny_folder, adapter, precision, monkeypatch)
    assert alone.score(PROMPTS).tolist() == hosted.score(PROMPTS).tolist()
    assert len(set(alone.score(PROMPTS))) > len(CODES)
    theirs = hosted.network.state_dict()
    for name, weight in alone.network.weights.items():
        assert torch.equal(weight.to(theirs[f"model.{name}"].dtype), theirs[f"model.{name}"])
    for text in STRANGE:
        assert alone.encoder._text(text) == hosted.encoder._text(text)
    assert [alone.encoder.asked(prompt) for prompt in PROMPTS] == [hosted.encoder.asked(prompt) for prompt in PROMPTS]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_merged_adapter_answers_as_an_unmerged_one_but_for_rounding(tiny_folder, adapter, precision):
    """The update is added to a weight once instead of to its product each time."""
    merged = load(tiny_folder, adapter, precision=precision, merge=True).score(PROMPTS)
    unmerged = load(tiny_folder, adapter, precision=precision).score(PROMPTS)
    assert merged == pytest.approx(unmerged, abs={"float32": 1e-5, "bfloat16": 0.1}[precision])


def test_it_is_read_without_transformers(tiny_folder, adapter):
    code = ("import sys\nfrom pathlib import Path\nfrom nngpt_perfclf.models.language import load\n"
            "from nngpt_perfclf.prompts import Prompt\n"
            "model = load(Path(sys.argv[1]), Path(sys.argv[2]), precision='float32', merge=True)\n"
            "print(model.score([Prompt('', 'x', 'y', ('mnist', 'svhn'))]))\n"
            "print([name for name in ('transformers', 'peft', 'sklearn') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code, str(tiny_folder), str(adapter)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("file", "setting"), [
    ("config.json", {"model_type": "qwen2"}), ("config.json", {"attn_logit_softcapping": 50.0}),
    ("config.json", {"rope_parameters": {"sliding_attention": {"rope_type": "linear"}}}),
    ("adapter_config.json", {"use_dora": True}), ("adapter_config.json", {"rank_pattern": {"q_proj": 2}})])
def test_what_it_does_not_compute_is_left_to_transformers(tmp_path, tiny_folder, adapter, file, setting):
    assert gemma.can_read(tiny_folder, adapter)
    place = {"config.json": tiny_folder, "adapter_config.json": adapter}[file]
    for path in place.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / file).unlink()
    write_json(tmp_path / file, {**read_json(place / file), **setting})
    folders = (tmp_path, adapter) if place == tiny_folder else (tiny_folder, tmp_path)
    assert not gemma.can_read(*folders)


@pytest.mark.parametrize("file", ["model.safetensors", "adapter_model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_one_clear_error(tmp_path, tiny_folder, adapter, file):
    place = adapter if "adapter" in file else tiny_folder
    for path in place.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:100 if path.name == file else None])
    folders = (tiny_folder, tmp_path) if place == adapter else (tmp_path, adapter)
    with pytest.raises(PerfclfError, match=r"damaged|cannot load"):
        load(*folders, precision="float32", merge=True)
