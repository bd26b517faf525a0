import pytest

from nngpt_perfclf.advice import run_folders
from nngpt_perfclf.advice.run_folders import load_anchors
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import PerfclfError


def test_every_recorded_dataset_has_an_anchor_recipe_that_says_everything_a_question_asks():
    found = load_anchors()
    assert set(found) == set(dataset_properties())
    for recipe in found.values():
        assert None not in (recipe.lr, recipe.momentum, recipe.batch, recipe.transform)
        assert "other" not in recipe_words(recipe)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"mnist": {"rate": 1}}', '{"mnist": 3}'])
def test_a_damaged_file_is_one_clear_error(tmp_path, monkeypatch, content):
    monkeypatch.setattr(run_folders, "ANCHORS", tmp_path / "anchors.json")
    if content is not None:
        (tmp_path / "anchors.json").write_text(content)
    with pytest.raises(PerfclfError, match=r"anchors\.json"):
        load_anchors()
