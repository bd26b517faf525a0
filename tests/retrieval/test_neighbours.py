"""What the prompt tells of recorded trials comes from the training part, never from a network's own near-duplicates."""

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import PromptBuilder
from nngpt_perfclf.retrieval.neighbours import NEAREST, Neighbours, recipe_numbers
from nngpt_perfclf.types import PerfclfError, Question, Recipe

CODES = {f"net{at}": f"class Net:\n def forward(self, x): return self.{'conv' if at % 2 else 'linear'}{at}(x)"
         for at in range(8)}
SIZES = {"mnist": 28, "svhn": 32}
GROUPS = pd.Series(np.arange(8) // 2, index=list(CODES))
RECIPE = Recipe(lr=0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip")


def made_trials(count=400, seed=0):
    """Trials whose labels follow the learning rate on mnist and are all the same on svhn."""
    random = np.random.default_rng(seed)
    lr = 10 ** random.uniform(-4, 0, count)
    dataset = np.where(random.random(count) < 0.5, "mnist", "svhn")
    label = np.where(dataset == "mnist", (np.log10(lr) + 4) / 4, 0.5)
    return pd.DataFrame({"nn": random.choice(list(CODES), count), "dataset": dataset, "lr": lr, "momentum": 0.9,
                         "batch": 64, "dropout": np.nan, "transform": "norm_64", "norm": label, "rank": label})


@pytest.fixture(scope="module")
def neighbours():
    return Neighbours.fit(made_trials(), CODES, GROUPS, SIZES)


def test_a_trial_is_answered_for_by_trials_like_it(neighbours):
    recipes = [Recipe(lr=lr, momentum=0.9, batch=64, transform="norm_64") for lr in (2e-4, 0.5)]
    low, high = neighbours.lookup([CODES["net0"]] * 2, ["mnist", "mnist"], recipes)[:, 1]
    assert low < 0.35
    assert high > 0.65


def test_a_dataset_without_trials_has_no_answer(neighbours):
    found = neighbours.lookup([CODES["net0"]], ["imagenette"], [RECIPE])
    assert np.isnan(found).all()


def test_near_duplicates_of_the_network_asked_about_are_hidden():
    trials = made_trials()
    trials.loc[trials["nn"].isin(["net0", "net1"]), ["norm", "rank"]] = 9.0
    neighbours = Neighbours.fit(trials, CODES, GROUPS, SIZES)
    shown = neighbours.lookup([CODES["net0"]], ["svhn"], [RECIPE])
    hidden = neighbours.lookup([CODES["net0"]], ["svhn"], [RECIPE], np.array([GROUPS["net0"]]))
    assert shown.max() > 1
    assert hidden.max() <= 1


def test_the_learned_metric_is_no_worse_on_the_trials_it_was_learned_for(neighbours):
    learned = neighbours.learn_metric(made_trials(seed=1), CODES, proposals=15)
    truth = made_trials(seed=1)
    recipes = [Recipe(lr=lr, momentum=0.9, batch=64, transform="norm_64") for lr in truth["lr"]]
    asked = ([CODES[nn] for nn in truth["nn"]], truth["dataset"].tolist(), recipes)
    error = [np.abs(one.lookup(*asked)[:, 1] - truth["rank"]).mean() for one in (neighbours, learned)]
    assert error[1] <= error[0] + 0.01


def test_the_table_comes_back_as_it_was_saved(neighbours, tmp_path):
    neighbours.save(tmp_path / "near.npz")
    again = Neighbours.load(tmp_path / "near.npz")
    asked = ([CODES["net3"]], ["mnist"], [RECIPE])
    assert np.allclose(again.lookup(*asked), neighbours.lookup(*asked), atol=1e-3)
    (tmp_path / "other.npz").write_bytes(b"no table")
    with pytest.raises(PerfclfError, match="not a table of recorded trials"):
        Neighbours.load(tmp_path / "other.npz")


def test_a_table_in_which_comments_counted_is_refused(neighbours, tmp_path):
    neighbours.save(tmp_path / "near.npz")
    with np.load(tmp_path / "near.npz") as file:
        np.savez(tmp_path / "old.npz", **{name: file[name] for name in file.files if name != "version"})
    with pytest.raises(PerfclfError, match="version 1, not 2; train again"):
        Neighbours.load(tmp_path / "old.npz")


def test_comments_docstrings_and_literals_do_not_move_a_network(neighbours):
    told = CODES["net2"].replace("class Net:", "class Net:  # linear\n r'''conv \\''' conv3'''\n 'linear'")
    assert np.array_equal(neighbours.embedding([told]), neighbours.embedding([CODES["net2"]]))


def test_many_lookups_give_what_single_ones_give(neighbours):
    recipes = [Recipe(lr=lr) for lr in np.logspace(-4, 0, NEAREST)]
    many = neighbours.lookup([CODES["net2"]] * NEAREST, ["mnist", "svhn"] * (NEAREST // 2), recipes)
    for at, recipe in enumerate(recipes):
        single = neighbours.lookup([CODES["net2"]], [["mnist", "svhn"][at % 2]], [recipe])
        assert np.allclose(single, many[at], atol=1e-4)


def test_what_a_recipe_does_not_state_takes_a_place_of_its_own():
    rows = recipe_numbers([Recipe(), RECIPE], [32, 32])
    assert np.isfinite(rows).all()
    assert rows[0, 3] < 0 <= rows[1, 3]
    with pytest.raises(PerfclfError, match="not a finite number"):
        recipe_numbers([Recipe(lr=float("nan"))], [32])


def test_the_prompt_tells_both_sides_and_swaps_with_them(neighbours):
    known = templates()
    builder = PromptBuilder(known["code_recipe_near"], known["code_near"], "ast", 100, dataset_properties(), neighbours)
    question = Question(CODES["net0"], "mnist", "svhn", Recipe(lr=0.5), RECIPE)
    near = builder.near([question, question.swapped()], ["rank"] * 2)
    assert np.allclose(near[0], near[1][::-1])
    there, back = builder.ask([question, question.swapped()], ["rank"] * 2, near)
    assert there.question.splitlines()[:2] == back.question.splitlines()[1::-1]
    assert there.prefix == back.prefix
    bare = builder.ask([Question(CODES["net0"], "mnist", "svhn")], ["rank"], near[:1])[0]
    assert "lr" not in bare.question
