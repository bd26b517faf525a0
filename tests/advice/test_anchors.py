import pytest

from nngpt_perfclf.advice import anchors
from nngpt_perfclf.advice.anchors import load_anchors, save_anchors
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import PerfclfError, Recipe


def test_every_recorded_dataset_has_an_anchor_recipe_that_says_everything_a_question_asks():
    found = load_anchors()
    assert set(found) == set(dataset_properties())
    for recipe in found.values():
        assert None not in (recipe.lr, recipe.momentum, recipe.batch, recipe.transform)
        assert "other" not in recipe_words(recipe)


def test_anchors_come_back_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(anchors, "FILE", tmp_path / "anchors.json")
    recipes = {"svhn": Recipe(0.1, 0.9, 64, None, "norm_64"), "mnist": Recipe(lr=0.2)}
    save_anchors(recipes)
    assert load_anchors() == recipes


@pytest.mark.parametrize("content", [None, "{", "[]", '{"mnist": {"rate": 1}}', '{"mnist": 3}'])
def test_a_damaged_file_is_one_clear_error(tmp_path, monkeypatch, content):
    monkeypatch.setattr(anchors, "FILE", tmp_path / "anchors.json")
    if content is not None:
        (tmp_path / "anchors.json").write_text(content)
    with pytest.raises(PerfclfError, match=r"anchors\.json"):
        load_anchors()
