import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.code_view import code_view
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.prompts import Template, render, templates
from nngpt_perfclf.prompts.template import FOLDER, LEVELS
from nngpt_perfclf.types import PerfclfError, Question, Recipe

GOLDEN = Path(__file__).parents[1] / "golden" / "prompts"
OURS = ("normalized_accuracy", "metadata", "code", "code_metadata", "code_recipe", "layers", "layers_recipe")
EXTRA = {"norm_a": 0.9174, "norm_b": 0.6, "goal": "score"}
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
RECIPES = st.builds(
    Recipe, lr=st.none() | st.floats(1e-6, 1), momentum=st.none() | st.floats(0, 1),
    batch=st.none() | st.integers(1, 4096), dropout=st.none() | st.floats(0, 1),
    transform=st.none() | st.sampled_from(["norm_64_flip", "echo", "complex_32"]))


def built_in():
    return templates((FOLDER,)[:0])


def question(alexnet, **changes):
    told = Question(alexnet, "cifar-10", "svhn", Recipe(0.0025, 0.92, 64, 0.3, "norm_64_flip"),
                    Recipe(0.05, 0.9, 256, None, "echo"), 1)
    return replace(told, **changes)


def rendered(template, asked):
    view = code_view(asked.arch_code) if template.reads_code else None
    return render(template, asked, dataset_properties(), view, {name: EXTRA[name] for name in template.extra})


@pytest.mark.parametrize("name", OURS)
def test_the_rendered_prompt_is_the_recorded_one(name, alexnet):
    prompt = rendered(built_in()[name], question(alexnet))
    told = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert prompt.system + prompt.prefix + prompt.question + prompt.options[0] == told


@pytest.mark.parametrize("name", OURS)
def test_the_prefix_depends_on_the_code_and_the_epoch_alone(name, alexnet):
    template = built_in()[name]
    one = rendered(template, question(alexnet))
    other = rendered(template, question(alexnet, ds_a="mnist", recipe_a=Recipe(0.1)).swapped())
    assert (one.system, one.prefix) == (other.system, other.prefix)
    assert other.options == (LEVELS if template.one_side else ("svhn", "mnist"))


@given(NAMES, NAMES, RECIPES, RECIPES, st.integers(1, 50))
def test_no_token_spans_the_border_between_the_parts(gemma, ds_a, ds_b, recipe_a, recipe_b, epoch):
    if ds_a == ds_b:
        return
    asked = Question("class Net: pass", ds_a, ds_b, recipe_a, recipe_b, epoch)
    for name in ("code", "code_recipe", "layers_recipe"):
        prompt = rendered(built_in()[name], asked)
        for option in prompt.options:
            parts = (prompt.system, prompt.prefix, prompt.question, option)
            assert gemma("".join(parts)) == [token for part in parts for token in gemma(part)]


@given(RECIPES, RECIPES)
def test_every_field_of_both_sides_stands_in_the_question(recipe_a, recipe_b):
    from nngpt_perfclf.recipes import recipe_words

    asked = Question("class Net: pass", "cifar-10", "svhn", recipe_a, recipe_b, 3)
    text = rendered(built_in()["code_recipe"], asked).question
    assert f"cifar-10: {recipe_words(recipe_a)}\nsvhn: {recipe_words(recipe_b)}\n" in text
    assert "epoch 3" in text


def test_a_question_with_both_recipes_takes_about_sixty_tokens(gemma, alexnet):
    usual = question(alexnet, recipe_b=Recipe(0.05, 0.9, 256, 0.4, "norm_256_flip"))
    longest = question(alexnet, ds_a="cifar-100", ds_b="celeba-gender",
                       recipe_a=Recipe(0.0025, 0.92, 256, 0.35, "norm_299_flip"),
                       recipe_b=Recipe(0.05, 0.85, 256, 0.35, "norm_256_flip"))
    assert len(gemma(rendered(built_in()["code_recipe"], usual).question)) <= 60
    assert len(gemma(rendered(built_in()["code_recipe"], longest).question)) <= 68


