import numpy as np
import pytest

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.local_training import image_sets
from nngpt_perfclf.simulate import IMAGE_SETS


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
    assert images.train_labels[:8].tolist() == [3, 5, 0, 1, 1, 5, 1, 6]
    assert 60 < images.train_images.mean() < 90
