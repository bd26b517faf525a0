"""What an NNGPT run leaves between generation and evaluation: candidates in folders, ``A{e}/synth_nn/B{i}/``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nngpt_perfclf.nngpt.seed_row import read_seed_row
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

SYNTH, PRUNED = "synth_nn", "pruned_nn"
CODE, PARAMETERS, SEED_ROW, ANSWER = "new_nn.py", "hp.txt", "dataframe.df", "full_output.txt"
# Any of these shows that NNGPT's evaluation has been here.
RESULTS = ("eval_info.json", "eval_summary.json", "1.json", "error.txt", "eval_verification_failed.txt")
# What NNGPT's evaluation trains with where a candidate brings no hp.txt (ab/gpt/NNEval.py of nn-gpt 1.0.6).
DEFAULTS = {"lr": 0.01, "batch": 64, "dropout": 0.2, "momentum": 0.9, "transform": "norm_256_flip"}


@dataclass(frozen=True)
class Epoch:
    """One generation of an NNGPT run: `folder` is its ``A{e}``."""

    folder: Path

    @property
    def synth(self) -> Path:
        """Where NNGPT's evaluation looks."""
        return self.folder / SYNTH

    @property
    def pruned(self) -> Path:
        """Where it does not."""
        return self.folder / PRUNED

    @property
    def records(self) -> Path:
        """Beside the root of all epochs, which NNGPT empties when it starts."""
        return self.folder.parent.parent / "perfclf"

    def folders(self) -> list[Path]:
        """The candidates' folders, those that stand pruned among them, in NNGPT's numbering.

        Raises PerfclfError where a name stands on both sides: which of the two is meant nobody can tell.
        """
        sides = [side for side in (self.synth, self.pruned) if side.is_dir()]
        found = [path for side in sides for path in side.iterdir() if path.is_dir()]
        names = [path.name for path in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise PerfclfError(f"{twice} stands in {self.synth} and in {self.pruned}: move one of the two away")
        return sorted(found, key=lambda path: (len(path.name), path.name))


@dataclass(frozen=True)
class Found:
    """One candidate's folder: the `candidate` and the dataset it is meant for, or why it is left as it is."""

    folder: Path
    candidate: Candidate | None = None
    target: str = ""
    left: str = ""


def open_epoch(path: str | Path) -> Epoch:
    """The epoch of ``A{e}`` or of its ``synth_nn``. Raises PerfclfError for a folder that is neither."""
    folder = Path(path).absolute()
    if folder.name in (SYNTH, PRUNED):
        folder = folder.parent
    if not (folder / SYNTH).is_dir() and not (folder / PRUNED).is_dir():
        raise PerfclfError(f"no {SYNTH} in {folder}: give an epoch's folder, such as out/nngpt/llm/epoch/A0")
    return Epoch(folder)


def read_folder(folder: Path, target: str | None) -> Found:
    """The candidate in `folder`, for `target` or else for its seed row's dataset; never raises for its content."""
    if not (folder / CODE).is_file():
        only_answer = (folder / ANSWER).is_file()
        return Found(folder, left=f"no {CODE}" + (": an answer, not a network" if only_answer else ""))
    result = next((name for name in RESULTS if (folder / name).exists()), None)
    if result is not None:
        return Found(folder, left=f"evaluated already ({result})")
    try:
        row = read_seed_row(folder / SEED_ROW) if (folder / SEED_ROW).is_file() else {}
        code = (folder / CODE).read_text(encoding="utf-8")
        recipe = _recipe({**_parameters(folder / PARAMETERS), **_stated(row.get("prm"))})
    except (PerfclfError, UnicodeDecodeError) as error:
        return Found(folder, left=str(error))
    aim = target or row.get("dataset")
    if not isinstance(aim, str):
        return Found(folder, left=f"no {SEED_ROW} that names a dataset; give --target")
    return Found(folder, Candidate(folder.name, code, recipe), aim)


def _parameters(path: Path) -> dict[str, object]:
    """What hp.txt says; without one, or with one that is not JSON or empty, NNGPT trains with its defaults."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        told = None
    if not told:
        return DEFAULTS
    if not isinstance(told, dict):
        raise PerfclfError(f"{path.name} holds a {type(told).__name__}, not hyperparameters by name")
    return told


def _stated(prm: object) -> dict[str, object]:
    return prm if isinstance(prm, dict) else {}


def _recipe(prm: Mapping[str, object]) -> Recipe:
    """A recipe of NNGPT's hyperparameters; what is no number counts as not stated."""
    lr, momentum, dropout, batch = (_number(prm.get(name)) for name in ("lr", "momentum", "dropout", "batch"))
    transform = prm.get("transform")
    return Recipe(lr, momentum, None if batch is None else int(batch), dropout,
                  transform if isinstance(transform, str) else DEFAULTS["transform"])


def _number(value: object) -> float | None:
    try:
        number = float(value) if not isinstance(value, bool | None) else None
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < float("inf") else None
