"""A tiny model learns a rule from made-up lessons; a stopped run goes on; rows are neither cut nor lost."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from safetensors import SafetensorError

from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.models import train as training
from nngpt_perfclf.models.adapter import writing_to
from nngpt_perfclf.models.language import load
from nngpt_perfclf.models.rows import Lesson, soft_labels
from nngpt_perfclf.models.train import Material, build_rows, fine_tune
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.types import PerfclfError

CODES = {f"net{at}": f"class Net:\n def forward(self, x): return self.f{at}(x)\n" for at in range(6)}
GROUPS = pd.Series(range(6), index=list(CODES))


def made_pairs(count, seed):
    """Pairs that mnist always wins, whatever the recipes: a rule that even a tiny model can learn."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        a, b = random.choice(["mnist", "svhn"], 2, replace=False)
        lr_a, lr_b = random.choice([1e-4, 1e-1], 2, replace=False)
        won = a == "mnist"
        side = {name: value for end, lr, good in (("a", lr_a, won), ("b", lr_b, not won)) for name, value in {
            f"lr_{end}": lr, f"momentum_{end}": 0.9, f"batch_{end}": 64, f"dropout_{end}": None,
            f"transform_{end}": "norm_32", f"norm_{end}": float(good), f"rank_{end}": float(good)}.items()}
        rows.append({"nn": f"net{random.integers(6)}", "epoch": 1, "ds_a": a, "ds_b": b, "better": a if won else b,
                     **side})
    return pd.DataFrame(rows)


