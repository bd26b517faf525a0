import math

import numpy as np
import pytest
from little_world import CODES, made_structure

from nngpt_perfclf.advice.network_features import NAMES, network_rows
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.types import Shapes
from nngpt_perfclf.types import Recipe

CIFAR, MNIST = (dataset_properties()[name] for name in ("cifar-10", "mnist"))
BUILT = (made_structure(CODES["net-0"]), Shapes(3, 64, 10))  # one convolution from 3 to 8 channels


def numbers(recipe=None, dataset=CIFAR):
    return dict(zip(NAMES, network_rows([BUILT], [recipe], [dataset])[0].tolist(), strict=True))


def test_sizes_and_counts_are_logarithms():
    found = numbers()
    assert found["parameters"] == pytest.approx(math.log2(1 + 27 * 8))
    assert found["made_Conv2d"] == 1
    assert found["made_Linear"] == 0
    assert found["optimiser"] == 0, "SGD"


def test_the_recipe_enters_through_what_the_code_makes_of_it():
    found = numbers(Recipe(lr=0.1, momentum=0.5))
    assert (found["set_lr"], found["set_momentum"]) == pytest.approx((-1, 0.5))
    missing = numbers(Recipe(batch=64))
    assert math.isnan(missing["set_lr"])
    assert math.isnan(missing["set_momentum"])


def test_without_a_recipe_only_what_it_would_set_is_missing():
    found = numbers()
    assert {name for name, value in found.items() if math.isnan(value)} == {"set_lr", "set_momentum", "set_beta1"}


def test_a_network_is_larger_for_a_dataset_with_fewer_images():
    assert numbers(dataset=CIFAR)["parameters_per_image"] > numbers(dataset=MNIST)["parameters_per_image"]


def test_a_network_without_a_structure_has_a_row_of_nothing():
    rows = network_rows([None, BUILT], [Recipe(lr=0.1), None], [CIFAR, CIFAR])
    assert rows.shape == (2, len(NAMES))
    assert np.isnan(rows[0]).all()
    assert network_rows([], [], []).shape == (0, len(NAMES))
