import pytest

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.types import Shapes, shapes_of
from nngpt_perfclf.types import PerfclfError, Recipe

KNOWN = dataset_properties()


@pytest.mark.parametrize(("transform", "target", "shapes"), [
    ("norm_64_flip", "cifar-10", Shapes(3, 64, 10)), ("complex_128_flip", "cifar-100", Shapes(3, 128, 100, True)),
    ("something", "mnist", Shapes(1, 28, 10)), (None, "svhn", Shapes(3, 32, 10)),
    ("soft_pad", "svhn", Shapes(3, 800, 10)),
    ("echo_flip", "celeba-gender", Shapes(3, 218, 2, width=178)), ("echo_32", "celeba-gender", Shapes(3, 32, 2)),
])
def test_shapes_follow_from_dataset_and_transform(transform, target, shapes):
    assert shapes_of(Recipe(transform=transform), target, KNOWN) == shapes


def test_an_unknown_dataset_is_an_error():
    with pytest.raises(PerfclfError, match="unknown dataset 'cifar'; known: celeba-gender, cifar-10"):
        shapes_of(Recipe(), "cifar", KNOWN)