def setting(tmp_path, *overrides, pairs=64):
    config = load_config(None, ["template=code_recipe", "code_only_template=code", "train.lr=1e-2", "train.batch=4",
                                "train.precision=float32", "train.checkpoint_steps=4", "lora.rank=8",
                                "train.questions_per_code=4", "train.schedule=constant", "train.warmup=0",
                                "train.lm_weight=1", *overrides])
    table = made_pairs(pairs, 0)
    lessons = [Lesson(rows, ("rank",) * len(rows), (False,) * len(rows))
               for _, rows in table.groupby(np.arange(len(table)) // 4)]
    lessons = [Lesson(one.pairs.assign(nn=one.pairs.nn.iloc[0]), one.labels, one.code_only) for one in lessons]
    known = templates()
    builder = PromptBuilder(known[config.template], known[config.code_only_template], "ast", 100, dataset_properties())
    material = Material(lessons, made_pairs(16, 1), CODES, GROUPS, lambda rows, labels, hidden: np.zeros(len(rows)))
    return builder, material, config, tmp_path / "run"


def test_the_loss_falls_and_the_best_adapter_is_kept(tiny, tiny_folder, tmp_path):
    builder, material, config, out = setting(tmp_path, "train.epochs=6")
    out.mkdir()
    result = fine_tune(tiny, builder, material, config, out)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert losses[-1] < 0.8 * losses[0]
    assert result["labels"] == 64
    assert result["rows"] == 16
    checked = [entry["validation_loss"] for entry in log if "validation_loss" in entry]
    assert result["validation_loss"] == min(checked)
    learned = load(tiny_folder, out / "adapter", precision="float32")
    assert any("lora" in name for name, _ in learned.network.named_parameters())


def test_a_stopped_run_goes_on_from_its_last_checkpoint(tiny_folder, tmp_path, monkeypatch):
    builder, material, config, out = setting(tmp_path, "train.epochs=3")
    out.mkdir()
    whole = fine_tune(load(tiny_folder, precision="float32"), builder, material, config, out)

    class StopHereError(Exception):
        pass

    stopped = tmp_path / "stopped"
    stopped.mkdir()
    real = training.Watch.on_step_end

    def stop(self, args, state, control, **more):
        real(self, args, state, control, **more)
        if state.global_step == 7:
            raise StopHereError

    monkeypatch.setattr(training.Watch, "on_step_end", stop)
    with pytest.raises(StopHereError):
        fine_tune(load(tiny_folder, precision="float32"), builder, material, config, stopped)
    monkeypatch.setattr(training.Watch, "on_step_end", real)
    # What a full disk or a kill leaves: a checkpoint that is half written.
    (stopped / "checkpoints" / "checkpoint-6").mkdir()
    model, config = load(tiny_folder, precision="float32"), replace(config, resume=True)
    resumed = fine_tune(model, builder, material, config, stopped)
    assert resumed["steps"] == whole["steps"]
    assert resumed["validation_loss"] == pytest.approx(whole["validation_loss"], abs=1e-4)


def test_a_finished_run_is_never_overwritten(tiny, tmp_path):
    builder, material, config, out = setting(tmp_path)
    (out / "adapter").mkdir(parents=True)
    with pytest.raises(PerfclfError, match="already holds a run"):
        fine_tune(tiny, builder, material, config, out)


@pytest.mark.parametrize("loss", ["options", "completion", "full"])
def test_a_row_that_would_be_cut_is_an_error(tiny, tmp_path, loss):
    builder, material, config, out = setting(tmp_path, "train.max_tokens=20", f"train.loss={loss}")
    with pytest.raises(PerfclfError, match="never cut"):
        fine_tune(tiny, builder, material, config, out)


def test_rows_that_do_not_reach_the_trainer_are_an_error(tiny, tmp_path, monkeypatch):
    builder, material, config, out = setting(tmp_path)
    whole = Dataset.from_list
    monkeypatch.setattr(training.Dataset, "from_list", lambda rows: whole(rows[1:]))
    with pytest.raises(PerfclfError, match="16 rows were sent and 15 reached"):
        fine_tune(tiny, builder, material, config, out)


def test_questions_of_two_templates_about_one_code_are_rows_of_their_own(tiny, tmp_path):
    builder, material, config, _ = setting(tmp_path, pairs=4)
    lesson = material.lessons[0]
    mixed = replace(material, lessons=[Lesson(lesson.pairs, lesson.labels, (True, False, True, False))])
    rows = build_rows(tiny, builder, mixed, config)
    assert [len(row["questions"]) for row in rows] == [2, 2]
    assert len({tuple(row["prefix"]) for row in rows}) == 2
    whole = build_rows(tiny, builder, material, config)
    assert rows[1]["target"] == whole[0]["target"][1::2]


def test_a_template_about_one_side_learns_the_label_of_each_side(tiny, tmp_path):
    _, material, config, _ = setting(tmp_path, pairs=4)
    known = templates()
    builder = PromptBuilder(known["layers_recipe"], known["layers"], "ast", 100, dataset_properties())
    row, = build_rows(tiny, builder, material, config)
    pairs = material.lessons[0].pairs
    assert row["target"] == [*pairs["rank_a"], *pairs["rank_b"]]
    assert row["offset"] == [0.0] * 8
    assert len({*zip(row["first"], row["second"], strict=True)}) == 1, "high or low, whatever the dataset"


def test_targets_say_who_won_and_how_clearly():
    table = pd.DataFrame({"norm_a": [0.9, 0.5, 0.1], "norm_b": [0.1, 0.5, 0.15], "rank_a": 0.0, "rank_b": 0.0})
    labels = ("normalized",) * 3
    assert soft_labels(table, labels, 0.0).tolist() == [1.0, 0.5, 0.0]
    soft = soft_labels(table, labels, 0.1)
    assert soft[0] > 0.99
    assert soft[1] == 0.5
    assert 0.3 < soft[2] < 0.5


@pytest.mark.parametrize(("error", "kind"), [
    (SafetensorError("Error while serializing: No space left on device"), PerfclfError),
    (RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"), PerfclfError),
    (RuntimeError("shapes do not fit"), RuntimeError)])
def test_a_full_disk_is_named_and_a_mistake_is_not_hidden(tmp_path, error, kind):
    with pytest.raises(kind, match="cannot write to" if kind is PerfclfError else "do not fit"):  # noqa: SIM117
        with writing_to(tmp_path):
            raise error
