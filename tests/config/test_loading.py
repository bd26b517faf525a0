from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nngpt_perfclf.config import Config, choices, conf_folder, home, load_choice, load_config, to_dict
from nngpt_perfclf.config.keys import keys
from nngpt_perfclf.config.loading import GROUPS
from nngpt_perfclf.types import PerfclfError


def every_key(kind=Config, prefix=""):
    for name, hint in ((field.name, get_type_hints(kind)[field.name]) for field in fields(kind)):
        yield f"{prefix}{name}"
        if is_dataclass(hint):
            yield from every_key(hint, f"{prefix}{name}.")


def keys_of(layer, prefix=""):
    for key, value in layer.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from keys_of(value, f"{prefix}{key}.")


def is_group(name):
    return any(key.startswith(f"{name}.") for key in KEYS)


KEYS = list(every_key())


def test_the_defaults_hold_every_key_and_no_other():
    stated = set(keys_of(yaml.safe_load((conf_folder() / "perfclf.yaml").read_text())))
    of_groups = {key for key in KEYS if key.split(".")[0] in GROUPS and "." in key}
    assert stated == set(KEYS) - of_groups


def test_every_default_is_explained_inside_groups_too():
    shown = {key.name: key.meaning for key in keys([field.name for field in fields(Config)])}
    explained = {name for name in KEYS if not is_group(name) and not name.startswith(("model.", "recipe_"))}
    assert explained <= set(shown)
    assert [name for name in explained if len(shown[name]) < 4] == []


@pytest.mark.parametrize(("group", "name"), [("loop", "replay"), *(("model", name) for name in choices("model"))])
def test_a_models_file_and_the_replays_state_every_key(group, name):
    config = load_config(overrides=[f"{group}={name}"])
    stated = set(yaml.safe_load((conf_folder() / group / f"{name}.yaml").read_text()))
    assert stated == {field.name for field in fields(getattr(config, group))}


@pytest.mark.parametrize("name", sorted(set(choices("loop")) - {"replay"}))
def test_a_loops_file_states_what_differs_from_the_replay(name):
    stated = yaml.safe_load((conf_folder() / "loop" / f"{name}.yaml").read_text())
    replay, loop = (to_dict(load_config(overrides=[f"loop={kind}"]))["loop"] for kind in ("replay", name))
    changed = {key for key in loop if loop[key] != replay[key]}
    assert "kind" in changed
    assert changed <= set(stated) < set(loop)


def test_a_loops_file_of_ones_own_states_what_differs_too(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("kind: local\ntargets: [digits]\n")
    loop, replay = (load_config(overrides=[f"loop={name}"]).loop for name in (mine, "replay"))
    assert loop == replace(replay, kind="local", targets=("digits",))


def test_a_chosen_loop_keeps_nothing_of_the_one_in_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("loop: {keep: [0.3], resamples: 7}\n")
    assert load_config(file).loop.resamples == 7
    assert load_config(file, ["loop=local"]).loop == load_config(None, ["loop=local"]).loop


@pytest.mark.parametrize("name", choices("model"))
def test_a_models_file_is_named_after_it(name):
    assert load_config(overrides=[f"model={name}"]).model.name == name


@pytest.mark.parametrize("name", choices("protocol"))
def test_a_protocol_sets_what_its_file_says(name):
    told = to_dict(load_config(overrides=[f"protocol={name}"]))
    for key, value in load_choice("protocol", name).items():
        for inner, expected in value.items() if isinstance(value, dict) else [(None, value)]:
            found = told[key] if inner is None else told[key][inner]
            assert found == (tuple(expected) if isinstance(expected, list) else expected), f"{key}.{inner}"


@pytest.mark.parametrize(("word", "nearest"), [
    ("epohc=2", "did you mean epoch?"), ("train.label_count=3", "did you mean train.labels_count?"),
    ("evaluate.part_of=test", "did you mean evaluate.part?"), ("model=gema-3", "did you mean gemma-3-270m?"),
    ("loop=repaly", "did you mean replay?")])
def test_an_unknown_key_or_choice_names_the_nearest(word, nearest):
    with pytest.raises(PerfclfError) as caught:
        load_config(overrides=[word])
    assert nearest in str(caught.value)


@settings(max_examples=15)
@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12).filter(lambda key: key not in KEYS))
def test_no_unknown_key_is_ever_taken(key):
    if key != "protocol":
        with pytest.raises(PerfclfError, match="unknown configuration key"):
            load_config(overrides=[f"{key}=1"])


