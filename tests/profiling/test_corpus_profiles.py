import pandas as pd
import pytest
from profiled_networks import network

from nngpt_perfclf.corpus import Corpus
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.corpus_profiles import failures, profile_table, recorded_shapes, summary
from nngpt_perfclf.profiling.types import Shapes

TASK = "img-classification"
CODES = {"good": network(), "small": network(forward="return F.max_pool2d(self.layers(x), 16).flatten(1)[:, :2]"),
         "broken": "class Net: pass"}
TRIALS = [  # nn, dataset, transform, epoch, how many
    ("good", "cifar-10", "norm_32", 1, 3), ("good", "svhn", "echo_32_flip", 2, 2), ("good", "mnist", "norm_64", 1, 4),
    ("good", "mnist", "norm_128", 6, 9), ("small", "mnist", "norm", 1, 5), ("small", "celeba-gender", "norm", 1, 1),
    ("broken", "cifar-100", "norm_32", 1, 1), ("codeless", "cifar-100", "norm_32", 1, 1)]


@pytest.fixture(scope="module")
def corpus():
    rows = [{"task": TASK, "nn": nn, "dataset": dataset, "transform": transform, "epoch": epoch}
            for nn, dataset, transform, epoch, count in TRIALS for _ in range(count)]
    trials = pd.DataFrame(rows).astype({"nn": "category", "dataset": "category", "transform": "category"})
    return Corpus(trials, CODES, "made up", "", (), 0)


@pytest.fixture(scope="module")
def shapes(corpus):
    return recorded_shapes(corpus, dataset_properties(), TASK)


def test_each_network_and_shapes_stand_once_the_most_frequent_first(shapes):
    rows = [(row.nn, row.dataset, row.shapes, row.trials) for row in shapes.itertuples()]
    assert rows == [
        ("broken", "cifar-100", Shapes(3, 32, 100), 1),
        ("good", "cifar-10", Shapes(3, 32, 10), 5), ("good", "mnist", Shapes(1, 64, 10), 4),
        ("small", "mnist", Shapes(1, 28, 10), 5), ("small", "celeba-gender", Shapes(3, 218, 2, width=178), 1)]
    assert shapes.loc[4, ["channels", "size", "width", "classes", "complex"]].tolist() == [3, 218, 178, 2, False]


def test_the_table_has_a_row_of_features_for_each(shapes, corpus):
    table = profile_table(shapes, corpus.codes)
    assert table["status"].tolist() == ["failed", "built", "built", "failed", "built"]
    assert table["stage"].tolist() == ["contract", "", "", "forward", ""]
    assert table.loc[1, ["parameters", "depth", "optimizer", "lr_factor"]].tolist() == [330, 2, "SGD", 1.0]
    assert table.loc[2, "parameters"] < table.loc[1, "parameters"]

    first = ~table.duplicated("nn")
    told = summary(table[first], table)
    assert (told["networks"], told["built"], told["built_at_some_shapes"]) == (3, 1, 2)
    assert (told["shapes"], told["shapes_built"], told["built_meta"]) == (5, 3, 1)
    assert told["built_share"] == pytest.approx(1 / 3)
    assert [row["networks"] for row in failures(table)] == [1, 1]
