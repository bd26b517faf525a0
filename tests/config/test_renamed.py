import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.config.renamed import _FATES, fate_of
from nngpt_perfclf.types import PerfclfError

KEYS = _FATES["key"]
VALUES = [(place, name, fate) for place, fates in _FATES.items() if place != "key" for name, fate in fates.items()]
LISTS = ("advice.parts", "evaluate.baselines", "loop.advisers", "loop.policies")


def refused(*words):
    with pytest.raises(PerfclfError) as caught:
        load_config(overrides=words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "fate"), KEYS.items(), ids=KEYS)
def test_an_old_key_is_refused_with_what_became_of_it(name, fate):
    assert refused(f"{name}=1") == f"configuration key {name} was {fate}"


@pytest.mark.parametrize(("place", "name", "fate"), VALUES, ids=lambda word: word)
def test_an_old_value_is_refused_with_what_became_of_it(place, name, fate):
    word = f"{place}=[random,{name}]" if place in LISTS else f"{place}={name}"
    assert refused(word).endswith(f"{name!r} was {fate}")


@pytest.mark.parametrize(("name", "fate"), KEYS.items(), ids=KEYS)
def test_the_name_that_replaces_an_old_key_is_a_key(name, fate):
    if "removed" not in fate:
        key = fate.split()[-1]
        value = load_config()
        for part in key.split("."):
            value = getattr(value, part)


def test_an_old_name_in_a_file_is_refused_too(tmp_path):
    file = tmp_path / "old.yaml"
    file.write_text("train: {pairs: 3}\n")
    with pytest.raises(PerfclfError, match=r"train\.pairs was renamed to train\.labels_count"):
        load_config(file)


def test_a_name_that_is_not_old_has_no_fate():
    assert fate_of("adviser", "pointwise") is None
    assert fate_of("nowhere", "strength") is None
