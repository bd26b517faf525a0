import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from little_world import CODES, made_structure

from nngpt_perfclf.advice.network_features import NAMES, network_rows
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.types import Shapes
from nngpt_perfclf.types import Recipe

CIFAR, MNIST = (dataset_properties()[name] for name in ("cifar-10", "mnist"))
BUILT = (made_structure(CODES["net-0"]), Shapes(3, 64, 10))  # one convolution from 3 to 8 channels
OF_RECIPE = {"set_lr", "lr_to_default", "effective_lr", "lr_by_parameters", "lr_by_width", "lr_by_depth",
             "lr_without_norm"}


def numbers(recipe=None, dataset=CIFAR):
    return dict(zip(NAMES, network_rows([BUILT], [recipe], [dataset])[0].tolist(), strict=True))


def test_every_number_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(NAMES)


def test_sizes_and_counts_are_logarithms():
    found = numbers()
    assert found["parameters"] == pytest.approx(math.log2(1 + 27 * 8))
    assert found["made_Conv2d"] == 1
    assert found["made_Linear"] == 0
    assert found["optimiser"] == 0, "SGD"


def test_the_recipe_enters_through_what_the_code_makes_of_it():
    found = numbers(Recipe(lr=0.1, momentum=0.5, batch=64))
    assert (found["set_lr"], found["set_momentum"]) == pytest.approx((-1, 0.5))
    assert found["effective_lr"] == pytest.approx(-1 - math.log10(0.5)), "what momentum adds in the long run"
    assert found["lr_to_default"] == pytest.approx(1), "SGD's default is 0.01"
    assert found["lr_by_width"] == pytest.approx(found["effective_lr"] + math.log10(1 + 8))
    assert found["lr_without_norm"] == found["effective_lr"], "no layer normalises"
    assert found["dropout"] == found["total_dropout"] == 0, "no layer drops"
    assert found["activation_memory"] == pytest.approx(found["activations"] + 6)
    missing = numbers(Recipe(batch=64))
    assert {name for name in OF_RECIPE if math.isnan(missing[name])} == OF_RECIPE
    assert math.isnan(missing["set_momentum"])


@given(st.floats(1e-6, 1), st.floats(1.01, 10))
def test_a_higher_learning_rate_raises_every_number_that_follows_from_it(lr, factor):
    low, high = numbers(Recipe(lr=lr)), numbers(Recipe(lr=lr * factor))
    assert all(high[name] >= low[name] for name in OF_RECIPE)
    assert {name for name in NAMES if high[name] != low[name] and not math.isnan(low[name])} <= OF_RECIPE


def test_without_a_recipe_nothing_is_missing_but_what_it_would_set():
    missing = {name for name, value in numbers().items() if math.isnan(value)}
    absent = {"linear_width", "nesterov", "beta2", "label_smoothing", "optimized_share", "parameter_groups"}
    assert missing - absent == OF_RECIPE | {"set_momentum", "set_beta1", "dropout", "total_dropout",
                                            "largest_dropout", "activation_memory"}


def test_a_network_is_larger_for_a_dataset_with_fewer_images():
    assert numbers(dataset=CIFAR)["parameters_per_image"] > numbers(dataset=MNIST)["parameters_per_image"]


def test_a_network_without_a_structure_has_a_row_of_nothing():
    rows = network_rows([None, BUILT], [Recipe(lr=0.1), None], [CIFAR, CIFAR])
    assert rows.shape == (2, len(NAMES))
    assert np.isnan(rows[0]).all()
    assert network_rows([], [], []).shape == (0, len(NAMES))
