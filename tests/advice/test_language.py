import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from little_world import made_structure
from made_advisers import KNOWN, PRIOR

from nngpt_perfclf.advice import language
from nngpt_perfclf.advice.language import LanguageAdviser, LanguageScorer, known_evidence, load, recorded_config
from nngpt_perfclf.advice.percentiles import Percentiles
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.advice.weights import Weights
from nngpt_perfclf.config import load_config
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

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


@pytest.fixture
def scorer(monkeypatch):
    monkeypatch.setattr(language, "shown_structures", lambda codes: [made_structure("nn.Conv2d(3, 8)")] * len(codes))
    known = templates()
    builder = PromptBuilder(known["layers_recipe"], known["layers"], "ast", 100, KNOWN)
    return LanguageScorer("made", PRIOR, KNOWN, weights=Weights((2.0, 1.0, 3.0), (1.0, 1.0, 3.0)), model=MadeUpModel(),
                          builder=builder, label="rank")


def test_where_each_side_has_a_prompt_the_evidence_is_the_difference_of_the_two(scorer):
    question = Question(CODE, "mnist", "cifar-100", RATE, Recipe(lr=0.01, batch=64))
    evidence = scorer.evidence([question, question.swapped()])
    first, second = (prompt for prompt in scorer.model.asked)
    assert len(scorer.model.asked) == 2, "one prompt a side, in either order"
    assert evidence[0, 0] == len(first.question) / 10 - len(second.question) / 10
    assert evidence[1, 0] == -evidence[0, 0]


def test_candidates_are_scored_by_one_prompt_about_the_target(scorer):
    told, untold = scorer.score([Candidate("a", CODE, RATE), Candidate("b", CODE)], "mnist")
    prompts = scorer.model.asked
    assert [prompt.question for prompt in prompts] == ["mnist: lr-2.0\nrank:\n", "mnist\nrank:\n"]
    assert all("conv 8x64x64 216" in prompt.prefix for prompt in prompts), "built, unless that is never wanted"
    read = [len(prompt.question) / 10 for prompt in prompts]
    assert told.value == pytest.approx(2.0 * read[0] + 3.0 * 0.5)
    assert untold.value == pytest.approx(1.0 * read[1] + 3.0 * 0.5)
    assert told.percentile == pytest.approx(1 / (1 + np.exp(-read[0])))
    scorer.profile, scorer.model.asked = "never", []
    scorer.score([Candidate("a", CODE, RATE)], "mnist")
    assert scorer.model.asked[0].prefix.startswith("= conv")


def test_a_score_tells_a_percentile_and_its_interval_where_trials_were_recorded(scorer):
    narrow, wide = (Percentiles((0.0, 10.0), (0.2, 0.8), low, high)
                    for low, high in (((0.1, 0.6), (0.3, 0.9)), ((0.0, 0.1), (0.9, 0.9))))
    scorer.percentiles = {"with_recipe": {"mnist": narrow, "svhn": wide}, "code_only": {}}
    asked = [Candidate("a", CODE, RATE)]
    (known,), (unsure,), (other,) = (scorer.score(asked, target) for target in ("mnist", "svhn", "cifar-100"))
    expected = np.interp(known.value, (0.0, 10.0), (0.2, 0.8))
    assert (known.low < known.percentile < known.high, known.decided) == (True, True)
    assert known.percentile == pytest.approx(expected)
    assert f"better than {expected:.0%} of the recorded trials on mnist" in known.reason
    assert not unsure.decided
    assert "undecided" in unsure.reason
    assert (other.low, other.high, other.decided) == (0.0, 1.0, True)
    assert "no interval is known" in other.reason
    assert "no interval is known" in scorer.score([Candidate("a", CODE)], "mnist")[0].reason, "it has no map"


def test_a_candidate_that_cannot_be_asked_about_costs_no_other_its_score(scorer):
    tangled = Candidate("x", "x = " + "f(" * 60 + "1" + ")" * 60, RATE)
    wrong = Candidate("y", CODE, Recipe(lr=-1.0))
    scores = scorer.score([tangled, Candidate("a", CODE, RATE), wrong], "svhn")
    assert [score is None for score in scores] == [True, False, True]
    with pytest.raises(PerfclfError, match="unknown dataset"):
        scorer.score([Candidate("a", CODE, RATE)], "fashion")


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
    assert pretrained.advise_many(questions[:1]) == advice[:1]
