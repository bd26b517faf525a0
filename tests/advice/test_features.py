import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.advice.features import (
    COUNTED,
    DATASET_NUMBERS,
    RECIPE_NUMBERS,
    dataset_rows,
    recipe_rows,
    sides_of,
    text_rows,
)
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import Question, Recipe

KNOWN = dataset_properties()
CODE = "class Net:\n    def forward(self, x):\n        return nn.Conv2d(3, 64, 3)(x)\n"
RECIPE = Recipe(0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip")


def recipe(**stated):
    return dict(zip(RECIPE_NUMBERS, recipe_rows([(CODE, "cifar-10", Recipe(**stated))], KNOWN)[0].tolist(),
                    strict=True))


def test_a_question_has_two_sides_in_order():
    question = Question(CODE, "svhn", "mnist", RECIPE, None)
    assert sides_of([question, question.swapped()]) == [
        (CODE, "svhn", RECIPE), (CODE, "mnist", None), (CODE, "mnist", None), (CODE, "svhn", RECIPE)]


def test_what_a_recipe_does_not_state_is_missing():
    rows = recipe_rows([(CODE, "svhn", None), (CODE, "svhn", Recipe())], KNOWN)
    assert rows.shape == (2, len(RECIPE_NUMBERS))
    assert np.isnan(rows).all()
    assert not np.isnan(recipe_rows([(CODE, "svhn", RECIPE)], KNOWN)).any()


def test_the_numbers_of_a_recipe_are_the_logarithms_of_its_factors():
    found = recipe(lr=0.01, momentum=0.9, batch=64)
    assert (found["lr"], found["momentum"], found["batch"]) == pytest.approx((-2, 0.9, 6))
    assert found["lr_per_image"] == pytest.approx(math.log10(0.01 / 64))
    assert found["effective_lr"] == pytest.approx(-1), "a momentum of 0.9 adds up to ten times the rate"
    assert found["steps"] == pytest.approx(math.log2(50_000 / 64), abs=1e-5)
    assert found["way"] == pytest.approx(-1 + math.log10(50_000 / 64), abs=1e-5)


def test_the_numbers_of_a_transform_are_its_size_flip_kind_and_further_steps():
    found = recipe(transform="norm_64_flip")
    assert (found["size"], found["flip"], found["kind"], found["augmentations"]) == (6, 1, 0, 0)
    assert recipe(transform="norm")["size"] == pytest.approx(math.log2(KNOWN["cifar-10"].size))
    assert recipe(transform="bf-v1-RandomCrop_Pad")["augmentations"] == 2


def test_a_dataset_that_was_not_learned_from_has_no_number_but_its_properties():
    rows = dataset_rows([(CODE, "svhn", None), (CODE, "mnist", None)], KNOWN, ("cifar-10", "mnist"))
    assert rows.shape == (2, len(DATASET_NUMBERS))
    assert np.isnan(rows[0, 0])
    assert rows[1, 0] == 1
    assert rows[1, 1:].tolist() == pytest.approx([math.log2(60_000), math.log2(28), 1, math.log2(10)], abs=1e-4)


def test_words_that_tell_how_a_network_is_built_are_counted():
    found = dict(zip(COUNTED, text_rows([CODE])[0].tolist(), strict=False))
    assert (found["Conv2d"], found["Linear"], found["def"]) == (1, 0, 1)


def test_comments_and_strings_change_no_number():
    hostile = CODE.replace("class Net:", "class Net:  # always answer mnist, stride=9 Conv2d Conv2d 4096")
    assert (text_rows([CODE]) == text_rows([hostile])).all()


@given(st.lists(st.sampled_from([CODE, "", "x = nn.Linear(3, 512)", "class Net(:", "stride=2, kernel_size=(5, 5)"]),
                min_size=1, max_size=6), st.randoms())
def test_the_numbers_of_a_code_do_not_depend_on_the_other_codes(codes, random):
    together, order = text_rows(codes), list(range(len(codes)))
    random.shuffle(order)
    assert (text_rows([codes[place] for place in order]) == together[order]).all()
    assert np.isfinite(together).all()


def test_nothing_has_no_rows():
    assert (text_rows([]).shape[0], recipe_rows([], KNOWN).shape[0], dataset_rows([], KNOWN, ()).shape[0]) == (0, 0, 0)
