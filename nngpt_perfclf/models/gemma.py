"""Gemma 3 for reading alone, in plain torch: to import transformers and peft takes longer than to answer.

It computes what transformers' decoder computes, to the last bit, with the LoRA adapter added to the weights. The
tokenizer is that of a model that is asked without a chat template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import embedding, gelu, linear

from nngpt_perfclf.files import read_json
from nngpt_perfclf.models.device import shapes_of
from nngpt_perfclf.models.reading import Group, attend_groups
from nngpt_perfclf.types import PerfclfError

WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"
TOKENIZER, TOKENIZER_SETTINGS = "tokenizer.json", "tokenizer_config.json"
SLIDING = "sliding_attention"
TABLE = "embed_tokens.weight"  # most of the weights: for float32 only the rows in question are converted
# What the settings must say, where they say anything, for this module to compute the same as transformers.
_MODEL = {"model_type": ("gemma3_text",), "attention_bias": (False,), "attn_logit_softcapping": (None,),
          "hidden_activation": ("gelu_pytorch_tanh",), "use_bidirectional_attention": (False, None),
          "quantization_config": (None,), "tie_word_embeddings": (True,)}
_LORA = {"peft_type": ("LORA",), "bias": ("none",), "fan_in_fan_out": (False,), "use_dora": (False,),
         "use_rslora": (False,), "use_qalora": (False,), "use_bdlora": (None,), "lora_bias": (False,),
         "alpha_pattern": ({},), "rank_pattern": ({},), "modules_to_save": (None,), "target_parameters": (None,),
         "trainable_token_indices": (None,), "alora_invocation_tokens": (None,), "velora_config": (None,),
         "monteclora_config": (None,)}
# By layer: the state of what the layer sees, query, key and value (1, heads, tokens, width), to (tokens, heads, width).
Attention = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def can_read(folder: Path, adapter: Path) -> bool:
    """Whether this module reads the model and the adapter of these folders as transformers and peft do."""
    files = (folder / "config.json", folder / WEIGHTS, folder / TOKENIZER, folder / TOKENIZER_SETTINGS,
             adapter / "adapter_config.json", adapter / ADAPTER)
    if not all(file.is_file() for file in files):
        return False
    model, lora = read_json(files[0]), read_json(files[-2])
    ropes = model.get("rope_parameters", {})
    return (_says(model, _MODEL) and _says(lora, _LORA) and model["model_type"] == "gemma3_text"
            and set(ropes) >= set(model.get("layer_types", ["unknown"]))
            and all(rope["rope_type"] == "default" for rope in ropes.values()))


def load(folder: Path, adapter: Path, dtype: torch.dtype, device: str) -> Gemma:
    """The model of a folder with the adapter of another added to its weights, in float32, then rounded."""
    from safetensors.torch import load_file

    weights = {name: weight.to(device, None if name == TABLE and dtype == torch.float32 else dtype)
               for name, weight in ((name.removeprefix("model."), weight)
                                    for name, weight in load_file(folder / WEIGHTS).items())}
    settings = read_json(adapter / "adapter_config.json")
    lora = {name.removeprefix("base_model.model.model."): weight.to(device, dtype)
            for name, weight in load_file(adapter / ADAPTER).items()}
    for name in [name for name in lora if name.endswith(".lora_A.weight")]:
        up, target = lora[name.replace("lora_A", "lora_B")], name.replace("lora_A.", "")
        if target not in weights or weights[target].shape != (len(up), lora[name].shape[1]):
            raise ValueError(f"the adapter's {target} does not fit the model")
        delta = (up.float() @ lora[name].float()) * (settings["lora_alpha"] / settings["r"])
        weights[target] = (weights[target].float() + delta.to(dtype).float()).to(dtype)
    return Gemma(read_json(folder / "config.json"), weights)


@dataclass(frozen=True)
class Gemma:
    """A decoder for `models.reading`. `config`: transformers' settings; `weights`: by their names in the file."""

    config: dict
    weights: dict[str, torch.Tensor]

    @property
    def table(self) -> torch.Tensor:
        """The embedding (vocabulary, width), which is the output layer's table too."""
        return self.weights[TABLE]

    @property
    def device(self) -> torch.device:
        return self.table.device

    @property
    def dtype(self) -> torch.dtype:
        return self.weights["norm.weight"].dtype

    @property
    def window(self) -> int:
        return self.config["sliding_window"]

    @property
    def shapes(self) -> str:
        return shapes_of(sorted(self.weights.items()), f"gemma {self.config}")

    def prefix(self, ids: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        at = torch.arange(len(ids), device=self.device)
        apart = at[:, None] - at[None]
        sees = {False: apart >= 0, True: (apart >= 0) & (apart < self.window)}
        lowest = torch.finfo(self.dtype).min
        masks = {sliding: torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill(~seen, lowest)
                 for sliding, seen in sees.items()}

        def attention(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            sliding = self._slides(layer)
            last = slice(-self.window + 1, None) if sliding else slice(None)
            kept.append((key[0, :, last], value[0, :, last]))
            shared = query.shape[1] // key.shape[1]
            keys, values = (_repeated(states, shared) for states in (key, value))
            scores = torch.matmul(query, keys.transpose(2, 3)) * self._scaling + masks[sliding]
            weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
            return torch.matmul(weights, values).transpose(1, 2).contiguous()[0]

        self._hidden(torch.tensor([ids], device=self.device), at[None], attention)
        return kept

    def questions(self, ids: torch.Tensor, positions: torch.Tensor, groups: Sequence[Group],
                  tile: int) -> torch.Tensor:
        def attention(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            return attend_groups(groups, query[0], key[0], value[0], layer, tile, self._scaling, self._slides(layer))

        return self._hidden(ids, positions, attention)

    def _hidden(self, ids: torch.Tensor, positions: torch.Tensor, attention: Attention) -> torch.Tensor:
        scale = torch.tensor(self.config["hidden_size"]**0.5).to(self.dtype)
        x = embedding(ids, self.table).to(self.dtype) * scale
        turns = {kind: self._rotary(positions, rope["rope_theta"])
                 for kind, rope in self.config["rope_parameters"].items()}
        for layer, kind in enumerate(self.config["layer_types"]):
            x = x + self._norm(self._attended(self._norm(x, layer, "input_layernorm"), layer, turns[kind], attention),
                               layer, "post_attention_layernorm")
            x = x + self._norm(self._mlp(self._norm(x, layer, "pre_feedforward_layernorm"), layer),
                               layer, "post_feedforward_layernorm")
        return self._normed(x, self.weights["norm.weight"])

    def _attended(self, x: torch.Tensor, layer: int, turns: tuple[torch.Tensor, torch.Tensor],
                  attention: Attention) -> torch.Tensor:
        heads = (*x.shape[:-1], -1, self.config["head_dim"])
        query, key, value = (linear(x, self._of(layer, f"self_attn.{name}_proj")).view(heads).transpose(1, 2)
                             for name in ("q", "k", "v"))
        query, key = (_turned(self._norm(states, layer, f"self_attn.{name}_norm"), *turns)
                      for name, states in (("q", query), ("k", key)))
        found = attention(layer, query, key, value)
        return linear(found.reshape(*x.shape[:-1], -1).contiguous(), self._of(layer, "self_attn.o_proj"))

    def _mlp(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        gate, up, down = (self._of(layer, f"mlp.{name}_proj") for name in ("gate", "up", "down"))
        return linear(gelu(linear(x, gate), approximate="tanh") * linear(x, up), down)

    def _norm(self, x: torch.Tensor, layer: int, name: str) -> torch.Tensor:
        return self._normed(x, self._of(layer, name))

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        exact = x.float()
        exact = exact * torch.rsqrt(exact.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"])
        return (exact * (1.0 + weight.float())).type_as(x)

    def _rotary(self, positions: torch.Tensor, base: float) -> tuple[torch.Tensor, torch.Tensor]:
        width = self.config["head_dim"]
        exponents = torch.arange(0, width, 2, dtype=torch.float, device=self.device) / width
        angles = positions[..., None].float() * (1.0 / base**exponents)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(self.dtype)[:, None], angles.sin().to(self.dtype)[:, None]

    def _of(self, layer: int, name: str) -> torch.Tensor:
        return self.weights[f"layers.{layer}.{name}.weight"]

    def _slides(self, layer: int) -> bool:
        return self.config["layer_types"][layer] == SLIDING

    @property
    def _scaling(self) -> float:
        return self.config["query_pre_attn_scalar"]**-0.5


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of (1, heads, tokens, width)."""
    first, second = x.chunk(2, dim=-1)
    return (x * cos) + (torch.cat((-second, first), dim=-1) * sin)


def _repeated(states: torch.Tensor, times: int) -> torch.Tensor:
    """Key or value heads (1, heads, tokens, width), each as often as query heads use it."""
    if times == 1:
        return states
    batch, heads, tokens, width = states.shape
    return states[:, :, None].expand(batch, heads, times, tokens, width).reshape(batch, heads * times, tokens, width)


def _says(settings: dict, wanted: dict[str, tuple]) -> bool:
    return all(settings[name] in values for name, values in wanted.items() if name in settings)


class PlainTokenizer:
    """As much of transformers' tokenizer as `Encoder` uses; text that spells a special token stays text."""

    chat_template = None

    def __init__(self, folder: Path):
        from tokenizers import Tokenizer

        self.name_or_path = str(folder)
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # what the library raises has no class of its own
            raise PerfclfError(f"the tokenizer in {folder / TOKENIZER} is damaged: {error}") from error
        self._tokenizer.encode_special_tokens = True
        settings = read_json(folder / TOKENIZER_SETTINGS)
        self.bos_token_id, self.eos_token_id = (self._id(settings.get(name)) for name in ("bos_token", "eos_token"))

    def __call__(self, text: str, **_) -> dict[str, list[int]]:
        """The tokens of the text alone, whatever it spells."""
        return {"input_ids": self._tokenizer.encode(text, add_special_tokens=False).ids}

    def _id(self, token: str | dict | None) -> int | None:
        """A special token is written as a string, or with its settings."""
        content = token["content"] if isinstance(token, dict) else token
        return None if content is None else self._tokenizer.token_to_id(content)
