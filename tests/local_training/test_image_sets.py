import stat
import threading

import numpy as np
import pytest

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.local_training import image_sets
from nngpt_perfclf.simulate import IMAGE_SETS
from nngpt_perfclf.types import PerfclfError


def test_their_properties_are_those_of_the_images():
    known = dataset_properties(IMAGE_SETS)
    for name in image_sets.names():
        images, told = image_sets.load(name), known[name]
        count, channels, height, width = images.train_images.shape
        assert (told.images, told.channels, told.size, told.size) == (count, channels, height, width)
        assert told.classes == images.classes


@pytest.mark.parametrize("name", image_sets.names())
def test_an_image_set_is_the_same_on_every_call_and_has_all_classes_in_both_parts(name):
    images = image_sets.load(name)
    channels = images.train_images.shape[1]
    assert images.train_images.shape == (1024, channels, 32, 32)
    assert images.test_images.shape == (512, channels, 32, 32)
    assert images.train_images.dtype == np.uint8
    assert set(images.train_labels) == set(images.test_labels) == set(range(images.classes))
    seen = {image.tobytes() for image in images.train_images}
    assert sum(image.tobytes() in seen for image in images.test_images) == 0


def test_the_drawn_images_never_change():
    images = image_sets.load("shapes")
    assert images.train_labels[:8].tolist() == [6, 5, 4, 2, 2, 0, 0, 0]
    assert 60 < images.train_images.mean() < 90


@pytest.mark.parametrize("name", image_sets.names())
def test_who_does_not_know_the_seed_does_not_know_the_test_labels(name):
    one, other = image_sets.drawn(name, 1), image_sets.drawn(name, 2)
    assert (one.train_images == other.train_images).all()
    assert (one.test_labels == other.test_labels).mean() < 0.3


def test_the_seed_is_drawn_once_for_all_who_start_together(tmp_path, monkeypatch):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    found = []
    threads = [threading.Thread(target=lambda: found.append(image_sets.secret_seed())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    [file] = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "0123", "0" * 32, "0" * 32 + " 00000000\n"])
def test_a_damaged_seed_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path))
    (tmp_path / image_sets.SEED_FILE).write_text(content)
    with pytest.raises(PerfclfError, match="is damaged: delete it"):
        image_sets.secret_seed()
