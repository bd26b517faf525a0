"""LoRA adapters: made for a base model, trained on, written whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError

from nngpt_perfclf.config import Config
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.models.device import device_type
from nngpt_perfclf.models.language import FUSED, LanguageModel
from nngpt_perfclf.types import PerfclfError


def with_adapter(model: LanguageModel, config: Config) -> LanguageModel:
    """The model with a trainable adapter: its own, or a new one of the configured form."""
    torch.manual_seed(config.seed)
    model.causal.set_attn_implementation(_attention())
    if not isinstance(model.network, PeftModel):
        network = get_peft_model(model.network, lora_config(config, model.causal), autocast_adapter_dtype=True)
        return replace(model, network=network)
    for name, weight in model.network.named_parameters():
        if "lora_" in name:
            weight.requires_grad_(True)
            weight.data = weight.data.float()
    return model


def _attention() -> str:
    """Fused attention keeps less. On a GPU its gradients were not finite for one of ten batches of unequal lengths
    (H200, torch 2.11, bfloat16), where plain products were right and no slower."""
    return "eager" if device_type() == "cuda" else FUSED


def lora_config(config: Config, causal) -> LoraConfig:
    """The configured adapter; `layers`: only the first so many, as the reference does, or the last."""
    targets = config.lora.targets if isinstance(config.lora.targets, str) else list(config.lora.targets)
    depth, wanted = causal.config.num_hidden_layers, config.lora.layers
    layers = None if wanted is None else list(range(depth))[:wanted] if wanted > 0 else list(range(depth))[wanted:]
    if layers is not None and isinstance(targets, str):
        raise PerfclfError(f"lora.layers={wanted} needs lora.targets as a list of modules, not {targets}")
    return LoraConfig(r=config.lora.rank, lora_alpha=config.lora.alpha, lora_dropout=config.lora.dropout,
                      target_modules=targets, layers_to_transform=layers, task_type="CAUSAL_LM")


def save_adapter(network, folder: Path, score: dict, base: str) -> None:
    """The adapter in bfloat16 safetensors, whole or not at all, with the validation score that it reached and the name
    by which everybody knows the base weights (not the folder that they lie in here)."""
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in network.state_dict().items()
               if "lora_" in name}
    network.save_pretrained(unfinished, state_dict=weights, save_embedding_layers=False)
    (unfinished / "README.md").unlink(missing_ok=True)
    settings = unfinished / "adapter_config.json"
    write_json(settings, {**read_json(settings), "base_model_name_or_path": base})
    write_json(unfinished / "score.json", score)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


@contextmanager
def writing_to(out: Path) -> Iterator[None]:
    """What PyTorch and safetensors raise for a file that cannot be written becomes a PerfclfError with the folder."""
    try:
        yield
    except SafetensorError as error:
        raise PerfclfError(f"cannot write to {out}: {error}") from error
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error) and "iostream error" not in str(error):
            raise
        raise PerfclfError(f"cannot write to {out}: {str(error).splitlines()[0]}") from error