@pytest.mark.parametrize("word", [
    "epoch=soon", "train.labels_count=1.5", "resume=perhaps", "seeds=3", "seeds=[a]", "corpus=3", "label=",
    "label=best", "trial=two", "split.by=colour", "train.loss=mine", "model.packages=3", "seed=${nowhere}",
    "train=null", "=3", "epoch"])
def test_a_value_of_a_wrong_kind_is_one_clear_line(word):
    with pytest.raises(PerfclfError) as caught:
        load_config(overrides=[word])
    assert "\n" not in str(caught.value)
    assert "$" not in str(caught.value).replace("${nowhere}", "")


def test_later_words_win_over_earlier_ones_and_over_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("epoch: 2\nseed: 7\ntrain: {lr: 0.5}\n")
    config = load_config(file, ["epoch=3", "epoch=5"])
    assert (config.epoch, config.seed, config.train.lr) == (5, 7, 0.5)
    assert config.train.batch == load_config().train.batch


def test_a_key_of_a_chosen_model_can_be_overridden_whatever_the_order():
    for words in (["model=qwen2.5-coder-1.5b", "model.chat=false"], ["model.chat=false", "model=qwen2.5-coder-1.5b"]):
        model = load_config(overrides=words).model
        assert (model.name, model.chat) == ("qwen2.5-coder-1.5b", False)


def test_a_folder_can_be_named_as_a_model(tmp_path):
    model = load_config(overrides=[f"model={tmp_path}"]).model
    assert (model.source, model.name, model.location) == ("folder", tmp_path.name, str(tmp_path))


@pytest.mark.parametrize("name", ["pairwise", "pointwise", "stack", "pretrained"])
def test_an_adviser_that_can_be_trained_is_a_model_even_beside_a_folder_of_its_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    model = load_config(overrides=[f"model={name}"]).model
    assert (model.source, model.name, model.location) == ("adviser", name, None)


def test_an_adviser_that_cannot_be_trained_is_no_model():
    with pytest.raises(PerfclfError, match=r"unknown model 'prior'.*known: .*pointwise"):
        load_config(overrides=["model=prior"])


@pytest.mark.parametrize("word", ["adviser=null", "adviser=", "advice.parts=[null,prior]"])
def test_the_null_adviser_can_be_named_although_yaml_has_a_null(word):
    config = load_config(overrides=[word])
    assert "null" in (config.adviser, *config.advice.parts)


@pytest.mark.parametrize(("content", "word"), [
    (None, "no configuration file"), ("a: [", "not valid YAML"), ("- 1", "keys and values"), ("model: 3", "is a group"),
    ("epohc: 2", r"mine\.yaml: .*did you mean epoch"), ("epoch: x", r"mine\.yaml: .*epoch"),
    ("loop: locla", r"mine\.yaml: .*did you mean local")])
def test_a_file_that_cannot_be_used_is_named_or_explained(tmp_path, content, word):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PerfclfError, match=word):
        load_config(file)


def test_a_configuration_cannot_be_changed_and_comes_back_from_its_record(tmp_path):
    config = load_config(overrides=["epoch=3", "seeds=[1,2]", "lora.targets=[q_proj]"])
    with pytest.raises(FrozenInstanceError):
        config.epoch = 4
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(to_dict(config)))
    assert load_config(file) == config


def test_the_home_is_the_environments_or_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("NNGPT_PERFCLF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "nngpt_perfclf"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == Path(tmp_path) / ".cache" / "nngpt_perfclf"
