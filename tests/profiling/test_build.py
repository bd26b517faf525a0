"""What a profile says about tiny networks, counted by hand."""

import math

import pytest
from profiled_networks import PLAIN_BUILD, SHAPES, network

from nngpt_perfclf.profiling import build
from nngpt_perfclf.profiling.settings import FIRST, SECOND


def profile(*bodies, **named):
    return build.profile(network(*bodies, **named), SHAPES)


def test_a_plain_network_is_counted_as_by_hand():
    found = profile()
    convolution, norm, head = 3 * 8 * 9 + 8, 16, 8 * 10 + 10
    assert (found["status"], found["way"]) == ("built", "meta")
    assert found["parameters"] == found["trainable"] == found["executed"] == convolution + norm + head
    assert found["buffers"] == 8 + 8 + 1
    assert found["macs"] == 32 * 32 * 8 * 3 * 9 + 80
    # convolution, normalisation, activation; pooling, without its indices; mean, head
    assert found["activations"] == 3 * 8 * 32 * 32 + 8 * 16 * 16 + 8 + 10
    assert (found["depth"], found["shortest"], found["receptive_field"]) == (2, 2, 4)
    assert found["trace"] == [[8, 32, 32], [8, 16, 16]]
    assert found["output"] == [2, 10]
    assert [layer[:3] for layer in found["layers"]] == [
        ["layers.0", "Conv2d", [8, 32, 32]], ["layers.1", "BatchNorm2d", [8, 32, 32]],
        ["layers.2", "ReLU", [8, 32, 32]], ["layers.3", "MaxPool2d", [8, 16, 16]], ["layers.4", "Dropout", [8, 16, 16]],
        ["head", "Linear", [10]]]
    assert [layer[3] for layer in found["layers"]] == [convolution, norm, 0, 0, 0, head]
    assert [layer[4] for layer in found["layers"]] == [32 * 32 * 8 * 27, 0, 0, 0, 0, 80]


def test_operators_without_a_module_are_counted_as_well():
    found = profile(build="self.weight = nn.Parameter(torch.randn(4, channels, 3, 3))",
                    forward="return F.dropout(F.gelu(F.conv2d(x, self.weight, stride=2)), 0.7).mean((2, 3))")
    assert found["macs"] == 4 * 15 * 15 * 27
    assert found["executed"] == found["parameters"] == 4 * 27
    assert found["operators"]["gelu"] == 1
    assert found["dropouts"] == [[0.7], [0.7]]


def test_skip_connections_make_the_shortest_path_shorter():
    found = profile(
        build="self.one, self.two = nn.Conv2d(channels, 3, 3, 1, 1), nn.Conv2d(3, 3, 3, 1, 1)",
        forward="""
            x = x + self.two(self.one(x))
            x = torch.cat([x, self.two(x)], 1) * torch.sigmoid(torch.cat([x, x], 1))
            return x.mean((2, 3))
        """)
    assert (found["depth"], found["shortest"]) == (3, 0)
    # Before the product: two paths into the sum, of 0 and 2 layers; the concatenation adds both with one more.
    assert found["log_paths"] == pytest.approx(math.log(4 + 4))
    assert found["mean_depth"] == pytest.approx((0 + 2 + 1 + 3 + 2 * (0 + 2)) / 8)
    kinds = found["kinds"]
    assert (kinds["op:skip_add"], kinds["op:concat"], kinds["op:gate"], kinds["op:conv"]) == (1, 2, 1, 3)
    assert found["receptive_field"] == 7


def test_the_receptive_field_follows_stride_dilation_and_pooling():
    found = profile(
        build="""
            self.layers = nn.Sequential(nn.Conv2d(channels, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1),
                                        nn.Conv2d(4, 4, 3, 1, 2, dilation=2), nn.ConvTranspose2d(4, 4, 2, 2))
        """, forward="return self.layers(x).mean((2, 3))")
    assert found["receptive_field"] == 7 + 2 * 2 + 4 * 4 + 1 * 2
    assert found["kinds"]["op:conv_transposed"] == 1
    assert found["kinds"]["op:conv_large"] == 1
    assert found["kinds"]["op:conv_strided"] == 2


def test_convolutions_are_told_apart():
    found = profile(build="""
        self.layers = nn.Sequential(nn.Conv2d(channels, 4, 1), nn.Conv2d(4, 4, 3, groups=4),
                                    nn.Conv2d(4, 4, 3, groups=2))
    """, forward="return self.layers(x).mean((2, 3))")
    assert {name: n for name, n in found["kinds"].items() if name.startswith("op:conv")} == {
        "op:conv": 3, "op:conv_pointwise": 1, "op:conv_depthwise": 1, "op:conv_grouped": 1}


def test_attention_is_counted_whichever_kernel_computes_it():
    build_ = "self.embed, self.attend = nn.Linear(channels, 8), nn.MultiheadAttention(8, 2, batch_first=True)"
    found = profile(build=build_, forward="""
        x = self.embed(x.flatten(2).transpose(1, 2))
        return self.attend(x, x, x, need_weights=False)[0].mean(1)
    """)
    tokens = 32 * 32
    projections, products = 4 * tokens * 64, 2 * tokens * tokens * 8
    assert found["macs"] == tokens * 3 * 8 + projections + products
    assert found["executed"] == found["parameters"]
    assert found["kinds"]["op:product"] == 2
    assert [layer[1] for layer in found["layers"]] == ["Linear", "MultiheadAttention"]
    assert found["layers"][1][4] == projections + products


