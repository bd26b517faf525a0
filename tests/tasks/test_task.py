"""Tasks are data: a user's file or a plugin's object serves like the built-in one, and a faulty file is named."""

import pytest
import yaml

from nngpt_perfclf.tasks import Task, load_task
from nngpt_perfclf.tasks.task import BUILT_IN
from nngpt_perfclf.types import PerfclfError

SOUND = {"name": "mine", "version": 2, "task": "img-segmentation", "metric": "iou", "datasets": ["coco", "voc"]}


def test_the_built_in_task_compares_image_classification_on_seven_datasets():
    task = load_task("img_classification")
    assert (task.name, task.task, task.metric, len(task.datasets)) == (
        "img_classification", "img-classification", "acc", 7)


def test_a_file_of_ones_own_is_a_task_and_so_is_what_a_plugin_registers(tmp_path, monkeypatch):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(SOUND))
    task = Task("mine", 2, "img-segmentation", "iou", ("coco", "voc"))
    assert load_task(str(file)) == task
    for source in (file, task):
        monkeypatch.setattr("nngpt_perfclf.tasks.task.registered", lambda hook, source=source: [*BUILT_IN, source])
        assert load_task("mine") == task


@pytest.mark.parametrize("fault", [
    {"metrik": "iou"}, {"version": "two"}, {"datasets": "coco"}, {"datasets": ["coco"]}, {"datasets": ["coco", "coco"]},
    {"name": 3}, {"datasets": ["coco", 1]},
])
def test_a_faulty_file_is_refused(tmp_path, fault):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**SOUND, **fault}))
    with pytest.raises(PerfclfError, match="mine"):
        load_task(str(file))


@pytest.mark.parametrize("content", ["", "- a list", "name: [", "name: mine"])
def test_a_file_that_holds_no_task_is_refused(tmp_path, content):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(PerfclfError, match="task file"):
        load_task(str(tmp_path / "mine.yaml"))


def test_an_unknown_task_names_the_nearest_and_a_missing_file_its_path(tmp_path):
    with pytest.raises(PerfclfError, match="did you mean img_classification"):
        load_task("img_clasification")
    with pytest.raises(PerfclfError, match=r"no task file .*absent\.yaml"):
        load_task(str(tmp_path / "absent.yaml"))
