"""The real trainer: candidates are networks of LEMUR, trained for one epoch on a small image set in a caged subprocess."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nngpt_perfclf.config import Config
from nngpt_perfclf.host import image_sets, sandbox
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Recipe

# What NNGPT's evaluation takes where a candidate does not say.
UNSTATED = Recipe(lr=0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_256_flip")
# The image sets have 1,024 training images: larger batches would leave an epoch of a few steps.
LARGEST_BATCH = 32
LEARNER = Path(__file__).with_name("learner.py")


def plugin(config: Config) -> LocalTrainer:
    """The hooks `propose` and `train` for the built-in image sets."""
    unknown = [target for target in config.loop.targets if target not in image_sets.names()]
    if unknown:
        raise PerfclfError(f"no local image set {unknown[0]!r}; loop.targets may name {', '.join(image_sets.names())}")
    return LocalTrainer(config)


class LocalTrainer:
    """`propose` offers held-out LEMUR networks that are quick to train; `train` trains any code, for real."""

    def __init__(self, config: Config):
        self.config = config
        self._candidates: list[Candidate] | None = None

    @hookimpl
    def propose(self, target: str, count: int, seed: int) -> list[Candidate] | None:
        """`count` of the quickest held-out networks, each with a recipe that was recorded for it, none twice."""
        if target not in image_sets.names():
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
        """One epoch in the cage; a candidate that fails, whatever it tries, gives an Outcome that says so."""
        if target not in image_sets.names():
            return None
        loop = self.config.loop
        limits = sandbox.Limits(loop.time_limit, loop.memory_limit, threads=self.config.threads or 1)
        return train_in_cage(candidate, target, limits, self.config.seed)


def train_in_cage(candidate: Candidate, target: str, limits: sandbox.Limits, seed: int) -> Outcome:
    """Train `candidate` on the image set `target`; `seconds` is the wall time of the subprocess, its start included."""
    images = image_sets.load(target)
    folder = Path(tempfile.mkdtemp(prefix="perfclf-train-"))
    try:
        task = {"prm": parameters(candidate.recipe), "classes": images.classes, "threads": limits.threads,
                "seed": _seed_of(candidate, target, seed)}
        (folder / "net.py").write_text(candidate.arch_code, encoding="utf-8")
        (folder / "task.json").write_text(json.dumps(task))
        np.savez(folder / "images.npz", train=images.train_images, labels=images.train_labels, test=images.test_images)
        finished = sandbox.run(LEARNER, folder, limits, modules=("numpy", "torch", "torch.utils.data"))
    finally:
        shutil.rmtree(folder)
    if finished.failure:
        return Outcome(candidate, target, None, finished.seconds, finished.failure)
    accuracy = accuracy_of(finished.output, images.test_labels, images.classes)
    failure = "" if accuracy is not None else "handed back no list of predicted classes"
    return Outcome(candidate, target, accuracy, finished.seconds, failure)


def accuracy_of(answer: bytes, labels: np.ndarray, classes: int) -> float | None:
    """The share of right classes in `answer`, a JSON list of as many integers as labels; None where it is not that."""
    try:
        predicted = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(predicted, list) or len(predicted) != len(labels):
        return None
    if not all(type(one) is int and 0 <= one < classes for one in predicted):
        return None
    return float(np.mean(np.array(predicted) == labels))


def parameters(recipe: Recipe) -> dict[str, object]:
    """LEMUR's `prm` of a recipe: what is not stated is NNGPT's default, the batch is cut to the size of the data."""
    stated = {name: getattr(UNSTATED, name) if getattr(recipe, name) is None else getattr(recipe, name)
              for name in ("lr", "momentum", "batch", "dropout", "transform")}
    return {**stated, "batch": min(int(stated["batch"]), LARGEST_BATCH), "epoch": 1}


def quick_candidates(config: Config) -> list[Candidate]:
    """The held-out networks whose recorded epochs were the shortest, at most `loop.pool` of them (or so many as one
    generation needs), each with the recipe of its median trial; ordered by name."""
    from nngpt_perfclf.corpus import load_corpus
    from nngpt_perfclf.tasks import labelled_trials, load_pairs, load_task

    corpus = load_corpus(config)
    pairs = load_pairs(config, corpus)
    held_out = set(pairs.loc[pairs.part == "test", "nn"].astype(str))
    trials = labelled_trials(corpus, load_task(config.task), config.epoch)
    trials = trials[trials.nn.astype(str).isin(held_out)].sort_values(["duration", "trial"])
    quickest = trials.groupby("nn", observed=True, sort=False).head(1).head(max(config.loop.pool, config.loop.candidates))
    rows: Sequence = sorted(quickest.itertuples(), key=lambda row: row.nn)
    return [_candidate(row, corpus.codes) for row in rows]


def _candidate(row, codes: dict[str, str]) -> Candidate:
    from nngpt_perfclf.tasks import recipe_of

    return Candidate(str(row.nn), codes[row.nn], recipe_of(row, side=""), {"trial": str(row.trial)})


def _seed_of(candidate: Candidate, target: str, seed: int) -> int:
    """The same candidate trains the same way whenever and in whatever order it is trained."""
    text = f"{seed}\0{target}\0{candidate.name}\0{candidate.arch_code}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
