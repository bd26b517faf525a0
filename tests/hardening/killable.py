"""What `kills` kills: each verb in a little world, so that it takes seconds, and what its result is."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import lightgbm  # noqa: F401 - in the parent, so that its children are killed at work and not while they import
import pandas as pd
import sklearn.linear_model  # noqa: F401
from cases import NOT_BUILT
from little_world import SETTINGS, little_corpus, made_structures
from loop_world import World
from made_scorers import ByRate, candidate
from tiny import make_tiny_model

from nngpt_perfclf.advice import pointwise, side_models, trees
from nngpt_perfclf.advice.training import train
from nngpt_perfclf.config import load_config
from nngpt_perfclf.corpus import describe
from nngpt_perfclf.corpus.cache import Cache
from nngpt_perfclf.corpus.sources import find_source
from nngpt_perfclf.evaluation import evaluate
from nngpt_perfclf.files import alone
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.loop.policies import Ask, Rule
from nngpt_perfclf.loop.run_database import FILE, RunDatabase, Scored
from nngpt_perfclf.loop.search import Search
from nngpt_perfclf.models import train as _  # noqa: F401
from nngpt_perfclf.nngpt.prune import prune
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.tasks.task import load_task
from nngpt_perfclf.types import Score

LITTLE = little_corpus()
RUNS, CANDIDATES = 600, 150


@dataclass(frozen=True)
class Verb:
    """`prepare` makes the folder; `run` works in it, in a process that is killed, and goes on where it was; `result`
    is what must be equal."""

    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    result: Callable[[Path], object]


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    """Of the files' contents; times and places are left out of JSON."""
    return {str(file.relative_to(folder)): hashlib.sha256(_content(file)).hexdigest()[:12]
            for pattern in patterns for file in sorted(folder.glob(pattern))}


def _content(file: Path) -> bytes:
    if file.suffix == ".parquet":
        return pd.read_parquet(file).to_csv().encode()
    if file.suffix != ".json":
        return file.read_bytes()
    told = json.loads(file.read_text())
    for key in ("record", "config", "out", "commit", "seconds", "source", "time", "result"):
        told.pop(key, None)
    return json.dumps(told, sort_keys=True).encode()


def made(folder: Path) -> None:
    folder.mkdir()


def little(folder: Path) -> TaskData:
    config = load_config(overrides=SETTINGS)
    return TaskData(config, LITTLE, load_task(config.task))


def in_little_world(folder: Path, work: Callable[[], object]) -> None:
    """Thirty trees, made-up structures, and the little corpus instead of LEMUR."""
    world = little(folder)
    replaced = [patch.object(trees, "TREES", 30), patch.object(TaskData, "load", staticmethod(
        lambda config: replace(world, config=config)))]
    replaced += [patch.object(module, "structures_of", made_structures)
                 for module in (pointwise, side_models)]
    for one in replaced:
        one.start()
    work()


def make_lemur(folder: Path) -> None:
    root = folder / "lemur" / "ab" / "nn"
    (root / "nn").mkdir(parents=True)
    for number in range(RUNS):
        name = f"net-{number}"
        (root / "nn" / f"{name}.py").write_text(f"class Net: width = {number}\n" * 20)
        run = root / "stat" / "train" / f"img-classification_svhn_acc_{name}"
        run.mkdir(parents=True)
        for epoch in (1, 2):
            (run / f"{epoch}.json").write_text(json.dumps([
                {"accuracy": number / RUNS, "batch": 64, "duration": 10**9, "lr": 0.01, "momentum": 0.9,
                 "uid": f"{name}-{trial}", "transform": "norm_32"} for trial in range(5)]))


def ingested(folder: Path) -> object:
    os.environ["NNGPT_PERFCLF_HOME"] = str(folder / "home")
    source = find_source(str(folder / "lemur"))
    table, codes = Cache(source).tables()
    return Cache(source).summary()["fingerprint"], len(table), len(codes)


def train_trees(folder: Path) -> None:
    words = [*SETTINGS, "model=pairwise", f"out={folder / 'run'}", "resume=true"]
    in_little_world(folder, lambda: train(load_config(overrides=words)))


def train_language(folder: Path) -> None:
    words = [*SETTINGS, f"model={folder / 'tiny'}", f"out={folder / 'run'}", "resume=true", "train.labels_count=96",
             "train.checkpoint_steps=2", "train.calibration_pairs=64", "train.offset=prior", "template=code_recipe",
             "code_only_template=code", "train.eval_samples=16", "train.precision=float32", "lora.rank=4"]
    in_little_world(folder, lambda: train(load_config(overrides=words)))


def make_tiny(folder: Path) -> None:
    folder.mkdir()
    make_tiny_model(folder / "tiny")


