"""Every file that is read, with flipped bytes, cut off, or made by a stranger: refused by name, or read as it was."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import pickle
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from cases import NOT_BUILT, Cases
from loop_world import make_candidates
from made_scorers import ByRate, candidate
from tiny import make_tiny_model

from nngpt_perfclf.advice.inputs import read_outcomes
from nngpt_perfclf.advice.registry import load_advisor
from nngpt_perfclf.advice.run_folders import PRETRAINED, AnswerCache
from nngpt_perfclf.checksums import seal
from nngpt_perfclf.config import load_config, to_dict
from nngpt_perfclf.corpus.cache import Cache
from nngpt_perfclf.corpus.sources import find_source
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.files import read_json, read_parquet, write_json, write_parquet
from nngpt_perfclf.gate.gate import Gate
from nngpt_perfclf.local_training.image_sets import SEED_FILE as SEED
from nngpt_perfclf.local_training.image_sets import secret_seed
from nngpt_perfclf.loop.run_database import RunDatabase, Scored
from nngpt_perfclf.nngpt.seed_row import read_seed_row
from nngpt_perfclf.nngpt_prompts.templates import load_nngpt
from nngpt_perfclf.profiling.cache import ProfileCache
from nngpt_perfclf.profiling.pool import Answer, Task
from nngpt_perfclf.profiling.types import Shapes
from nngpt_perfclf.prompts.template import FOLDER, load_template
from nngpt_perfclf.retrieval import Neighbours
from nngpt_perfclf.tasks.task import BUILT_IN, read_task
from nngpt_perfclf.types import Candidate, Outcome, PerfclfError, Question, Recipe, Score

FLIPS, SMALL_FLIPS = 60, 20
CODE = (Path(__file__).parents[2] / "examples" / "network.py").read_text()


class Danger:
    """What a pickle of a stranger would run."""

    def __reduce__(self):
        return (Path.touch, (Path(tempfile.gettempdir()) / "perfclf-pickle-was-run",))


@dataclass(frozen=True)
class Subject:
    """`file`, and how it is read: a text that is equal only for equal content. `free`: text that a user writes, so that
    another content is no damage. `shown`: what its error names, where that is not the file's own name."""

    name: str
    file: Path
    read: Callable[[], object]
    free: bool = False
    shown: str = ""
    flips: int = FLIPS


def strangers() -> dict[str, bytes]:
    """Contents of other programs and of people who mean harm."""
    arrays, objects = io.BytesIO(), io.BytesIO()
    np.savez(arrays, other=np.zeros(3))
    np.save(objects, np.array([Danger()], dtype=object), allow_pickle=True)
    table = io.BytesIO()
    pd.DataFrame({"other": [1]}).to_parquet(table)
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(97 + n)}: &{chr(97 + n)} [{','.join([f'*{chr(96 + n)}'] * 9)}]\n" for n in range(1, 9))
    return {"empty": b"", "noise": random.Random(0).randbytes(3000), "an empty object": b"{}", "a list": b"[]",
            "null": b"null", "a number": b"1e999", "deep JSON": b"[" * 100_000, "NaN": b'{"kind": NaN}',
            "YAML of objects": b"a: !!python/object/apply:os.system [echo]\n", "a YAML bomb": bomb.encode(),
            "other arrays": arrays.getvalue(), "arrays of objects": objects.getvalue(),
            "a pickle": pickle.dumps(Danger()),
            "another table": table.getvalue(), "another database": foreign_database(),
            "zero bytes": bytes(4096), "UTF-16": "{}".encode("utf-16"), "a lone surrogate": b'{"a": "\\ud800"}'}


def foreign_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with closing(sqlite3.connect(f"{folder}/other")) as database, database:
            for name in ("kept_answers", "kept_profiles", "decision", "run", "outcome"):
                database.execute(f"CREATE TABLE {name} (other TEXT)")
                database.execute(f"INSERT INTO {name} VALUES ('x')")
        return Path(f"{folder}/other").read_bytes()


def damaged(whole: bytes, flips: int) -> dict[str, bytes]:
    """The content with a flipped byte, or cut off."""
    rng, found = random.Random(len(whole)), {}
    for number in range(flips if whole else 0):
        place = rng.randrange(len(whole))
        changed = bytes([whole[place] ^ rng.randrange(1, 256)])
        found[f"flip {number}"] = whole[:place] + changed + whole[place + 1:]
    for share in (0.02, 0.25, 0.5, 0.9):
        found[f"cut to {share:.0%}"] = whole[:int(share * len(whole))]
    return found | {"cut by a byte": whole[:-1], "cut by 100 bytes": whole[:-100]}


def subjects(folder: Path) -> list[Subject]:
    return [*advisers(folder), *stores(folder), *tables(folder), *written(folder), adapter(folder)]


