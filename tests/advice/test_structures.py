import pytest

from nngpt_perfclf.advice import structures
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.types import Profile
from nngpt_perfclf.types import Recipe

KNOWN = dataset_properties()
SMALL, LARGE = Recipe(transform="norm_32"), Recipe(transform="norm_64", lr=0.1)


@pytest.fixture
def asked(monkeypatch):
    """What the sandbox was asked to build; it builds whatever holds a class."""
    calls = []

    def answers(keys):
        calls.append(list(keys))
        return {key: Profile("built", key[1], structure=f"structure of {key[0]}") if "class" in key[0]
                else Profile("failed", key[1], "build", "RuntimeError: no class") for key in keys}

    monkeypatch.setattr("nngpt_perfclf.profiling.profiler.answers_to", answers)
    monkeypatch.setattr("nngpt_perfclf.profiling.profiler.profile_of", lambda answer, shapes: answer)
    structures._profiles.clear()
    yield calls
    structures._profiles.clear()


def test_each_network_is_built_once_for_each_shape_and_all_in_one_call(asked):
    sides = [("class A", "cifar-10", SMALL), ("class A", "svhn", SMALL), ("class A", "cifar-10", LARGE),
             ("class A", "cifar-10", None), ("class B", "cifar-10", SMALL), ("class A", "cifar-10", SMALL)]
    found = structures.structures_of(sides, KNOWN)
    assert [len(call) for call in asked] == [3]
    assert [structure for structure, _ in found] == ["structure of class A"] * 4 + ["structure of class B",
                                                                                   "structure of class A"]
    assert [shapes.size for _, shapes in found] == [32, 32, 64, 32, 32, 32]
    assert structures.structures_of(sides, KNOWN) == found
    assert len(asked) == 1


def test_a_network_that_cannot_be_built_has_no_structure_and_is_not_tried_again(asked):
    sides = [("nothing", "cifar-10", SMALL), ("class A", "cifar-10", SMALL)]
    first, second = structures.structures_of(sides, KNOWN)
    assert first is None
    assert second[0] == "structure of class A"
    structures.structures_of(sides, KNOWN)
    assert len(asked) == 1


def test_the_memory_is_emptied_before_it_grows_too_large(asked, monkeypatch):
    monkeypatch.setattr(structures, "REMEMBERED", 3)
    for start in (0, 2):
        sides = [(f"class {number}", "cifar-10", SMALL) for number in range(start, start + 2)]
        assert [structure for structure, _ in structures.structures_of(sides, KNOWN)] == [
            f"structure of class {number}" for number in range(start, start + 2)]
    assert len(structures._profiles) == 2


def test_nothing_is_asked_about_nothing(asked):
    assert structures.structures_of([], KNOWN) == []
    assert asked == []
