import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nngpt_perfclf
from nngpt_perfclf.code_view.parsing import quiet
from nngpt_perfclf.retrieval.neighbours import CodeEmbedding, Neighbours, recipe_numbers
from nngpt_perfclf.types import PerfclfError, Recipe

SHIPPED = Path(nngpt_perfclf.__file__).parent / "advice" / "pretrained" / "neighbours.npz"

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


@pytest.fixture(scope="module")
def shipped():
    return Neighbours.load(SHIPPED)


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
    with pytest.raises(PerfclfError, match=r"table of recorded trials .*other\.npz is damaged"):
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


def by_hand(code, idf, components):
    """The embedding of one code by the formula: (1 + log count) * idf, scaled to length 1, projected, scaled again."""
    from sklearn.utils import murmurhash3_32

    row = np.zeros(len(idf))
    for word, count in Counter(re.findall(r"\w+", quiet(code))).items():
        row[abs(murmurhash3_32(word, seed=0)) % len(idf)] += count
    row = np.where(row > 0, (1 + np.log(np.maximum(row, 1))) * idf, 0)
    vector = components.astype(float) @ (row / np.linalg.norm(row))
    return vector / np.linalg.norm(vector)


def test_codes_of_the_shipped_table_are_embedded_by_the_formula(shipped):
    embedding = shipped.embedding
    for code in CODES.values():
        assert embedding([code])[0] == pytest.approx(by_hand(code, embedding.idf, embedding.components), abs=1e-5)


def test_rare_words_weigh_more_by_the_smoothed_formula():
    embedding = CodeEmbedding.fit(["a b", "a c", "a d"], seed=0)
    weights = sorted(embedding.idf.tolist())
    assert weights[0] == pytest.approx(1), "a word of every code"
    assert weights[1] == pytest.approx(np.log(4 / 2) + 1), "a word of one code of three"
    assert weights[-1] == pytest.approx(np.log(4 / 1) + 1), "a word of none"


codes = st.sampled_from([*CODES.values(), "class Other: pass", ""])
sides = st.tuples(codes, st.sampled_from(["mnist", "svhn", "imagenette"]),
                  st.builds(Recipe, lr=st.floats(1e-5, 1), batch=st.integers(1, 512)))


@given(st.lists(sides, min_size=1, max_size=10), st.randoms())
def test_an_answer_does_not_depend_on_what_else_is_asked_to_the_last_bit(shipped, asked, random):
    together, order = shipped.lookup(*zip(*asked, strict=True)), list(range(len(asked)))
    random.shuffle(order)
    shuffled = shipped.lookup(*zip(*(asked[place] for place in order), strict=True))
    assert np.array_equal(shuffled, together[order], equal_nan=True)
    alone = np.concatenate([shipped.lookup([code], [dataset], [recipe]) for code, dataset, recipe in asked])
    assert np.array_equal(alone, together, equal_nan=True)


def test_a_thousand_lookups_take_less_than_a_second_of_processor_time(shipped):
    recipes = [Recipe(lr=lr, batch=64) for lr in np.logspace(-4, 0, 1000)]
    started = time.process_time()
    shipped.lookup([CODES["net2"]] * 1000, ["cifar-10", "svhn"] * 500, recipes)
    assert time.process_time() - started < 1


def test_what_a_recipe_does_not_state_takes_a_place_of_its_own():
    rows = recipe_numbers([Recipe(), RECIPE], [32, 32])
    assert np.isfinite(rows).all()
    assert rows[0, 3] < 0 <= rows[1, 3]
    with pytest.raises(PerfclfError, match="not a finite number"):
        recipe_numbers([Recipe(lr=float("nan"))], [32])
