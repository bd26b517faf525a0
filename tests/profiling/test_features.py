import random

from hypothesis import given, settings
from hypothesis import strategies as st
from profiled_networks import PLAIN_BUILD, PLAIN_FORWARD, PLAIN_SETUP, SHAPES, network

from nngpt_perfclf.profiling.build import profile
from nngpt_perfclf.profiling.checking import structure_from
from nngpt_perfclf.profiling.features import features, words
from nngpt_perfclf.profiling.types import Shapes

KNOWN = Shapes(3, 32, 10)


def row(code):
    found = profile(code, SHAPES)
    assert found["status"] == "built", found
    structure = structure_from(found)
    return features(structure, KNOWN) | words(structure) | dict(structure.kinds) | dict(structure.operators)


PLAIN = row(network())
DEAD = [
    "# ResNet with attention, 99 % accuracy",
    "'''An EfficientNet.'''",
    "if 0:\n    extra = nn.Conv2d(3, 512, 7)",
    "if False:\n    y = nn.TransformerEncoderLayer(8, 2)",
    "while 0:\n    pass",
    "best, accuracy = 'vision transformer', 0.99",
    "def helper(y):\n    return nn.Linear(99, 99)(y)",
    "class SqueezeExcite(nn.Module):\n    pass",
    "import math, collections",
    "# from torchvision_not_there import resnet50",
]


@given(st.lists(st.sampled_from(DEAD), min_size=1, max_size=4), st.sampled_from(["build", "forward", "before"]))
@settings(max_examples=25)
def test_code_that_does_nothing_changes_nothing(dead, place):
    bodies = {"build": PLAIN_BUILD, "forward": PLAIN_FORWARD, "before": ""}
    bodies[place] = "\n".join([*dead, bodies[place].strip()])
    assert row(network(**bodies)) == PLAIN


@given(st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_names_change_nothing(rng: random.Random):
    names = {"layers", "head"}
    new = {name: "".join(rng.choices("abcdefgh_", k=9)) + name[0] for name in names}
    code = network()
    for old, name in new.items():
        code = code.replace(f"self.{old}", f"self.{name}")
    assert row(code) == PLAIN


def test_settings_are_given_as_they_follow_from_the_recipe():
    assert (PLAIN["lr_offset"], PLAIN["lr_factor"]) == (0.0, 1.0)
    assert (PLAIN["momentum_factor"], PLAIN["beta1_factor"], PLAIN["optimizer"]) == (1.0, None, "SGD")
    assert (PLAIN["dropouts"], PLAIN["dropout_mean_factor"], PLAIN["dropout_mean_offset"]) == (1, 1.0, 0.0)
    fixed = row(network(setup=PLAIN_SETUP.replace('prm["lr"]', "0.3")))
    assert (fixed["lr_offset"], fixed["lr_factor"]) == (0.3, 0.0)


def test_a_network_without_feature_maps_has_no_numbers_about_them():
    found = row(network(build="self.head = nn.Linear(channels, classes)", forward="return self.head(x.mean((2, 3)))"))
    assert found["first_channels"] is None
    assert found["linear_width"] == 10
    assert (found["dropouts"], found["dropout_mean_factor"]) == (0, None)


def test_shapes_and_shares():
    assert (PLAIN["first_channels"], PLAIN["last_size"], PLAIN["downsamplings"], PLAIN["last_numbers"]) == (
        8, 16, 1, 8 * 16 * 16)
    total = 224 + 16 + 90
    assert PLAIN["linear_parameter_share"] == 90 / total
    assert PLAIN["largest_layer_share"] == 224 / total
    assert (PLAIN["batch_norms"], PLAIN["relus"], PLAIN["max_pools"], PLAIN["global_pools"]) == (1, 1, 1, 1)
