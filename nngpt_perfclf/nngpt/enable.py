"""Write into an NNGPT checkout what it needs to run the comparison task and to ask before it trains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from string import Template

from nngpt_perfclf.config import conf_folder
from nngpt_perfclf.types import PerfclfError

PROMPTS = Path("ab/gpt/conf/prompt")
CONFIGURATION = "nngpt_perfclf.yaml"
# The checkout's head narrows every query without these keys to one dataset and to some families of networks, so that no
# network is left with a second dataset to compare. An empty prefix is the prefix of every name.
REPAIR = {"dataset": None, "nn_prefixes": [""]}


@dataclass(frozen=True)
class Layout:
    """Where a version of NNGPT has the module with its `main`."""

    file: Path
    module: str

    @property
    def preset(self) -> Path:
        return self.file.with_name("PerfClf.py")

    @property
    def preset_module(self) -> str:
        return self.module.rpartition(".")[0] + ".PerfClf"


LAYOUTS = (Layout(Path("ab/gpt/act/tune/Tune.py"), "ab.gpt.act.tune.Tune"),
           Layout(Path("ab/gpt/TuneNNGen.py"), "ab.gpt.TuneNNGen"))

# 1,024 rows to learn from and 30 to answer, as in NNGPT's own presets of this task.
_PRESET = Template('''\
"""Written by `nngpt-perfclf nngpt enable`.

    python -m $preset compare     fine-tune on the dataset comparison task, with the repaired prompts
    python -m $preset generate    NNGPT's usual search, pruned between generation and evaluation
"""

import argparse
from pathlib import Path

from $module import main

from nngpt_perfclf.nngpt import wrap

CONFIGURATION = Path(__file__).resolve().parents[$depth] / "$configuration"

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=("compare", "generate"))
    parser.add_argument("--prompt", default="$default", choices=$prompts)
    parser.add_argument("--dry-run", action="store_true", help="compare: learn from 3 rows only")
    told = parser.parse_args()
    if told.task == "compare":
        main(llm_tune_conf=told.prompt, nn_gen_conf=told.prompt, nn_gen_conf_id="$key", classification_mode=True,
             max_prompts=3 if told.dry_run else 1024, test_nn=30, max_new_tokens=2048, context_length=8192)
    else:
        with wrap(CONFIGURATION):
            main()
''')


def enable(checkout: str | Path) -> dict:
    """Write the repaired prompts, a preset and the configuration. Returns `written` and `unchanged` paths.

    Raises PerfclfError for a folder that is no NNGPT checkout, and, before anything is written, for a file of the same
    name with another content: it may be the user's.
    """
    root = Path(checkout).absolute()
    layout = next((layout for layout in LAYOUTS if (root / layout.file).is_file()), None)
    if layout is None:
        raise PerfclfError(f"{root} is no NNGPT checkout: neither {' nor '.join(str(one.file) for one in LAYOUTS)}")
    repaired = _repaired_prompts(root)
    names = sorted({path.name for path in repaired})
    key = next(iter(json.loads(next(iter(repaired.values())))))
    preset = _PRESET.substitute(preset=layout.preset_module, module=layout.module, configuration=CONFIGURATION, key=key,
                                depth=len(layout.file.parents) - 1, prompts=tuple(names),
                                default=next((name for name in names if "code_based" in name), names[0]))
    wanted = {**repaired, layout.preset: preset,
              Path(CONFIGURATION): (conf_folder() / "nngpt.yaml").read_text(encoding="utf-8")}
    new = [path for path, text in wanted.items() if _is_new(root / path, text)]
    for path in new:
        (root / path).write_text(wanted[path], encoding="utf-8")
    return {"checkout": str(root), "written": [str(path) for path in new],
            "unchanged": [str(path) for path in wanted if path not in new],
            "next": f"python -m {layout.preset_module} generate"}


def _repaired_prompts(root: Path) -> dict[Path, str]:
    """The checkout's own comparison prompts that stand in both folders, with the two keys set, under new names."""
    folders = [PROMPTS / part for part in ("train", "test")]
    both = set.intersection(*({path.name for path in (root / folder).glob("NN_dataset_compare_*.json")
                               if "_perfclf" not in path.name} for folder in folders))
    if not both:
        raise PerfclfError(f"no NN_dataset_compare_*.json in both {root / folders[0]} and {root / folders[1]}")
    return {folder / name.replace(".json", "_perfclf.json"): _repaired(root / folder / name)
            for name in sorted(both) for folder in folders}


def _repaired(path: Path) -> str:
    try:
        prompts = json.loads(path.read_text(encoding="utf-8"))
        repaired = {key: {**settings, **REPAIR} for key, settings in prompts.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise PerfclfError(f"{path} is no NNGPT prompt file: {error}") from error
    return json.dumps(repaired, indent=2) + "\n"


def _is_new(path: Path, text: str) -> bool:
    if not path.exists():
        return True
    if path.read_text(encoding="utf-8") != text:
        raise PerfclfError(f"{path} exists with another content: move it away or delete it, then repeat")
    return False
