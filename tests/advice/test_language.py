import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_advisers import KNOWN, PRIOR

from nngpt_perfclf.advice.language import LanguageAdviser, known_evidence, load, recorded_config
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.config import load_config
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.types import PerfclfError, Question, Recipe

CODE = "class Net(nn.Module):\n    def forward(self, x):\n        return self.conv(x)\n"
RATE = Recipe(lr=0.01)
names = st.sampled_from(sorted(KNOWN))


class MadeUpModel:
    """Scores a prompt by the length of its question; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def score(self, prompts, batch_tokens, progress=None):
        self.asked += prompts
        return np.array([len(prompt.question) / 10 for prompt in prompts])


@pytest.fixture
def adviser():
    known = templates()
    builder = PromptBuilder(known["code_recipe"], known["code"], "ast", 100, KNOWN)
    return LanguageAdviser("made", PRIOR, KNOWN, model=MadeUpModel(), builder=builder)


def test_the_evidence_is_the_models_log_odds_the_priors_and_the_nearest_trials(adviser):
    evidence = adviser.evidence([Question(CODE, "mnist", "svhn", RATE, RATE)])
    assert evidence.shape == (1, len(LanguageAdviser.sources))
    assert evidence[0].tolist() == [len(adviser.model.asked[0].question) / 10, PRIOR.log_odds("mnist", "svhn"), 0]


def test_equal_prompts_are_computed_once(adviser):
    other = CODE.replace("class", "class  ") + "# a comment\n"
    adviser.advise_many([Question(code, "mnist", "svhn", RATE, RATE) for code in (CODE, other)])
    assert len(adviser.model.asked) == 2, "one prompt in either order"


def test_a_question_without_both_recipes_gets_the_template_that_needs_none(adviser):
    both, partly = (Question(CODE, "mnist", "svhn", RATE, recipe) for recipe in (RATE, None))
    adviser.evidence([both, partly])
    with_recipes, without = adviser.model.asked
    assert "lr-2.0" in with_recipes.question
    assert "lr-2.0" not in without.question
    assert adviser.note(both) == ""
    assert "without recipes" in adviser.note(partly)


def test_code_too_tangled_to_be_shown_is_refused_and_costs_no_other_its_answer(adviser):
    tangled = Question("x = " + "f(" * 60 + "1" + ")" * 60, "mnist", "svhn")
    with pytest.raises(PerfclfError):
        adviser.check(tangled)
    first, none, last = adviser.advise_many([Question(CODE, "mnist", "svhn"), tangled, Question(CODE, "mnist", "svhn")])
    assert none is None
    assert first == last
    assert first.better in ("mnist", "svhn")


@given(names, names, st.floats(0, 1) | st.just(np.nan), st.floats(0, 1) | st.just(np.nan))
def test_what_is_known_before_reading_changes_its_sign_with_the_order(ds_a, ds_b, near_a, near_b):
    question = Question(CODE, ds_a, ds_b)
    there = known_evidence(PRIOR, [question], np.array([[near_a, near_b]]))
    back = known_evidence(PRIOR, [question.swapped()], np.array([[near_b, near_a]]))
    assert (there == -back).all()


def test_a_dataset_without_recorded_trials_adds_nothing():
    assert known_evidence(PRIOR, [Question(CODE, "mnist", "svhn")], np.array([[np.nan, 0.5]]))[0, 1] == 0


def test_the_pretrained_run_was_made_with_the_default_templates():
    config, own = load_config(), recorded_config(PRETRAINED / "language")
    assert (own.template, own.code_only_template) == (config.template, config.code_only_template)
    assert own.model.name == config.model.name


def test_a_folder_without_a_manifest_is_refused_before_a_model_is_loaded(tmp_path):
    with pytest.raises(PerfclfError, match=r"no run\.json"):
        load(load_config(overrides=[f"adviser={tmp_path}"]))


@pytest.mark.slow
def test_the_pretrained_model_gives_the_same_answer_in_either_order_and_in_any_batch(pretrained):
    questions = [Question(CODE, "cifar-100", other, RATE, RATE) for other in ("mnist", "svhn", "places365")]
    advice = pretrained.advise_many(questions)
    assert pretrained.advise_many([question.swapped() for question in questions[::-1]]) == advice[::-1]
    assert (advice[0].better, advice[1].better) == ("mnist", "svhn")
    alone = pretrained.advise_many(questions[:1])[0]
    assert alone.probability == pytest.approx(advice[0].probability, abs=0.02), "bfloat16 rounds by the batch"
