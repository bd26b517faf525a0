from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from little_world import made_structure

from nngpt_perfclf.code_view.view import estimate_tokens
from nngpt_perfclf.profiling.types import Layer, TrainingSetup
from nngpt_perfclf.prompts.layers import layer_view, short

MADE = made_structure("nn.Conv2d(3, 32)")
COUNTS = st.integers(0, 10**13)
LAYERS = st.builds(
    Layer, name=st.text(max_size=30),
    type=st.sampled_from(["Conv2d", "Linear", "BatchNorm2d", "ReLU", "Identity"]) | st.text(max_size=30),
    shape=st.lists(st.integers(1, 10**7), max_size=5).map(tuple), parameters=COUNTS, macs=COUNTS)


def structure(*layers, **changes):
    return replace(MADE, layers=tuple(layers), **changes)


def residual_block(channels, size):
    shape = (channels, size, size)
    convolution = Layer("", "Conv2d", shape, 9 * channels**2, 0), Layer("", "BatchNorm2d", shape, 2 * channels, 0)
    return [*convolution, Layer("", "ReLU", shape, 0, 0), *convolution]


def test_totals_then_layers_with_their_shapes_and_parameters_repetition_folded():
    layers = [Layer("stem", "Conv2d", (16, 64, 64), 432, 1769472), Layer("b", "BatchNorm2d", (16, 64, 64), 32, 0),
              Layer("a", "ReLU", (16, 64, 64), 0, 0), *(residual_block(16, 64) * 3),
              Layer("down", "Conv2d", (32, 32, 32), 4608, 4718592), *residual_block(32, 32),
              Layer("pool", "AdaptiveAvgPool2d", (32, 1, 1), 0, 0), Layer("skip", "Identity", (32, 1, 1), 0, 0),
              Layer("head", "Linear", (10,), 330, 320), Layer("mine", "Oracle", (10,), 10, 0)]
    setups = tuple(TrainingSetup("AdamW", "StepLR", lr=0.001, weight_decay=0.01) for _ in range(2))
    shown = layer_view(structure(
        *layers, parameters=38_122, macs=91_234_567, depth=9, receptive_field=23.0, setups=setups,
        kinds={"op:skip_add": 4, "op:conv_strided": 1, "Conv2d": 10}))
    assert shown.text == """\
38k params 91M macs depth 9 field 23 4 skips 1 strided AdamW schedule decay fixed lr
conv 16x64x64 432 bn relu
(conv 2.3k bn relu; conv 2.3k bn)*3
conv 32x32x32 4.6k
conv 9.2k bn relu
conv 9.2k bn gap
fc 10 330
other 10"""
    assert shown.left_out == ""


def test_layers_beyond_the_budget_are_left_out_of_the_middle():
    layers = [Layer("", "Linear", (width,), width, width) for width in range(100, 200)]
    shown = layer_view(structure(*layers), 120)
    lines = shown.text.splitlines()
    assert lines[1] == "fc 100 100"
    assert lines[-1] == "fc 199 199"
    hidden = 100 - (len(lines) - 2)
    assert f"… {hidden} lines left out" in lines
    assert shown.left_out == f"{hidden} lines"


@given(st.lists(LAYERS, max_size=60), st.integers(80, 350), COUNTS, COUNTS)
def test_no_network_takes_more_than_the_budget(layers, tokens, parameters, macs):
    shown = layer_view(structure(*layers, parameters=parameters, macs=macs), tokens)
    assert estimate_tokens(shown.text) <= tokens


@given(st.text(), st.text())
def test_no_words_of_the_code_are_shown(name, kind):
    setups = tuple(TrainingSetup(kind, kind, kind, lr=lr) for lr in (0.01, 0.02))
    plain, other = (
        layer_view(structure(Layer(name, f"Oracle{kind}", (3,), 12, 1), operators={kind: 1}, kinds={kind: 3},
                             setups=setups)) for name, kind in ((name, kind), ("", "")))
    assert plain.text.replace("schedule ", "") == other.text.replace("schedule ", "") or kind in ("", "SGD")


@pytest.mark.parametrize(("count", "words"), [(0, "0"), (999, "999"), (1000, "1k"), (9216, "9.2k"), (9960, "10k"),
                                              (36_928, "37k"), (999_600, "1M"), (1.23e6, "1.2M"), (1e16, "999T")])
def test_counts_have_two_digits(count, words):
    assert short(count) == words


def test_the_estimate_is_near_to_gemmas_tokens(gemma):
    block = residual_block(64, 32)
    text = layer_view(structure(*block, *residual_block(128, 16), parameters=1_234_567, macs=987_654_321)).text
    assert abs(len(gemma(text)) - estimate_tokens(text)) <= 4
