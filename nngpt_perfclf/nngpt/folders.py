"""What an NNGPT run leaves between generation and evaluation: a folder for each candidate, such as
``A{e}/synth_nn/B{i}/`` or ``cycle_{c}/nneval/gen_{i}/``."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nngpt_perfclf.evaluation.pruning import CODE, accuracy_of, content_of
from nngpt_perfclf.profiling.contract import fault_of
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

SYNTH, KTO = "synth_nn", "nneval"
PARAMETERS, SEED_ROW, ANSWER = "hp.txt", "dataframe.df", "full_output.txt"
# What NNGPT's evaluation trains with where a candidate does not say (`ab/gpt/act/eval/Eval.py`; in 1.0.6
# `ab/gpt/NNEval.py`).
DATASET = "cifar-10"
PRM = {"lr": 0.01, "batch": 64, "dropout": 0.2, "momentum": 0.9, "transform": "norm_256_flip"}


@dataclass(frozen=True)
class Evaluation:
    """How NNGPT's evaluation will train candidates: on `dataset` with `prm` where their own files do not say, with
    `overrides` over everything, for `epochs`. `seed_row_wins`: whether the seed row's hyperparameters go over
    those in hp.txt."""

    dataset: str = DATASET
    prm: Mapping[str, object] = field(default_factory=lambda: PRM)
    overrides: Mapping[str, object] = field(default_factory=dict)
    epochs: int = 1
    seed_row_wins: bool = True


@dataclass(frozen=True)
class Epoch:
    """One generation of an NNGPT run: `synth` is the folder in which NNGPT's evaluation looks for candidates."""

    synth: Path

    @property
    def folder(self) -> Path:
        """``A{e}``, or ``cycle_{c}``."""
        return self.synth.parent

    @property
    def pruned(self) -> Path:
        """Where NNGPT's evaluation does not look."""
        return self.folder / pruned_name(self.synth.name)

    @property
    def records(self) -> Path:
        """Next to the root of all epochs, which NNGPT empties when it starts."""
        return self.folder.parent.parent / "perfclf"

    def folders(self) -> list[Path]:
        """The candidates' folders, those that were pruned among them, in NNGPT's numbering."""
        sides = [side for side in (self.synth, self.pruned) if side.is_dir()]
        found = [path for side in sides for path in side.iterdir() if path.is_dir()]
        return sorted(found, key=lambda path: (len(path.name), path.name, path.parent != self.synth))

    def collides(self, folder: Path) -> bool:
        """Whether both folders have a candidate of this name, so that the name is ambiguous."""
        return (self.synth / folder.name).exists() and (self.pruned / folder.name).exists()


@dataclass(frozen=True)
class Found:
    """One candidate's folder: the `candidate` and the dataset it would be trained on, or why it is not judged: it is
    `broken`, or `left` as it is. `evaluated`: NNGPT has its accuracy already."""

    folder: Path
    candidate: Candidate | None = None
    target: str = ""
    left: str = ""
    broken: str = ""
    evaluated: bool = False


def pruned_name(synth: str) -> str:
    """The folder next to `synth` to which pruned candidates are moved: ``pruned_nn`` for ``synth_nn``."""
    return synth.replace("synth", "pruned") if synth.startswith("synth") else f"pruned_{synth}"


def open_epoch(path: str | Path) -> Epoch:
    """The epoch of ``A{e}``, of its ``synth_nn``, of any folder of candidates, or of a root that holds one epoch.

    Raises PerfclfError for a folder that is none of these, and for a root that holds several epochs.
    """
    folder = Path(path).absolute()
    for name in (SYNTH, KTO):
        if folder.name in (name, pruned_name(name)):
            return Epoch(folder.with_name(name))
        if (folder / name).is_dir() or (folder / pruned_name(name)).is_dir():
            return Epoch(folder / name)
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    if any((entry / CODE).is_file() for entry in inside):
        return Epoch(folder)
    epochs = [entry.name for entry in inside if (entry / SYNTH).is_dir() or (entry / pruned_name(SYNTH)).is_dir()]
    if len(epochs) == 1:
        return Epoch(folder / epochs[0] / SYNTH)
    if epochs:
        raise PerfclfError(f"{folder} holds several epochs: give one of {', '.join(epochs)}")
    raise PerfclfError(f"no {SYNTH} in {folder}: give an epoch's folder, such as out/nngpt/llm/epoch/A0")


def read_folder(folder: Path, evaluation: Evaluation, target: str | None = None) -> Found:
    """The candidate in `folder` as NNGPT's evaluation would train it, on `target` or else on its own dataset; never
    raises for its content."""
    if not (folder / CODE).is_file():
        only_answer = (folder / ANSWER).is_file()
        return Found(folder, left=f"no {CODE}" + (": an answer, not a network" if only_answer else ""))
    # What NNGPT's evaluation would skip: one that failed is tried again.
    evaluated = accuracy_of(folder) is not None
    try:
        code = (folder / CODE).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return Found(folder, broken=f"{CODE} is not text in UTF-8: {error.reason}", evaluated=evaluated)
    # Without parameters, or with empty ones or none that are JSON, NNGPT trains with its defaults.
    parameters = content_of(folder / PARAMETERS) or None
    if not isinstance(parameters, dict | None):
        kind = type(parameters).__name__
        return Found(folder, broken=f"{PARAMETERS} holds a {kind}: NNGPT's evaluation would stop", evaluated=evaluated)
    row = {}
    try:
        if (folder / SEED_ROW).is_file():
            from nngpt_perfclf.nngpt.seed_row import read_seed_row

            row = read_seed_row(folder / SEED_ROW)
        recipe = _recipe(parameters, row.get("prm"), evaluation)
        recipe_words(recipe)
    except PerfclfError as error:
        return left_alone(Found(folder, Candidate(folder.name, code), evaluated=evaluated), str(error))
    named = row.get("dataset")
    aim = target or (named if isinstance(named, str) else evaluation.dataset)
    return Found(folder, Candidate(folder.name, code, recipe), aim, evaluated=evaluated)


def left_alone(found: Found, reason: str) -> Found:
    """The same, not to be judged for `reason`, unless its code alone shows that it is broken."""
    fault = fault_of(found.candidate.arch_code)
    return replace(found, broken=fault) if fault else replace(found, left=reason)


def _recipe(parameters: dict | None, prm: object, evaluation: Evaluation) -> Recipe:
    """The recipe that NNGPT's evaluation puts together."""
    own = evaluation.prm if parameters is None else parameters
    seed = prm if isinstance(prm, dict) else {}
    merged = {**own, **seed} if evaluation.seed_row_wins else {**evaluation.prm, **seed, **own}
    return recipe_of({**merged, **evaluation.overrides}, evaluation)


def recipe_of(prm: Mapping[str, object], evaluation: Evaluation) -> Recipe:
    """The recipe of NNGPT's hyperparameters; what is no number counts as not stated."""
    lr, momentum, dropout, batch = (_number(prm.get(name)) for name in ("lr", "momentum", "dropout", "batch"))
    transform = prm.get("transform")
    return Recipe(lr, momentum, None if batch is None else int(batch), dropout,
                  transform if isinstance(transform, str) else str(evaluation.prm["transform"]))


def _number(value: object) -> float | None:
    try:
        number = float(value) if not isinstance(value, bool | None) else None
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < float("inf") else None
