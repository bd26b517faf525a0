"""In the place of what NNGPT needs an accelerator, a database or a language model for: a scripted generator and a
scripted training worker. Everything else is NNGPT's own code.

`install()` runs at the start of every process that the tests of NNGPT start, children of children too. Which network
is answered to each prompt, how well each trains, and what the worker saw stand in files below the folder that the
environment variable ``NNGPT_WORLD`` names.
"""

import importlib.machinery
import json
import os
import sys
import types
from pathlib import Path

NETWORK = """import torch

class Net(torch.nn.Module):
    width = {width}
    def forward(self, x): return x
    def learn(self, data): pass
    def train_setup(self, prm): pass

def supported_hyperparameters(): return {{'lr'}}
"""
JUNK = "print('hi')\n"


def install() -> None:
    sys.modules["torchvision"] = None  # not needed, and slow to import
    # NNGPT is written for older releases of these.
    _stub("transformers", TrainingArguments=types.SimpleNamespace, PreTrainedTokenizerBase=object)
    _stub("peft", LoraConfig=types.SimpleNamespace, PeftModel=object, get_peft_model=None)
    _stub("deepspeed")
    _stub("ab.gpt.util.LLMUtil", quantization_config_4bit=None)
    _stub("overrides", override=lambda method: method)
    _stub("ab.nn.api", data=_Query())
    _stub("ab.gpt.util.LLM", LLM=_Model)
    _stub("ab.gpt.util.Chatbot", ChatBot=_Generator)
    _stub("ab.gpt.util.LoRA", LoRA=_Tuner)
    _stub("ab.gpt.util.prompt.NNGenPrompt", NNGenPrompt=_Rows)
    _stub("ab.gpt.util.nneval_worker_pool", prewarm_nneval_workers=lambda **_: None,
          shutdown_nneval_workers=lambda: None, evaluate_model_entries=_train)


def world() -> Path:
    return Path(os.environ["NNGPT_WORLD"])


def _stub(name: str, **content) -> None:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__path__ = []
    module.__dict__.update(content)
    sys.modules[name] = module


class _Query:
    """LEMUR's query: four best trials, of the columns that it gives."""

    def __call__(self, **filters):
        import pandas as pd

        return pd.DataFrame([{
            "task": "img-classification", "dataset": "cifar-10" if i < 3 else "svhn", "metric": "acc", "epoch": 1,
            "nn": f"ga-{i}", "nn_code": NETWORK.format(width=i), "accuracy": 0.5, "duration": 10**9,
            "prm": {"lr": 0.01 * (i + 1), "batch": 32, "momentum": 0.9, "dropout": 0.2, "transform": "norm_32"},
            "transform_code": "", "metric_code": "", "nn_id": i, "dataset_2": "svhn"} for i in range(4)])

    def cache_clear(self):
        pass


class _Model:
    """Loads nothing."""

    def __init__(self, *args, **kwargs):
        pass

    def get_model(self):
        return self

    get_tokenizer = get_max_length = train = get_model


class _Generator:
    """A network, hyperparameters and no transform for each prompt; every fourth answer is junk."""

    system_prompt = None

    def __init__(self, *args, **kwargs):
        pass

    def chat(self, prompt, **options):
        count = world() / "answers"
        number = int(count.read_text()) if count.exists() else 0
        count.write_text(str(number + 1))
        code = JUNK if number % 4 == 3 else NETWORK.format(width=number)
        return code, "{'lr': 0.3, 'momentum': 0.5}", None, "an answer"

    def chat_batch(self, prompts, **options):
        return [self.chat(prompt) for prompt in prompts]


class _Tuner:
    def __init__(self, *args, **kwargs):
        pass

    def train(self, *args, **kwargs):
        return _Model()


class _Rows:
    def __init__(self, *args, **kwargs):
        pass

    def get_dataset(self, *args, **kwargs):
        return []


def _train(entries, **options) -> list[dict]:
    """Accuracy follows the width; junk fails. What was asked for is one line a candidate in ``seen.jsonl``."""
    results = []
    for entry in entries:
        request = entry["payload"]
        folder, code = Path(request["model_dir"]), Path(request["code_file"]).read_text()
        with (world() / "seen.jsonl").open("a") as seen:
            seen.write(json.dumps({"epoch": folder.parent.parent.name, "candidate": folder.name,
                                   "dataset": request["dataset"], "prm": request["prm"], "pid": os.getpid()}) + "\n")
        if code == JUNK:
            results.append({"success": False, "error": "no class Net"})
            continue
        accuracy = 0.5 + int(code.split("width = ")[1].split()[0]) / 100
        (folder / "1.json").write_text(json.dumps([{"uid": folder.name, "transform": "norm_32", "duration": 7.2e12,
                                                    "accuracy": accuracy}]))
        results.append({"success": True, "accuracy": accuracy, "checksum": "", "eval_args": request["prm"]})
    return results
