import gzip
import time

import numpy as np
import pandas as pd
import pytest
from nngpt_perfclf.advice.loading import SHIPPED, load_advisor

from nngpt_perfclf.advice.features import CodeReader, kept_columns, question_rows
from nngpt_perfclf.advice.pairwise import PairwiseAdviser, drawn_pairs, fit_forest, load_trees, weights_of
from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.tasks import question_of
from nngpt_perfclf.types import PerfclfError, Question, Recipe

KNOWN = dataset_properties()
NET = """class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        self.features = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d((6, 6)))
        self.classifier = nn.Sequential(nn.Dropout(prm["dropout"]), nn.Linear(128 * 6 * 6, 10))
    def train_setup(self, prm):
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm["lr"], momentum=prm["momentum"])
"""
CONFIG = load_config(overrides=["threads=1", "label=rank"])


@pytest.fixture(scope="module")
def reader(world):
    return CodeReader.fit(list(world[1].values()), seed=0)


def fitted(world, reader, reads, half=0):
    trials, codes, groups = world
    names = sorted(codes)[half::2]
    pairs = drawn_pairs(trials[trials["nn"].isin(names)], "rank", CONFIG, draws=4)
    return fit_forest(pairs, codes, groups, reader, CONFIG, KNOWN, reads)


@pytest.fixture(scope="module")
def both(world, reader):
    return fitted(world, reader, "both")


def accuracy(forest, world, half=1):
    trials, codes, _ = world
    pairs = drawn_pairs(trials[trials["nn"].isin(sorted(codes)[half::2])], "rank", CONFIG, draws=1)
    odds = forest.log_odds([question_of(row, codes) for row in pairs.itertuples()], KNOWN)
    return np.mean((odds > 0) == (pairs["better"] == pairs["ds_a"]))


def test_it_learns_what_the_recipe_says_and_cannot_learn_it_unread(world, reader, both):
    assert accuracy(fitted(world, reader, "recipe"), world) > 0.85
    assert accuracy(both, world) > 0.85
    assert accuracy(fitted(world, reader, "code"), world) < 0.65


def test_the_same_seed_gives_the_same_trees(world, reader, both):
    assert fitted(world, reader, "both").trees.model_to_string() == both.trees.model_to_string()


def test_swapping_the_sides_changes_the_sign_and_no_bit(world, both):
    recipes = Recipe(lr=0.01), Recipe(lr=0.3)
    questions = [Question(code, "svhn", "mnist", *recipes) for code in list(world[1].values())[:9]]
    assert (both.log_odds([one.swapped() for one in questions], KNOWN) == -both.log_odds(questions, KNOWN)).all()


def test_each_kind_reads_its_own_columns_and_all_read_the_datasets(reader):
    questions = [Question("class A: pass", "svhn", "mnist", Recipe(lr=0.1, transform="norm_64_flip"), Recipe(batch=8))]
    width = question_rows(questions, reader(["class A: pass"]), KNOWN, ("mnist",)).shape[1]
    both, code, recipe, nothing = (kept_columns(width, reads) for reads in ("both", "code", "recipe", "nothing"))
    assert both.all()
    assert (code | recipe).all()
    assert (code & recipe == nothing).all()
    assert 0 < nothing.sum() < min(code.sum(), recipe.sum())


def test_comments_and_strings_change_no_feature(reader):
    plain = "class Net:\n    def forward(self, x):\n        return nn.Conv2d(3, 64, 3)(x)\n"
    hostile = plain.replace("class Net:", "class Net:  # always answer mnist, stride=9 Conv2d Conv2d 4096")
    assert (reader([plain]) == reader([hostile])).all()


def test_near_duplicates_share_their_weight():
    networks = pd.Series(["a", "b", "c", "d", "e"])
    weights = weights_of(networks, pd.Series(["x", "x", "x", "x", "y"], index=list("abcde")))
    assert weights.mean() == pytest.approx(1)
    assert weights[4] == pytest.approx(2 * weights[0])


def test_a_reader_is_saved_and_loaded_as_it_is(tmp_path, reader):
    reader.save(tmp_path / "reader.npz")
    code = ["class A: x = nn.Linear(3, 512)"]
    assert (CodeReader.load(tmp_path / "reader.npz")(code) == reader(code)).all()


@pytest.mark.parametrize("content", [None, b"", b"garbage", gzip.compress(b"garbage")])
def test_damaged_trees_are_one_clear_line(tmp_path, content):
    file = tmp_path / "rank.txt.gz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PerfclfError, match=r"rank\.txt\.gz"):
        load_trees(file)


@pytest.mark.parametrize("label", ["normalized", "rank"])
def test_the_shipped_trees_answer_at_once_with_and_without_recipes(label):
    adviser = load_advisor("pairwise", load_config(overrides=[f"label={label}"]))
    assert isinstance(adviser, PairwiseAdviser)
    bare = adviser.advise("class Net: pass", "cifar-10", "svhn")
    assert "without recipes" in bare.reason
    good, wild = (Recipe(lr, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip") for lr in (0.01, 0.9))
    told, turned = adviser.advise_many([Question(NET, "cifar-10", "svhn", good, wild),
                                        Question(NET, "cifar-10", "svhn", wild, good)])
    assert (told.better, turned.better) == ("cifar-10", "svhn")
    assert "without recipes" not in told.reason


def test_the_shipped_trees_are_small():
    assert sum(file.stat().st_size for file in (SHIPPED / "pairwise").iterdir()) < 3_000_000


def test_a_batch_takes_at_most_two_milliseconds_of_processor_time_a_question():
    adviser = load_advisor("pairwise")
    adviser.advise("class Warm: pass", "mnist", "svhn")
    code = "class Net:\n" + "".join(f"    layer{n} = nn.Conv2d({n}, 64, kernel_size=3, stride=2)\n" for n in range(60))
    questions = [Question(f"{code}    x = {n}\n", a, b, Recipe(lr=0.01), Recipe(lr=0.02)) for n in range(20)
                 for a in sorted(KNOWN) for b in sorted(KNOWN) if a < b]
    started = time.process_time()
    assert None not in adviser.advise_many(questions)
    assert (time.process_time() - started) / len(questions) < 0.002


def test_a_dataset_that_was_not_learned_from_is_answered_by_its_properties_and_the_reason_says_so(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("fashion:\n  images: 60000\n  size: 28\n  channels: 1\n  classes: 10\n")
    adviser = load_advisor("pairwise", load_config(overrides=[f"datasets={file}"]))
    advice = adviser.advise("class Net: pass", "fashion", "places365")
    assert "fashion was not learned from and is judged by its properties" in advice.reason
    assert advice.prior == 0.5
    with pytest.raises(PerfclfError, match="unknown dataset 'fashion'"):
        load_advisor("pairwise").advise("class Net: pass", "fashion", "places365")
