"""The real trainer: any network with LEMUR's interface, trained epoch by epoch on a small image set, in a sandbox."""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pluggy

from nngpt_perfclf.advice.structures import structures_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.local_training import image_sets
from nngpt_perfclf.local_training.checkpoints import Checkpoints
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.recipes import transform_parts
from nngpt_perfclf.sandbox import process as sandbox
from nngpt_perfclf.sandbox.words import unicode_fault
from nngpt_perfclf.tasks import TaskData, recipe_of
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Recipe

# What NNGPT's evaluation takes where a candidate does not say.
UNSTATED = Recipe(lr=0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_256_flip")
# The image sets have 1,024 training images: larger batches would leave an epoch of a few steps.
LARGEST_BATCH = 32
BUILT_AT_ONCE = 20
MESSAGES = 4 << 20  # bytes that a candidate may print
MODULES = ("numpy", "torch", "torch.utils.data", "nngpt_perfclf.local_training.state")
TRAIN_WORKER = Path(__file__).with_name("train_worker.py")


def plugin(config: Config, checkpoints: Checkpoints) -> LocalTrainer:
    """The hooks `propose` and `train` for the built-in image sets. `checkpoints`: of the candidates that are to be
    trained further."""
    names = image_sets.every_name()
    if unknown := [target for target in config.loop.targets if target not in names]:
        raise PerfclfError(f"no local image set {unknown[0]!r}; loop.targets may name {', '.join(names)}")
    if sandbox.protections()["reading"] == "none":
        say("this kernel has no Landlock: a candidate that looks for the test labels can find them")
    return LocalTrainer(config, checkpoints)


def plugins(config: Config, checkpoints: Checkpoints) -> pluggy.PluginManager:
    """What trains in a worker process: the installed plugins and the local trainer."""
    return get_plugin_manager(plugin(config, checkpoints))


class LocalTrainer:
    """`propose` offers held-out LEMUR networks that are quick to train; `train` trains any code, for real."""

    def __init__(self, config: Config, checkpoints: Checkpoints):
        self.config, self.checkpoints = config, checkpoints
        self._candidates: list[Candidate] | None = None

    @hookimpl
    def propose(self, target: str, count: int, seed: int) -> list[Candidate] | None:
        """`count` of the quickest held-out networks, each with a recipe that was recorded for it, none twice."""
        if target not in image_sets.every_name():
            return None
        if self._candidates is None:
            self._candidates = quick_candidates(self.config)
        if count > len(self._candidates):
            raise PerfclfError(f"only {len(self._candidates)} held-out networks are quick enough to train here, "
                               f"not {count}; lower loop.candidates")
        chosen = np.random.default_rng(seed).choice(len(self._candidates), size=count, replace=False)
        return [self._candidates[index] for index in chosen]

    @hookimpl
    def train(self, candidate: Candidate, target: str) -> Outcome | None:
        """The next epoch in the sandbox, from the candidate's checkpoint after the first one. A candidate that fails,
        whatever it tries, gives an Outcome that says so. Raises PerfclfError where the checkpoint is lost."""
        if target not in image_sets.every_name():
            return None
        loop, epochs = self.config.loop, self.config.epoch
        largest = int(loop.checkpoint_limit * 2**20) if candidate.next_epoch < epochs else 0
        limits = sandbox.Limits(loop.time_limit, loop.memory_limit, MESSAGES + largest, self.config.threads or 1)
        state = self.checkpoints.read(candidate, target) if candidate.seen else b""
        trained = train_in_sandbox(candidate, target, limits, self.config.seed, epochs, state)
        if trained.state:
            self.checkpoints.write(candidate, target, trained.state)
        return trained.outcome

    @hookimpl
    def candidate_trained(self, candidate: Candidate, outcome: Outcome) -> None:
        """Its outcome is recorded: the checkpoint that it went on from is not needed any more."""
        if candidate.seen:
            self.checkpoints.remove(candidate, outcome.target)


@dataclass(frozen=True)
class Trained:
    """What one epoch gave: the outcome, and the candidate's `state`, empty where it failed or is not to go on."""

    outcome: Outcome
    state: bytes = b""


def train_in_sandbox(candidate: Candidate, target: str, limits: sandbox.Limits, seed: int, epochs: int = 1,
                     state: bytes = b"") -> Trained:
    """Train `candidate` on the image set `target` for one epoch of `epochs`, from `state` where it has seen some.
    `seconds` is the wall time of the subprocess, its start included."""
    if unreadable := unicode_fault(candidate.arch_code):
        return Trained(Outcome(candidate.name, target, None, 0.0, unreadable))
    images = image_sets.load(target)
    folder = Path(tempfile.mkdtemp(prefix="perfclf-train-"))
    try:
        task = {"prm": parameters(candidate.recipe, epochs), "classes": images.classes, "threads": limits.threads,
                "seed": _seed_of(candidate, target, seed), "goes_on": candidate.next_epoch < epochs}
        if state:
            (folder / "state.pt").write_bytes(state)
        (folder / "net.py").write_text(candidate.arch_code, encoding="utf-8")
        (folder / "task.json").write_text(json.dumps(task))
        np.savez(folder / "images.npz", train=images.train_images, labels=images.train_labels, test=images.test_images)
        finished = sandbox.run(TRAIN_WORKER, folder, limits, MODULES)
    finally:
        shutil.rmtree(folder)
    if finished.failure:
        return Trained(Outcome(candidate.name, target, None, finished.seconds, finished.failure))
    predicted, _, left = finished.output.partition(b"\n")
    accuracy = accuracy_of(predicted, images.test_labels, images.classes)
    failure = "" if accuracy is not None else "handed back no list of predicted classes"
    if task["goes_on"] and not failure and not left:
        accuracy, failure = None, "handed back no state to go on from"
    return Trained(Outcome(candidate.name, target, accuracy, finished.seconds, failure), b"" if failure else left)


def accuracy_of(answer: bytes, labels: np.ndarray, classes: int) -> float | None:
    """The share of right classes in `answer`, a JSON list of as many integers as labels; None where it is not that."""
    try:
        predicted = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(predicted, list) or len(predicted) != len(labels):
        return None
    if not all(type(number) is int and 0 <= number < classes for number in predicted):
        return None
    return float(np.mean(np.array(predicted) == labels))


def parameters(recipe: Recipe, epochs: int = 1) -> dict[str, object]:
    """LEMUR's `prm` of a recipe and the planned `epochs`: what is not stated is NNGPT's default, the batch is cut to
    the size of the data."""
    stated = {name: getattr(UNSTATED, name) if getattr(recipe, name) is None else getattr(recipe, name)
              for name in ("lr", "momentum", "batch", "dropout", "transform")}
    return {**stated, "batch": min(int(stated["batch"]), LARGEST_BATCH), "epoch": epochs}


def quick_candidates(config: Config) -> list[Candidate]:
    """The held-out networks whose recorded epochs were the shortest, `loop.pool` of them or as many as one generation
    needs, ordered by name. Each has the recipe of its quickest trial at the size of the local images, which shows that
    it can take them. With `loop.macs` they are built first: none needs more multiply-adds, and no two are as large."""
    data = TaskData.load(replace(config, epoch=1))
    trials = data.trials
    held_out = trials["nn"].map(data.networks["part"]) == "test"
    fits = trials["transform"].map(_image_size) == image_sets.SIZE
    quickest = trials[held_out & fits].sort_values(["duration", "trial"]).drop_duplicates("nn").itertuples()
    fitting = (Candidate(row.nn, data.codes[row.nn], recipe_of(row), {"trial": row.trial})
               for row in quickest if runs_here(data.codes[row.nn]))
    small = fitting if config.loop.macs is None else _of_different_size(fitting, config.loop.macs, config)
    chosen = itertools.islice(small, max(config.loop.pool, config.loop.candidates))
    return sorted(chosen, key=lambda candidate: candidate.name)


def _of_different_size(candidates: Iterable[Candidate], macs: int, config: Config) -> Iterator[Candidate]:
    """The candidates that can be built with at most so many multiply-adds an image, the first one of each size: those
    of one size are copies but for their names."""
    datasets, seen, left = dataset_properties(config.datasets), set(), iter(candidates)
    while chunk := list(itertools.islice(left, BUILT_AT_ONCE)):
        sides = [(candidate.arch_code, config.loop.targets[0], candidate.recipe) for candidate in chunk]
        for candidate, built in zip(chunk, structures_of(sides, datasets), strict=True):
            size = built and (built[0].macs, built[0].parameters)
            if size and size not in seen and size[0] <= macs:
                seen.add(size)
                yield candidate


def runs_here(code: str) -> bool:
    """Whether `code`, by its text alone, imports only what is installed and asks `prm` only for what a recipe has."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return False
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    asked = {node.slice.value for node in ast.walk(tree) if isinstance(node, ast.Subscript)
             and isinstance(node.value, ast.Name) and node.value.id == "prm" and isinstance(node.slice, ast.Constant)}
    installed = all(root != "ab" and root and find_spec(root) for root in {name.split(".")[0] for name in imported})
    return installed and asked <= parameters(Recipe()).keys()


def _image_size(transform: str) -> int | None:
    """The side in pixels that a pipeline resizes to: 32 for ``norm_32_flip``. None where its name states no size, and
    for pipelines such as ``complex_32``, whose results are not images."""
    parts = transform_parts(transform)
    return parts.size if parts.kind in ("norm", "echo") else None


def _seed_of(candidate: Candidate, target: str, seed: int) -> int:
    """The same candidate trains the same way whenever and in whatever order it is trained; each epoch draws anew."""
    text = f"{seed}\0{target}\0{candidate.name}\0{candidate.arch_code}"
    if candidate.seen:
        text += f"\0{candidate.next_epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
