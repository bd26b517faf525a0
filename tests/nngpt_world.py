"""NNGPT's released code, run for real where it needs no accelerator.

Run as ``python nngpt_world.py NNGPT ROOT``, in a process of its own, because its modules keep the working directory
they were first imported in. What is replaced: the packages that are not installed here (deepspeed, overrides),
LEMUR's query, which would first fill a database, by four rows of its columns, and the language model by its answers.
Everything else, generation with its files, evaluation's search for candidates, is NNGPT's own.
"""

import importlib
import importlib.machinery
import importlib.util
import json
import sys
import types
from pathlib import Path

CODE = """import torch

class Net(torch.nn.Module):
    width = {width}
    def forward(self, x): return x
    def learn(self, data): pass
    def train_setup(self, prm): pass

def supported_hyperparameters(): return {{'lr'}}
"""


def stub(name: str, **content) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__path__ = []
    module.__dict__.update(content)
    sys.modules[name] = module
    return module


def enter(nngpt: Path, root: Path) -> None:
    """Make `root` a working directory in which both packages can be imported."""
    site = root / "ab"
    site.mkdir(parents=True, exist_ok=True)
    (site / "__init__.py").touch()
    lemur = next(Path(path) for path in importlib.util.find_spec("ab").submodule_search_locations
                 if (Path(path) / "nn" / "nn").is_dir())
    for name, target in (("gpt", nngpt / "ab" / "gpt"), ("nn", lemur / "nn")):
        if not (site / name).exists():
            (site / name).symlink_to(target)
    sys.path.insert(0, str(root))
    for name in [name for name in sys.modules if name == "ab" or name.startswith("ab.")]:
        del sys.modules[name]
    stub("deepspeed")
    stub("overrides", override=lambda method: method)
    api = stub("ab.nn.api", data=rows)
    import ab.nn

    ab.nn.api = api


def rows(**filters):
    """Four best trials, of the columns that LEMUR's query gives."""
    import pandas as pd

    return pd.DataFrame([{
        "task": "img-classification", "dataset": "cifar-10" if i < 3 else "svhn", "metric": "acc", "epoch": 1,
        "nn": f"ga-{i}", "nn_code": CODE.format(width=i), "accuracy": 0.5, "duration": 10**9,
        "prm": {"lr": 0.01 * (i + 1), "batch": 32, "momentum": 0.9, "dropout": 0.2, "transform": "norm_32"},
        "transform_code": "", "nn_id": i, "dataset_2": "svhn"} for i in range(4)])


class Answering:
    """In the place of NNGPT's ChatBot: a network, hyperparameters and no transform for each prompt."""

    system_prompt = None
    asked = 0

    def chat(self, prompt, **options):
        self.asked += 1
        return CODE.format(width=10 + self.asked), "{'lr': 0.3, 'momentum': 0.5}", None, "an answer"


PROMPT = {"prompt": ["Improve {code}"], "input_list": [{"para": "code", "value": "nn_code"}],
          "task": "img-classification"}


def generate(tune, root: Path, output_type: str = "code") -> Path:
    """One epoch of NNGPT's generation; its folder."""
    out_path = root / "epoch" / "A0"
    tune.nn_gen(0, out_path, Answering(), ("key",), 1, {"key": {**PROMPT, "output_type": output_type}}, 4, 16, True,
                None, None, 1)
    return out_path


def evaluated(out_path: Path) -> dict[str, dict]:
    """The candidates that NNGPT's evaluation would train, each with its dataset and hyperparameters."""
    from ab.gpt import NNEval

    defaults = {name.lower(): getattr(NNEval, name) for name in (
        "TASK", "DATASET", "METRIC", "LR", "BATCH", "DROPOUT", "MOMENTUM", "TRANSFORM", "STOCHASTIC_DEPTH_PROB",
        "NORM_EPS", "NORM_STD", "TIE_WEIGHTS", "DROPOUT_AUX", "ATTENTION_DROPOUT", "NORM_MOMENTUM", "SCORE_THRESH",
        "NMS_THRESH", "IOU_THRESH", "DETECTIONS_PER_IMG", "TOPK_CANDIDATES", "NEG_TO_POS_RATIO", "PRETRAINED",
        "PATCH_SIZE", "PRM_JSON", "EPOCH_LIMIT_MINUTES", "NN_NAME_PREFIX", "NN_TRAIN_EPOCHS", "SAVE_TO_DB")}
    requests, _ = NNEval._collect_epoch_requests(models_base_dir=out_path / "synth_nn", **defaults)
    return {one["model_id"]: {"dataset": one["dataset"], "prm": one["prm"]} for one in requests}


def first_goes(candidates, target):
    """A judge that prunes the first candidate for each dataset."""
    return [(float(i), "the least promising" if i == 0 else "") for i in range(len(candidates))]


def failing(candidates, target):
    raise RuntimeError("the adviser is ill")


def main() -> None:
    nngpt, root = Path(sys.argv[1]), Path(sys.argv[2])
    enter(nngpt, root)
    tune = importlib.import_module("ab.gpt.util.Tune")

    from nngpt_perfclf.nngpt import prune, wrap

    folders = {"plain": generate(tune, root / "plain"), "answers": generate(tune, root / "answers", "classification")}
    original = tune.nn_gen
    for name, judge in (("wrapped", first_goes), ("failing", failing)):
        prune._advised = lambda config, keep, judge=judge: judge
        with wrap():
            folders[name] = generate(tune, root / name)
        assert tune.nn_gen is original
    (root / "told.json").write_text(json.dumps({name: evaluated(folder) for name, folder in folders.items()}))


if __name__ == "__main__":
    main()