def advisers(folder: Path) -> list[Subject]:
    """Copies of the pretrained advisers; every file of theirs, and the same forests and weights without sums."""
    shutil.copytree(PRETRAINED, folder / "pretrained")
    config, found = load_config(overrides=["advice.profile=never", "advice.answer_cache=false"]), []
    question = Question(CODE, "svhn", "mnist", Recipe(lr=0.01, batch=64), Recipe(lr=0.01, batch=64))
    for name in ("pairwise", "pointwise", "nearest", "stack"):
        run = folder / "pretrained" / name

        def read(run: Path = run) -> object:
            adviser = load_advisor(run, config)
            if hasattr(adviser, "advise_many"):
                return adviser.advise_many([question, question.without_recipes()])
            return adviser.score([Candidate("n", CODE, question.recipe_a), Candidate("n", CODE)], "svhn")

        for file in sorted(run.rglob("*")):
            if file.suffix in (".json", ".npz") or file.name == "SHA256SUMS":
                found.append(Subject(f"{name}/{file.relative_to(run)}", file, read, shown=file.parent.name,
                                     flips=SMALL_FLIPS))
    prior, near = folder / "pretrained" / "prior.json", folder / "pretrained" / "neighbours.npz"
    found.append(Subject("prior.json", prior, lambda: load_advisor(folder / "pretrained" / "pairwise", config).prior))
    found.append(Subject("neighbours.npz", near, lambda: hashlib.sha256(
        pickle.dumps(Neighbours.load(near))).hexdigest()))
    return found


def stores(folder: Path) -> list[Subject]:
    answers = AnswerCache("adviser", folder / "answers")
    questions = [Question(f"code {number}", "svhn", "mnist") for number in range(40)]
    answers.write({question: [0.1 * number, -1.5] for number, question in enumerate(questions)})
    profiles = ProfileCache(folder / "profiles.sqlite")
    tasks = [Task(f"code {number}", Shapes(3, 32, 10)) for number in range(40)]
    profiles.write({task: Answer(0.5, stage="forward", reason=f"reason of {task.code}") for task in tasks})
    gate_file, loop_file = folder / "gate.sqlite", folder / "loop.sqlite"
    gate = Gate("svhn", adviser=ByRate(), file=gate_file, config=NOT_BUILT)
    mine = [candidate(number / 40, number) for number in range(40)]
    gate.decide(mine)
    gate.report(mine[0], 0.5)
    gate.close()
    config, proposed = load_config(overrides=["loop=local"]), make_candidates(10)
    with RunDatabase(loop_file, config) as runs:
        runs.add_candidates("svhn", 0, proposed)
        runs.add_scores("adviser", "svhn", {one: Scored(Score(0.25, 0.5, 0.1, 0.9, True, "why"), 0.5)
                                            for one in proposed})
        runs.add_outcome(proposed[0], Outcome("net-0", "svhn", 0.75, 1.0))
    for file in (answers.file, folder / "profiles.sqlite", gate_file, loop_file):
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outcomes = shutil.copy(loop_file, folder / "outcomes.sqlite")

    def read_gate() -> object:
        opened = Gate("svhn", adviser=ByRate(), file=gate_file, config=NOT_BUILT)
        try:
            return opened.record.decisions(0, 99), opened.state, opened.record.observations("svhn"), opened.decide(mine)
        finally:
            opened.close()

    def read_loop() -> object:
        with RunDatabase(loop_file, config) as runs:
            return (runs.candidates("svhn", 0), sorted(map(repr, runs.scores("adviser", "svhn", proposed).items())),
                    runs.outcome("svhn", proposed[0]))

    def read_kept(store, asked: list) -> object:
        known = store.read(asked)
        return [known.get(one, "not known") for one in asked]

    return [Subject("answers", answers.file, lambda: read_kept(AnswerCache("adviser", folder / "answers"), questions)),
            Subject("profiles", folder / "profiles.sqlite",
                    lambda: read_kept(ProfileCache(folder / "profiles.sqlite"), tasks)),
            Subject("gate", gate_file, read_gate), Subject("loop", loop_file, read_loop),
            Subject("outcomes", outcomes, lambda: read_outcomes(outcomes, 1))]


def tables(folder: Path) -> list[Subject]:
    """The cache of a little LEMUR, and a shard of an evaluation."""
    root = folder / "lemur" / "ab" / "nn"
    (root / "nn").mkdir(parents=True)
    for number in range(20):
        name = f"net-{number}"
        (root / "nn" / f"{name}.py").write_text(CODE)
        run = root / "stat" / "train" / f"img-classification_svhn_acc_{name}"
        run.mkdir(parents=True)
        (run / "1.json").write_text(json.dumps([{
            "accuracy": 0.01 * number, "batch": 64, "duration": 10**9, "lr": 0.01, "momentum": 0.9, "uid": name,
            "transform": "norm_32"}]))
    source = find_source(str(folder / "lemur"))

    def read() -> object:
        trials, codes = Cache(source).tables()
        return Cache(source).summary(), trials.astype(str).to_csv(), codes

    read()
    [cached] = (folder / "home" / "corpus").iterdir()
    shard = folder / "shard.parquet"
    write_parquet(pd.DataFrame({"p": np.linspace(0, 1, 500), "nn": ["x"] * 500}), shard)
    found = [Subject(f"corpus/{file.name}", file, read, shown=cached.name, flips=SMALL_FLIPS)
             for file in sorted(cached.iterdir())]
    return [*found, Subject("shard", shard, lambda: read_parquet(shard, "table of answers", ("nn", "p")).to_csv())]