def evaluated(folder: Path) -> None:
    words = [*SETTINGS, "adviser=prior", "evaluate.resamples=100", "evaluate.baselines=[always-first]", "resume=true",
             f"out={folder / 'run'}"]
    in_little_world(folder, lambda: evaluate(load_config(overrides=words)))


class SlowWorld(World):
    """Trains for a moment."""

    @hookimpl
    def train(self, candidate, target):
        time.sleep(0.05)
        return super().train(candidate, target)


def loop(folder: Path) -> None:
    with alone(folder), RunDatabase(folder / FILE, load_config(overrides=["loop=local"])) as runs:
        manager = get_plugin_manager(SlowWorld(folder / "calls"), installed=False)
        search = Search("a search", "svhn", "made up", Ask(Rule(keep=0.5)), manager, runs)
        told = [search.generation(16, seed) for seed in (0, 1, 2)]
        runs.finish()
    (folder / "told").write_text(repr([(one.candidates, one.decisions, one.outcomes) for one in told]))


def looped(folder: Path) -> object:
    calls = (folder / "calls").read_text().splitlines()
    recorded = [line for line in calls if line.startswith("trained ")]
    twice = len(recorded) - len(set(recorded))
    return hashlib.sha256((folder / "told").read_bytes()).hexdigest(), twice


def decide(folder: Path) -> None:
    with Gate("svhn", adviser=ByRate(), file=folder / "gate.sqlite", keep=0.3, config=NOT_BUILT) as gate:
        for place in range(CANDIDATES):
            one = candidate(place * 7919 % 1000 / 1000, place)
            if gate.should_train(one).train:
                gate.report(one, min(1.0, 0.2 + one.recipe.lr / 2))


def decided(folder: Path) -> object:
    with Gate("svhn", adviser=ByRate(), file=folder / "gate.sqlite", keep=0.3, config=NOT_BUILT) as gate:
        rows = [(row["name"], row["train"], row["score"], row["threshold"]) for row in gate.record.decisions(0, 10**6)]
        return hashlib.sha256(repr((rows, gate.record.observations("svhn"))).encode()).hexdigest()


def make_epoch(folder: Path) -> None:
    for place in range(40):
        one = candidate(place * 7 % 40 / 40, place)
        home = folder / "epoch" / "A0" / "synth_nn" / f"B{place}"
        home.mkdir(parents=True)
        (home / "new_nn.py").write_text(one.arch_code)
        (home / "hp.txt").write_text(json.dumps({"lr": one.recipe.lr, "batch": 64}))


def prune_slowly(folder: Path) -> None:
    def ask(candidates, target):
        time.sleep(0.2)
        return [Scored(Score(one.recipe.lr, 0.5, 0.1, 0.9, True, "made up"), 0.0) for one in candidates]

    moved = Path.rename

    def slow(path, aim):
        time.sleep(0.02)
        return moved(path, aim)

    with patch.object(Path, "rename", slow):
        prune(NOT_BUILT, folder / "epoch" / "A0", "svhn", 0.5, asker=ask)


def pruned(folder: Path) -> object:
    places = [folder / "epoch" / "A0" / name for name in ("synth_nn", "pruned_nn")]
    return [sorted((entry.name, (entry / "new_nn.py").stat().st_size) for entry in place.iterdir()) for place in places]


def serve(folder: Path) -> None:
    """The service and its gate, without the network: candidates come one at a time until all are decided."""
    import asyncio

    from nngpt_perfclf.serve.service import Service

    service = Service(load_config(overrides=["advice.profile=never", "advice.answer_cache=false"]),
                      folder / "gate.sqlite")
    wanted = [candidate(place * 7919 % 1000 / 1000, place) for place in range(30)]

    async def ask() -> None:
        for one in wanted:
            await service.gate([one], "svhn")
            await service.rank(wanted[:3], "svhn")

    asyncio.run(ask())
    service.close()


def served(folder: Path) -> object:
    import sqlite3

    with closing(sqlite3.connect(folder / "gate.sqlite")) as database:
        return database.execute("SELECT name, train, score, threshold FROM decision ORDER BY id").fetchall()


VERBS = {
    "corpus": Verb(make_lemur, lambda folder: describe(load_config(overrides=[f"corpus.path={folder / 'lemur'}"])),
                   ingested),
    "trees": Verb(made, train_trees, lambda folder: digests(folder / "run", "*.npz", "*.json")),
    "language": Verb(make_tiny, train_language, lambda folder: digests(
        folder / "run", "adapter/*.safetensors", "prior.json")),
    "evaluation": Verb(made, evaluated, lambda folder: digests(folder / "run", "*.json", "*.parquet")),
    "loop": Verb(made, loop, looped), "gate": Verb(made, decide, decided),
    "prune": Verb(make_epoch, prune_slowly, pruned), "serve": Verb(made, serve, served),
}
