import pytest

from nngpt_perfclf.cli import VERBS, main
from nngpt_perfclf.config import load_config, to_dict
from nngpt_perfclf.config.keys import keys

SHOWN = {name: keys(verb.keys) for name, verb in VERBS.items()}


def test_every_key_is_listed_by_a_verb_that_reads_it():
    listed = {key.name for shown in SHOWN.values() for key in shown}
    every = {f"{group}.{name}" if name else group for group, value in to_dict(load_config()).items()
             for name in (value if isinstance(value, dict) else [""])}
    assert every - listed == {"model.packages"}, "a list over several lines has no one-line default"


@pytest.mark.parametrize("verb", VERBS)
def test_every_listed_key_has_a_type_a_default_and_a_meaning(verb):
    for key in SHOWN[verb]:
        assert key.type
        assert key.default
        if not key.name.startswith(("recipe_", "model.")):
            assert key.meaning, key.name


@pytest.mark.parametrize("verb", VERBS)
def test_help_lists_the_keys_with_their_defaults(verb, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for key in SHOWN[verb]:
        assert f"  {key.name}={key.default}\n" in text
