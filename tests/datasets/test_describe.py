"""`dataset describe` reads folders, .npz files and torchvision, and writes what advisers read."""

import sys
import types
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nngpt_perfclf.cli import main
from nngpt_perfclf.datasets import dataset_properties, properties, sources
from nngpt_perfclf.datasets.properties import DatasetProperties
from nngpt_perfclf.datasets.sources import properties_of
from nngpt_perfclf.types import PerfclfError


def image(file: Path, size=(40, 30), mode="RGB"):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(file)


@pytest.fixture
def folder(tmp_path):
    for place in range(3):
        image(tmp_path / "images" / "train" / "cats" / f"{place}.png")
        image(tmp_path / "images" / "train" / "dogs" / "more" / f"{place}.jpg", (50, 60))
    image(tmp_path / "images" / "test" / "cats" / "0.png")
    return tmp_path / "images"


def test_a_folder_has_its_training_images_their_median_size_and_a_class_for_each_sub_folder(folder, tmp_path):
    assert properties_of(str(folder), tmp_path) == DatasetProperties(6, 50, 3, 2)


def test_the_verb_writes_a_file_that_advisers_read_and_adds_to_it(folder, tmp_path, capsys):
    out = tmp_path / "mine.yaml"
    assert main(["dataset", "describe", str(folder), "--name", "mine", f"out={out}"]) == 0
    np.savez(tmp_path / "more.npz", images=np.zeros((9, 28, 28)), labels=np.arange(9) % 3)
    assert main(["dataset", "describe", str(tmp_path / "more.npz"), "--name", "more", f"out={out}"]) == 0
    known = dataset_properties(out)
    assert known["mine"] == DatasetProperties(6, 50, 3, 2)
    assert known["more"] == DatasetProperties(9, 28, 1, 3)
    assert main(["dataset", "describe", str(folder), "--name", "mine", f"out={out}"]) == 1
    assert "mine is known already" in capsys.readouterr().err


def test_the_properties_of_the_known_datasets_are_written_by_the_same_rule():
    lines = (Path(properties.__file__).parent / "properties.yaml").read_text().splitlines()
    assert lines[1:] == [sources.entry(name, known) for name, known in dataset_properties().items()]


@given(st.integers(1, 5), st.integers(5, 9), st.integers(5, 9), st.sampled_from([None, 1, 3, 4]), st.booleans())
def test_arrays_may_have_channels_first_last_or_not_at_all(tmp_path_factory, count, height, width, channels, last):
    shape = (2 * count, height, width)
    if channels:
        shape = (*shape, channels) if last else (2 * count, channels, height, width)
    file = tmp_path_factory.mktemp("arrays") / "x.npz"
    np.savez(file, x_train=np.zeros(shape, np.uint8), y_train=np.arange(2 * count) % 2)
    found = properties_of(str(file), file.parent)
    assert asdict(found) == {"images": 2 * count, "size": min(height, width), "channels": min(channels or 1, 3),
                             "classes": 2}


@pytest.mark.parametrize(("arrays", "complaint"), [
    ({"pictures": np.zeros((4, 8, 8))}, "holds pictures: name the images one of"),
    ({"images": np.zeros((4, 8, 8)), "labels": np.zeros(3)}, "one label for each of the 4 images"),
    ({"images": np.zeros((4, 8, 8)), "labels": np.zeros(4)}, "4 images of 1 classes"),
    ({"images": np.zeros((4, 8, 8, 7)), "labels": np.arange(4)}, "with 1, 3 or 4 channels"),
    ({"images": np.zeros((4, 8)), "labels": np.arange(4)}, "images must have the shape")])
def test_arrays_that_are_no_labelled_images_are_one_clear_line(tmp_path, arrays, complaint):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(PerfclfError, match=complaint):
        properties_of(str(tmp_path / "x.npz"), tmp_path)


def test_what_holds_no_images_is_one_clear_line(tmp_path):
    image(tmp_path / "flat" / "0.png")
    with pytest.raises(PerfclfError, match="no images in a sub-folder for each class"):
        properties_of(str(tmp_path / "flat"), tmp_path)
    (tmp_path / "broken" / "a").mkdir(parents=True)
    (tmp_path / "broken" / "a" / "0.png").write_text("no image")
    with pytest.raises(PerfclfError, match=r"0\.png is no image"):
        properties_of(str(tmp_path / "broken"), tmp_path)
    with pytest.raises(PerfclfError, match=r"is no folder of images, .npz file or torchvision:NAME"):
        properties_of(str(tmp_path / "nothing"), tmp_path)
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    with pytest.raises(PerfclfError, match=r"damaged.npz"):
        properties_of(str(tmp_path / "damaged.npz"), tmp_path)


@pytest.mark.parametrize(("words", "complaint"), [
    (["describe", "x.npz"], "name the dataset"),
    (["measure", "x.npz", "--name", "mine"], "dataset measure: say describe"),
    (["describe", "x.npz", "--name", "my set"], "'my set' is no dataset name"),
    (["describe", "x.npz", "--name", "mnist"], "mnist is known already")])
def test_a_wrong_command_is_one_clear_line(words, complaint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", *words]) == 1
    assert complaint in capsys.readouterr().err


def test_without_torchvision_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(PerfclfError, match="pip install torchvision"):
        properties_of("torchvision:MNIST", tmp_path)


class Letters:
    """A dataset as those of torchvision."""

    classes = ("a", "b", "c")

    def __init__(self, root, split="train", download=False):
        assert (split, download) == ("train", True)

    def __len__(self):
        return 1200

    def __getitem__(self, place):
        return Image.new("L", (28, 28)), place % 3


def test_a_dataset_of_torchvision_is_read_by_its_name_in_any_case(tmp_path, monkeypatch):
    module = types.ModuleType("torchvision")
    module.datasets = types.SimpleNamespace(__all__=("Letters",), Letters=Letters)
    monkeypatch.setitem(sys.modules, "torchvision", module)
    assert properties_of("torchvision:letters", tmp_path) == DatasetProperties(1200, 28, 1, 3)
    with pytest.raises(PerfclfError, match="torchvision has no dataset 'lettres'"):
        properties_of("torchvision:lettres", tmp_path)
