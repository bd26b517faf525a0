import pytest
from little_world import made_structure

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.prompts import Template, find_template, templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.types import PerfclfError, Question, Recipe

CODE = "class Net(nn.Module):\n    def forward(self, x):\n        return self.conv(x)\n"
RECIPE = Recipe(lr=0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip")
KNOWN = dataset_properties()


def builder(template="code_recipe", code_only="code", structures=None):
    return PromptBuilder(find_template(template), find_template(code_only), "ast", 100, KNOWN, structures)


def built(codes):
    """The networks whose code has a convolution of stated width are built."""
    return [made_structure(code) if "nn.Conv2d" in code else None for code in codes]


def test_a_built_network_is_shown_by_its_layers_and_any_other_by_its_code_view():
    wide = CODE.replace("self.conv(x)", "nn.Conv2d(3, 32)(x)")
    questions = [Question(code, "mnist", "svhn", RECIPE, RECIPE) for code in (wide, CODE, wide)]
    layers, view, hidden = builder("layers_recipe", "layers", structures=built).ask(
        questions, ["rank"] * 3, [False, False, True])
    assert layers.prefix.splitlines()[1:] == ["conv 32x64x64 864", "epoch 1"]
    assert view.prefix.startswith("= conv")
    assert hidden.prefix.startswith("= conv")
    unbuilt = builder("layers_recipe", "layers").ask(questions, ["rank"] * 3)
    assert [prompt.prefix for prompt in unbuilt] == [hidden.prefix, view.prefix, hidden.prefix]


def test_a_template_about_one_side_asks_about_the_first_one_and_answers_high_or_low():
    question = Question(CODE, "mnist", "svhn", Recipe(lr=0.5), RECIPE)
    asking = builder("layers_recipe", "layers")
    first, second = asking.ask([question, question.swapped()], ["rank", "normalized"])
    assert first.question == "mnist: lr-0.3\nrank:\n"
    assert second.question == "svhn: lr-2.0 mom.9 batch64 drop.2 img64 flip norm\nscore:\n"
    assert first.options == second.options == ("high", "low")
    unread, = asking.ask([question.without_recipes()], ["rank"])
    assert unread.question == "mnist\nrank:\n"


def test_templates_about_one_side_and_about_two_do_not_fit_together():
    with pytest.raises(PerfclfError, match="layers_recipe and code_only_template code do not fit"):
        builder("layers_recipe", "code")


def test_the_prompt_tells_both_sides_and_swaps_with_them():
    question = Question(CODE, "mnist", "svhn", Recipe(lr=0.5), RECIPE)
    there, back = builder().ask([question, question.swapped()], ["normalized"] * 2)
    assert there.question.startswith("mnist: lr-0.3\nsvhn: lr-2.0 mom.9 batch64 drop.2 img64 flip norm\n")
    assert there.question.splitlines()[:2] == back.question.splitlines()[1::-1]
    assert (there.prefix, there.options) == (back.prefix, back.options[::-1])


def test_the_label_decides_what_is_asked():
    question = Question(CODE, "mnist", "svhn", Recipe(lr=0.5), RECIPE)
    score, rank = builder().ask([question] * 2, ["normalized", "rank"])
    assert "better score at epoch 1" in score.question
    assert "better rank at epoch 1" in rank.question


def test_a_question_without_both_recipes_has_the_template_that_shows_none():
    partly = Question(CODE, "mnist", "svhn", RECIPE)
    prompt, = builder().ask([partly], ["rank"])
    assert prompt.question == "mnist\nsvhn\n"


def test_a_template_that_reads_no_code_shows_none():
    question = Question("class Net(:", "mnist", "svhn", RECIPE, RECIPE)
    asking = builder("metadata", "metadata")
    assert asking.shown(question) is None
    assert asking.ask([question], ["rank"])[0].prefix == ""


@pytest.mark.parametrize("names", [("normalized_accuracy", "code"), ("code_recipe", "normalized_accuracy")])
def test_a_template_that_only_a_recorded_pair_can_fill_is_refused_at_once(names):
    with pytest.raises(PerfclfError, match="normalized_accuracy needs norm_a, norm_b, known of recorded pairs alone"):
        builder(*names)


def test_a_template_with_a_field_that_nobody_knows_is_refused():
    odd = Template("odd", 1, ("ds_a", "ds_b", "weather"), "", "", "{ds_a} or {ds_b} when it is {weather}?\n")
    with pytest.raises(PerfclfError, match="template odd needs weather"):
        PromptBuilder(odd, odd, "ast", 100, KNOWN)


@pytest.mark.parametrize("name", sorted(set(templates()) - {"normalized_accuracy"}))
def test_every_other_built_in_template_can_be_asked(name):
    question = Question(CODE, "mnist", "svhn", RECIPE, RECIPE)
    prompt, = builder(name, name).ask([question], ["normalized"])
    assert prompt.question.endswith("\n")
    assert "{" not in prompt.prefix + prompt.question
    assert "nan" not in prompt.question


def test_an_unknown_template_names_the_nearest():
    with pytest.raises(PerfclfError, match="did you mean code_recipe"):
        find_template("code_recipes")