def template(**changes):
    told = {"name": "t", "version": 1, "fields": ("code", "ds_a", "ds_b"), "system": "", "prefix": "{code}\n",
            "question": "{ds_a} {ds_b}\n"}
    return Template(**{**told, **changes})


@pytest.mark.parametrize(("changes", "words"), [
    ({"question": "{ds_a} {ds_b} {epoch}\n"}, "undeclared field epoch"),
    ({"fields": ("code", "ds_a", "ds_b", "epoch")}, "unused field epoch"),
    ({"prefix": "{code} {ds_a}\n"}, "only {code}"),
    ({"prefix": "", "question": "{code} {ds_a} {ds_b}\n"}, "must stand in the prefix"),
    ({"question": "{ds_a}\n", "fields": ("code", "ds_a")}, "must name ds_b"),
    ({"question": "{ds_a} {ds_b}"}, "end with a newline"),
    ({"fields": ("code", "ds", "recipe_a"), "question": "{ds} {recipe_a}\n"}, "one side (ds) cannot show recipe_a"),
    ({"fields": ("code", "ds_a", "ds_b", "recipe"), "question": "{ds_a} {ds_b} {recipe}\n"}, "two sides"),
    ({"fields": ("code", "network", "ds_a", "ds_b"), "prefix": "{code} {network}\n"}, "shows the network twice"),
    ({"question": "{ds_a.name} {ds_b}\n"}, "no field name"),
    ({"question": "{ds_a} {ds_b\n"}, "no format text"),
])
def test_a_template_that_would_lose_a_field_is_refused(changes, words):
    with pytest.raises(PerfclfError, match=re.escape(words)):
        template(**changes)


def test_a_value_without_a_field_and_a_field_without_a_value_are_refused(alexnet):
    asked, known = question(alexnet), built_in()
    with pytest.raises(PerfclfError, match="needs a value for norm_a, norm_b"):
        render(known["normalized_accuracy"], asked, dataset_properties())
    with pytest.raises(PerfclfError, match="has no field goal"):
        render(known["metadata"], asked, dataset_properties(), extra={"goal": "rank"})
    with pytest.raises(PerfclfError, match="needs the code view"):
        render(known["code"], asked, dataset_properties())


def test_the_same_dataset_twice_and_an_unknown_one_are_refused(alexnet):
    with pytest.raises(PerfclfError, match="must differ"):
        rendered(built_in()["code"], question(alexnet, ds_b="cifar-10"))
    with pytest.raises(PerfclfError, match="unknown dataset fashion"):
        rendered(built_in()["metadata"], question(alexnet, ds_b="fashion"))


def test_a_dataset_is_added_by_a_file(tmp_path, alexnet):
    file = tmp_path / "more.yaml"
    file.write_text("fashion: {images: 60000, size: 28, channels: 1, classes: 10}\n")
    known = dataset_properties(file)
    prompt = render(built_in()["metadata"], question(alexnet, ds_b="fashion"), known)
    assert "fashion: 60000 images 28x28x1, 10 classes" in prompt.question
    assert len(dataset_properties()) == 7


@pytest.mark.parametrize("content", ["svhn: {images: 1, size: 1, channels: 1, classes: 2}", "x: {images: 1}", "[1]",
                                     "a: [", "'a b': {images: 1, size: 1, channels: 1, classes: 2}",
                                     "x: {images: -1, size: 1, channels: 1, classes: 2}"])
def test_a_malformed_file_of_datasets_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "more.yaml"
    file.write_text(content)
    with pytest.raises(PerfclfError, match=r"more\.yaml"):
        dataset_properties(file)


def test_templates_come_from_objects_files_and_folders_and_names_are_unique(tmp_path):
    text = (FOLDER / "code.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("name: code", "name: mine"))
    assert "mine" in templates([tmp_path])
    assert "mine" in templates([tmp_path / "mine.yaml"])
    assert "t" in templates([template()])
    with pytest.raises(PerfclfError, match="named code"):
        templates([template(name="code")])


@pytest.mark.parametrize("content", ["name: x", "{", "- 1", "version: one"])
def test_a_malformed_template_file_is_refused(tmp_path, content):
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(PerfclfError, match=r"bad\.yaml"):
        templates([tmp_path])
