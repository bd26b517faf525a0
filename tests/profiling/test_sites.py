from profiled_networks import SHAPES, network

from nngpt_perfclf.profiling.build import profile


def sites(**bodies):
    """The counts of places, without what the training's methods call."""
    found = profile(network(**bodies), SHAPES)
    assert found["status"] == "built", found
    return {name: count for name, count in found["kinds"].items() if name.startswith(("made:", "called:"))}


def test_a_loop_is_one_place_and_lines_are_many():
    forward = "return self.layers(x).mean((2, 3))"
    loop = sites(build="self.layers = nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(5)])", forward=forward)
    lines = sites(build="self.layers = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))", forward=forward)
    assert (loop["made:Conv2d"], lines["made:Conv2d"]) == (1, 2)


def test_a_layer_that_is_made_and_never_run_is_no_place():
    found = sites(build="self.head = nn.Linear(channels, classes)\nself.spare = nn.Conv2d(3, 3, 1)",
                  forward="return self.head(x.mean((2, 3)))")
    assert {name for name in found if name.startswith("made:")} == {"made:Linear"}


def test_a_layer_that_a_helper_makes_stands_where_the_helper_makes_it():
    found = sites(before="def block(channels):\n    return nn.Sequential(nn.Conv2d(channels, 3, 1), nn.ReLU())",
                  build="self.one, self.two = block(channels), block(3)\nself.three = nn.ReLU()",
                  forward="return self.three(self.two(self.one(x))).mean((2, 3))", setup="pass")
    assert (found["made:Conv2d"], found["made:ReLU"]) == (1, 2)


def test_calls_are_counted_by_where_they_stand_in_the_code():
    forward = "for _ in range(3):\n    x = F.relu(x)\nreturn F.relu(F.relu(x)).mean((2, 3))"
    found = sites(build="self.weight = nn.Parameter(torch.ones(1))", forward=forward)
    assert (found["called:relu"], found["called:mean"]) == (3, 1)


def test_what_a_layer_calls_is_called_where_the_layer_is():
    found = sites(build="self.act, self.weight = nn.ReLU(), nn.Parameter(torch.ones(1))",
                  forward="return self.act(self.act(x)).mean((2, 3))")
    assert (found["made:ReLU"], found["called:relu"]) == (1, 2)


def test_code_that_is_never_run_makes_no_place():
    dead = "if 0:\n    x = F.gelu(nn.Conv2d(3, 9, 1)(x))\n"
    unused = "def never(x):\n    return F.gelu(nn.Conv2d(3, 9, 1)(x))"
    plain = sites()
    assert sites(forward=dead + "return self.head(self.layers(x).mean((2, 3)))") == plain
    assert sites(before=unused) == plain
    assert "called:gelu" not in plain


def test_very_many_functions_are_bounded_and_still_a_valid_profile():
    from nngpt_perfclf.profiling.checking import structure_from

    forward = """
        for name in dir(torch.Tensor):
            if name.strip("_") == name:
                try:
                    getattr(x, name)()
                except Exception:
                    pass
        return x.mean((2, 3))
    """
    found = profile(network(forward=forward), SHAPES)
    assert 100 < len(found["kinds"]) < 600
    assert structure_from(found)


def test_construction_is_left_as_it_was():
    import torch

    before = torch.nn.Module.__init__
    profile(network(build="raise ValueError"), SHAPES)
    assert torch.nn.Module.__init__ is before
