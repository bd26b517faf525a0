import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiled_networks import SHAPES, network

from nngpt_perfclf.profiling.build import profile
from nngpt_perfclf.profiling.checking import read_answer
from nngpt_perfclf.profiling.types import Structure

REJECTED = ("forward", "handed back no valid profile")
HONEST = json.loads(json.dumps(profile(network(), SHAPES)))
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner)
                    | st.dictionaries(st.text(), inner), max_leaves=20)


def test_an_honest_answer_is_read():
    found = read_answer(json.dumps(HONEST).encode())
    assert isinstance(found, Structure)
    assert found.parameters == HONEST["parameters"]
    assert [layer.name for layer in found.layers][-1] == "head"


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_at_all_raises(answer):
    assert read_answer(answer) == REJECTED or b"failed" in answer


@given(st.sampled_from(sorted(set(HONEST) - {"status"})), JSON)
def test_any_field_may_be_forged(name, value):
    found = read_answer(json.dumps({**HONEST, name: value}).encode())
    assert found == REJECTED or isinstance(found, Structure)


@pytest.mark.parametrize(("name", "value"), [
    ("parameters", -1), ("parameters", 1.0), ("parameters", True), ("parameters", "12"), ("macs", 10**19),
    ("receptive_field", float("nan")), ("receptive_field", float("inf")), ("way", "forged"), ("way", ["meta"]),
    ("layers", [["a", "Conv2d", [1], 1, 1]] * 2001), ("layers", [["a", "\x1b[31m", [1], 1, 1]]),
    ("layers", [["a", "Conv2d", [1] * 9, 1, 1]]), ("layers", {}), ("trace", [[1, 2]]), ("output", None),
    ("operators", {"x" * 81: 1}), ("operators", {str(n): 1 for n in range(1001)}), ("kinds", {"relu": -1}),
    ("dropouts", [[0.1]]), ("dropouts", [[0.1], ["high"]]), ("setups", [HONEST["setups"][0]]), ("setups", [1, 2]),
    ("setups", [{**HONEST["setups"][0], "lr": "NaN"}] * 2),
])
def test_what_the_profiler_never_says_is_rejected(name, value):
    assert read_answer(json.dumps({**HONEST, name: value}).encode()) == REJECTED


def test_a_number_of_a_million_digits_is_rejected():
    answer = json.dumps({**HONEST, "macs": 0}).replace('"macs": 0', '"macs": ' + "9" * 10**6)
    assert read_answer(answer.encode()) == REJECTED


def test_reasons_are_one_printable_line_without_addresses():
    said = {"status": "failed", "stage": "build", "reason": "\x1b[2Jat <Net object at 0x7f1234567890>\n\u202e"}
    assert read_answer(json.dumps(said).encode()) == ("build", "at <Net object at 0x…>")