def written(folder: Path) -> list[Subject]:
    """What users, NNGPT and other runs write: another content of theirs is no damage, but no error may escape."""
    secret_seed()
    seed = folder / "home" / SEED
    template, task, conf = folder / "template.yaml", folder / "task.yaml", folder / "conf.yaml"
    shutil.copy(next(FOLDER.glob("*.yaml")), template)
    shutil.copy(BUILT_IN[0], task)
    conf.write_text("epoch: 2\nloop: local\nadvice: {confidence: 0.7}\n")
    names = ("sets.yaml", "run.json", "dataframe.df", "prompts.json")
    datasets, record, seed_row, prompts = (folder / name for name in names)
    datasets.write_text("mine: {images: 1000, size: 32, channels: 3, classes: 10}\n")
    write_json(record, {"kind": "pairwise", "config": to_dict(load_config()), "status": "done"})
    pd.Series({"dataset": "svhn", "prm": {"lr": 0.1}, "nn_code": "x"}).to_pickle(seed_row)
    prompts.write_text(json.dumps({"a": {"prompt": ["x {accuracy}"], "input_list": [{"para": "accuracy", "value":
                                                                                  "accuracy"}]}}))
    return [Subject("seed of the test images", seed, secret_seed),
            Subject("template", template, lambda: load_template(template), free=True),
            Subject("task", task, lambda: read_task(task), free=True),
            Subject("configuration", conf, lambda: load_config(conf), free=True),
            Subject("datasets", datasets, lambda: dataset_properties(str(datasets)), free=True),
            Subject("manifest without sums", record, lambda: read_json(record), free=True),
            Subject("NNGPT's seed row", seed_row, lambda: read_seed_row(seed_row), free=True),
            Subject("NNGPT's prompts", prompts, lambda: load_nngpt(prompts), free=True)]


def adapter(folder: Path) -> Subject:
    from nngpt_perfclf.models.adapter import save_adapter, with_adapter
    from nngpt_perfclf.models.language import load

    base = make_tiny_model(folder / "tiny")
    model = with_adapter(load(base, precision="float32"), replace(load_config(), seed=0))
    save_adapter(model.network, folder / "adapter", {}, "tiny")
    seal(folder / "adapter")

    def read() -> object:
        loaded = load(base, folder / "adapter", precision="float32")
        return [float(weight.double().sum()) for name, weight in loaded.network.state_dict().items() if "lora_" in name]

    return Subject("adapter", folder / "adapter" / "adapter_model.safetensors", read, flips=SMALL_FLIPS)


def judged(subject: Subject, content: bytes, reference: str) -> tuple[str, str]:
    for leftover in ("-wal", "-shm"):
        subject.file.with_name(subject.file.name + leftover).unlink(missing_ok=True)
    subject.file.write_bytes(content)
    try:
        found = repr(subject.read())
    except PerfclfError as error:
        told = str(error)
        named = subject.file.name in told or (subject.shown and subject.shown in told)
        return "refused", "" if named and "\n" not in told else f"its error does not name it: {told[:200]}"
    except Exception as error:  # noqa: BLE001 - every other error is the finding
        return "failed", f"{type(error).__name__}: {error}"[:300]
    if found == reference:
        return "read as it was", ""
    if subject.name in ("answers", "profiles") and "not known" in found:
        return "not found", ""  # asked again
    return ("read as a text of the user's", "") if subject.free else ("read", f"as something else: {found[:200]}")


def main() -> None:
    logging.disable(logging.WARNING)
    cases = Cases("damaged")
    with tempfile.TemporaryDirectory(prefix="perfclf-damaged-") as place:
        os.environ["NNGPT_PERFCLF_HOME"] = f"{place}/home"
        for subject in subjects(Path(place)):
            whole, reference = subject.file.read_bytes(), repr(subject.read())
            for name, content in {**damaged(whole, subject.flips), **strangers()}.items():
                if (case := f"{subject.name}: {name}") not in cases.done:
                    cases.note(case, *judged(subject, content, reference))
            for leftover in ("-wal", "-shm"):
                subject.file.with_name(subject.file.name + leftover).unlink(missing_ok=True)
            subject.file.write_bytes(whole)
    run = (Path(tempfile.gettempdir()) / "perfclf-pickle-was-run").exists()
    cases.note("no pickle of a stranger was run", "held", "a pickle was run" if run else "")
    cases.finish()


if __name__ == "__main__":
    main()