def test_a_recurrent_layer_is_one_layer_however_long_its_sequence():
    found = profile(build="self.memory = nn.LSTM(channels, 4, batch_first=True)",
                    forward="return self.memory(x.flatten(2).transpose(1, 2))[0][:, -1]")
    assert (found["depth"], found["shortest"]) == (1, 1)
    assert "op:gate" not in found["kinds"]
    steps = 32 * 32
    # The first state does not follow from the input.
    assert found["macs"] == steps * 4 * 4 * 3 + (steps - 1) * 4 * 4 * 4


def test_a_network_without_any_layer_is_built():
    found = profile(build="pass", forward="return x.mean((2, 3))", setup="pass")
    assert (found["status"], found["parameters"], found["depth"], found["layers"]) == (
        "built", 0, 0, [["", "Module", [3], 0, 0]])


def test_very_many_layers_are_counted_and_not_all_listed():
    found = profile(build="self.layers = nn.Sequential(*[nn.ReLU() for _ in range(2100)])",
                    forward="return self.layers(x).mean((2, 3))", setup="pass")
    assert len(found["layers"]) == 2000
    assert found["layers_left_out"] == 100
    assert found["kinds"]["ReLU"] == 2100


def test_numbers_that_are_read_while_building_need_memory_and_no_values_afterwards():
    rates = "rates = [rate.item() for rate in torch.linspace(0, prm['dropout'], 3)]\n"
    found = profile(build=rates + "self.layers = nn.Sequential(*[nn.Dropout(rate) for rate in rates])",
                    forward="return self.layers(x).mean((2, 3))", setup="pass")
    assert found["way"] == "mixed"
    assert found["dropouts"][0] == pytest.approx([0, 0.1, 0.2])
    assert found["dropouts"][1] == pytest.approx([0, 0.15, 0.3])


@pytest.mark.parametrize("forward", [
    "return x.mean((2, 3)) * x.sum().item()", "return torch.from_numpy(x.mean((2, 3)).numpy())",
    "return x.mean((2, 3)) if x.sum() > 0 else x.sum((2, 3))",
])
def test_values_that_are_read_in_the_forward_pass_need_a_real_one(forward):
    assert profile(forward=forward)["way"] == "real"


@pytest.mark.parametrize("forward", [
    "return x.to('cpu').mean((2, 3))", "return x.cpu().mean((2, 3)).to('cuda:0', torch.float64)",
    "return (x.to(0) * torch.ones(1, device='cpu')).mean((2, 3))", "return x.to(dtype=torch.half).mean((2, 3))",
    "return self.layers.to('cpu')(x.cuda()).mean((2, 3))",
])
def test_a_device_that_is_named_costs_nothing(forward):
    assert profile(forward=forward)["way"] == "meta"


def test_complex_images_are_given_to_networks_for_them():
    code = network(build="self.scale = nn.Parameter(torch.ones(channels))",
                   forward="assert x.is_complex()\nreturn torch.view_as_real(x).sum(-1).mean((2, 3)) * self.scale")
    assert build.profile(code, {**SHAPES, "complex": True})["status"] == "built"


@pytest.mark.parametrize(("bodies", "stage", "reason"), [
    ({"before": "import no_such_module"}, "import", "ModuleNotFoundError: No module named 'no_such_module'"),
    ({"before": "raise SystemExit(3)"}, "import", "SystemExit: 3"),
    ({"build": "self.layer = nn.Conv2d(channels, 8)"}, "build", "TypeError: Conv2d.__init__() missing 1 required"),
    ({"build": "raise KeyboardInterrupt"}, "build", "KeyboardInterrupt"),
    ({"forward": "return self.head(x)"}, "forward", "RuntimeError: "),
    ({"forward": "return self.nothing(x)"}, "forward", "AttributeError: 'Net' object has no attribute 'nothing'"),
    ({"setup": "self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['rate'])"}, "setup", "KeyError: 'rate'"),
    ({"setup": "raise ValueError"}, "setup", "ValueError"),
])
def test_what_fails_is_named_with_its_stage(bodies, stage, reason):
    found = profile(**bodies)
    assert (found["status"], found["stage"]) == ("failed", stage)
    assert found["reason"].startswith(reason)


def test_hyperparameters_beyond_the_recipe_are_set():
    source = network(build="self.layer = nn.Linear(channels, int(prm['width'] * 8))\nassert prm['pretrained'] == 0",
                     forward="return self.layer(x.mean((2, 3)))").replace('"dropout"}', '"width", "pretrained"}')
    assert build.profile(source, SHAPES)["output"] == [2, 4]


def test_the_same_network_gives_the_same_profile():
    noisy = "self.layer = nn.Linear(channels, int(torch.randint(1, 99, (1,)).item()))"
    forward = "return self.layer(x.mean((2, 3)))"
    assert profile(noisy, forward) == profile(noisy, forward)


def test_the_two_recipes_are_those_that_the_settings_are_read_from():
    for probe, recipe in zip(build.PROBES, (FIRST, SECOND), strict=True):
        assert probe == {name: getattr(recipe, name) for name in probe}


def test_initial_values_are_left_as_they_were():
    import torch

    before = torch.nn.init.ones_
    profile(build=PLAIN_BUILD + "torch.ones(1).item()")
    assert torch.nn.init.ones_ is before
