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
