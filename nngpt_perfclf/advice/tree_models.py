"""What the two LightGBM advisers share: trees with what they read, and where a run folder keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nngpt_perfclf.advice.features import CodeReader
from nngpt_perfclf.advice.trees import Forest
from nngpt_perfclf.advice.weights import MODES
from nngpt_perfclf.config import Config, to_dict
from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.types import PerfclfError

if TYPE_CHECKING:
    from nngpt_perfclf.tasks import TaskData

Model = TypeVar("Model", bound="TreeModel")


@dataclass(frozen=True)
class TreeModel:
    """Trees of one label and mode. `reader`: of the code; `datasets`: that were learned from, whose order numbers them;
    `reads`: code, recipe, both or nothing."""

    reader: CodeReader
    forest: Forest | None
    datasets: tuple[str, ...]
    reads: str


def file_of(label: str, mode: str) -> str:
    """The file of a label's trees, for questions with recipes or without."""
    return f"{label}-{mode}.npz"


def reads_of(features: str) -> dict[str, str]:
    """What the trees of each mode read, given what the configuration lets them read."""
    return {"with_recipe": features, "code_only": "nothing" if features == "recipe" else "code"}


def load_models(folder: Path, label: str, kind: type[Model]) -> dict[str, Model]:
    """The models of both modes in a run folder; raises PerfclfError where one is missing or damaged."""
    told = RunFolder(folder).manifest
    reader, datasets = CodeReader.load(folder / "reader.npz"), tuple(told["datasets"])
    return {mode: kind(reader, Forest.load(folder / file_of(label, mode)), datasets, reads_of(told["reads"])[mode])
            for mode in MODES}


def fit_reader(data: TaskData, out: Path) -> CodeReader:
    """A reader fitted on the training networks' codes, left in the run folder `out`; raises PerfclfError for a split
    that leaves no network to learn from."""
    learning = sorted(data.networks.index[data.networks["part"] == "train"])
    if not learning:
        raise PerfclfError("no networks to learn from: change split.*")
    reader = CodeReader.fit([data.codes[nn] for nn in learning], data.config.seed)
    out.mkdir(parents=True, exist_ok=True)
    reader.save(out / "reader.npz")
    return reader


def finish(kind: str, config: Config, data: TaskData, out: Path, result: Mapping, datasets: tuple[str, ...]) -> dict:
    """Write the manifest of a finished training of trees and return what the verb shows."""
    RunFolder(out).note(manifest(kind, to_dict(config), data.fingerprint, status="done", result=dict(result),
                                 datasets=list(datasets), reads=config.advice.features))
    return {"run": str(out), **result}
