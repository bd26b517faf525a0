"""Write into an NNGPT checkout what it needs to ask before it trains and to run the comparison task; take it back."""

import hashlib
import json
import os
import site
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from string import Template

from nngpt_perfclf.config import conf_folder, load_config
from nngpt_perfclf.files import read_json, whole, write_json
from nngpt_perfclf.types import PerfclfError

PROMPTS = Path("ab/gpt/conf/prompt")
CONFIGURATION = Path("nngpt_perfclf.yaml")
# What was written, by path and digest of the content, so that it can be told from what a person changed.
WRITTEN = ".nngpt_perfclf.json"
# Python runs this file at its start; it does nothing unless the environment variable is set (see `hook`).
STARTER = "nngpt_perfclf_hook.pth"
_START = ('import os; os.environ.get("NNGPT_PERFCLF_PRUNE") '
          'and __import__("nngpt_perfclf.nngpt.hook").nngpt.hook.start()')
# The checkout's head narrows every query without these keys to one dataset and to some families of networks, so that no
# network is left with a second dataset to compare. An empty prefix is the prefix of every name.
REPAIR = {"dataset": None, "nn_prefixes": [""]}


@dataclass(frozen=True)
class Layout:
    """Where a version of NNGPT has its tuning program."""

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

_PRESET = Template('''\
"""Written by `nngpt-perfclf nngpt enable`, removed by `nngpt-perfclf nngpt disable`.

    python -m $preset generate …       NNGPT's search, pruned before each evaluation
    python -m $preset run MODULE …     any other program of NNGPT, pruned likewise
    python -m $preset compare …        fine-tune on the dataset comparison task, with the repaired prompts
"""

from pathlib import Path

from nngpt_perfclf.nngpt.preset import main

if __name__ == "__main__":
    main("$module", Path(__file__).resolve().parents[$depth] / "$configuration",
         prompts=$prompts, key="$key")
''')


def enable(checkout: str | Path) -> dict:
    """Write the repaired prompts, a preset and the configuration into the checkout, and the file that hooks NNGPT's
    child processes into this Python environment. Returns `written`, `unchanged` and `kept` (edited) paths.

    Raises PerfclfError for a folder that is no NNGPT checkout, and, before anything is written, for a file of the same
    name with another content: it may be the user's. An edited configuration stays as it is.
    """
    root = Path(checkout).absolute()
    layout = _layout(root)
    wanted, ours = _wanted(root, layout), _ours(root)
    kept = [CONFIGURATION] if _is_edited_configuration(root / CONFIGURATION, wanted[CONFIGURATION], ours) else []
    new = [path for path, text in wanted.items() if path not in kept and _is_new(root, path, text, ours)]
    starter = _starter_folder() / STARTER
    for path in new:
        with whole(root / path) as file:
            file.write_text(wanted[path], encoding="utf-8")
    _write_starter(starter, _checkouts(starter) | {str(root)})
    write_json(root / WRITTEN, {str(path): _digest(text.encode()) for path, text in wanted.items()})
    return {"checkout": str(root), "written": [str(path) for path in new],
            "unchanged": [str(path) for path in wanted if path not in (*new, *kept)],
            "kept": [str(path) for path in kept], "environment": str(starter),
            "next": f"python -m {layout.preset_module} generate"}


def disable(checkout: str | Path) -> dict:
    """Remove what `enable` wrote. Returns `removed` paths, and `kept` ones, which a person has changed since."""
    root = Path(checkout).absolute()
    ours = _ours(root)
    if not ours:
        raise PerfclfError(f"{root} is not enabled: it has no {WRITTEN}")
    there = [path for path in map(Path, ours) if (root / path).is_file()]
    kept = [path for path in there if _digest((root / path).read_bytes()) != ours[str(path)]]
    removed = [path for path in there if path not in kept]
    for path in removed:
        (root / path).unlink()
        _remove_compiled(root / path)
    (root / WRITTEN).unlink()
    starter = _starter_folder() / STARTER
    _write_starter(starter, _checkouts(starter) - {str(root)})
    return {"checkout": str(root), "removed": [str(path) for path in removed], "kept": [str(path) for path in kept]}


def _layout(root: Path) -> Layout:
    for layout in LAYOUTS:
        if (root / layout.file).is_file():
            return layout
    raise PerfclfError(f"{root} is no NNGPT checkout: neither {' nor '.join(str(layout.file) for layout in LAYOUTS)}")


def _wanted(root: Path, layout: Layout) -> dict[Path, str]:
    """The files to write, by path relative to the checkout."""
    repaired = _repaired_prompts(root)
    names = sorted({path.name for path in repaired}, key=lambda name: ("code_based" not in name, name))
    preset = _PRESET.substitute(preset=layout.preset_module, module=layout.module, configuration=CONFIGURATION,
                                key=next(iter(json.loads(next(iter(repaired.values()))))), prompts=tuple(names),
                                depth=len(layout.file.parents) - 1)
    return {**repaired, layout.preset: preset,
            CONFIGURATION: (conf_folder() / "nngpt.yaml").read_text(encoding="utf-8")}


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


def _ours(root: Path) -> dict[str, str]:
    """Digest of what was written, by path; empty where nothing was."""
    return read_json(root / WRITTEN) if (root / WRITTEN).is_file() else {}


def _is_edited_configuration(path: Path, text: str, ours: dict[str, str]) -> bool:
    """Whether a person's configuration stands there. What is none counts as any other file."""
    if not path.is_file() or _digest(path.read_bytes()) in (_digest(text.encode()), ours.get(str(CONFIGURATION))):
        return False
    try:
        load_config(path)
    except PerfclfError:
        return False
    return True


def _is_new(root: Path, path: Path, text: str, ours: dict[str, str]) -> bool:
    """Whether the file is to be written. Raises PerfclfError where one stands that was not written here."""
    if not (root / path).exists():
        return True
    digest = _digest((root / path).read_bytes())
    if digest == _digest(text.encode()):
        return False
    if digest != ours.get(str(path)):
        raise PerfclfError(f"{root / path} exists with another content: move it away or delete it, then repeat")
    return True


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _remove_compiled(path: Path) -> None:
    """What Python compiled of a removed module, and the folder where nothing else is in it."""
    folder = path.parent / "__pycache__"
    for compiled in folder.glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _starter_folder() -> Path:
    """Where Python looks for ``.pth`` files: this environment's, or else the user's. Raises PerfclfError where neither
    can be written."""
    folders = [Path(sysconfig.get_path("purelib"))]
    if site.ENABLE_USER_SITE:
        folders.append(Path(site.getusersitepackages()))
    for folder in folders:
        if os.access(folder, os.W_OK):
            return folder
    raise PerfclfError(f"{folders[0]} cannot be written, so that NNGPT's child processes could not be hooked: install "
                       "NNGPT and nngpt-perfclf in an environment that you can write to")


def _checkouts(starter: Path) -> set[str]:
    """The checkouts that a starter was written for."""
    if not starter.is_file():
        return set()
    return {line[2:] for line in starter.read_text(encoding="utf-8").splitlines() if line.startswith("# ")}


def _write_starter(starter: Path, checkouts: set[str]) -> None:
    """The starter for these checkouts, one comment line each; none, and it goes."""
    if not checkouts:
        starter.unlink(missing_ok=True)
        return
    with whole(starter) as file:
        file.write_text("\n".join([*(f"# {name}" for name in sorted(checkouts)), _START, ""]), encoding="utf-8")
