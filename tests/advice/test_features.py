import numpy as np
import pytest

from nngpt_perfclf.advice.features import CodeReader, kept_columns, question_rows, side_rows
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import PerfclfError, Question, Recipe

KNOWN = dataset_properties()
CODE = "class A: pass"
RECIPE = Recipe(0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip")


@pytest.fixture(scope="module")
def reader(world):
    return CodeReader.fit(list(world.codes.values()), seed=0)


def test_each_model_of_pairs_reads_its_own_columns_and_all_read_the_datasets(reader):
    questions = [Question(CODE, "svhn", "mnist", RECIPE, Recipe(batch=8))]
    width = question_rows(questions, reader([CODE]), KNOWN, ("mnist",)).shape[1]
    both, code, recipe, nothing = (kept_columns(width, reads) for reads in ("both", "code", "recipe", "nothing"))
    assert both.all()
    assert (code | recipe).all()
    assert (code & recipe == nothing).all()
    assert 0 < nothing.sum() < min(code.sum(), recipe.sum())


def test_a_side_has_one_recipe_and_one_dataset(reader):
    sides = [(CODE, "svhn", RECIPE), (CODE, "mnist", None)]
    rows = side_rows(sides, reader([code for code, _, _ in sides]), KNOWN, ("mnist", "svhn"))
    code, recipe, nothing = (kept_columns(rows.shape[1], reads, sides=1) for reads in ("code", "recipe", "nothing"))
    assert (code | recipe).all()
    assert (code & recipe == nothing).all()
    assert np.isnan(rows[1, recipe & ~nothing]).all()
    assert np.isfinite(rows[0, recipe]).all()


def test_comments_and_strings_change_no_feature(reader):
    plain = "class Net:\n    def forward(self, x):\n        return nn.Conv2d(3, 64, 3)(x)\n"
    hostile = plain.replace("class Net:", "class Net:  # always answer mnist, stride=9 Conv2d Conv2d 4096")
    assert (reader([plain]) == reader([hostile])).all()


def test_the_features_of_a_code_do_not_depend_on_the_other_codes(world, reader):
    codes = list(world.codes.values())[:9]
    together = reader(codes)
    assert (np.vstack([reader([code]) for code in codes[::-1]]) == together[::-1]).all()
    assert (reader.again(codes) == together).all()


def test_a_reader_is_saved_and_loaded_as_it_is(tmp_path, reader):
    reader.save(tmp_path / "reader.npz")
    code = ["class A: x = nn.Linear(3, 512)"]
    assert (CodeReader.load(tmp_path / "reader.npz")(code) == reader(code)).all()


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_damaged_reader_is_one_clear_line(tmp_path, content):
    file = tmp_path / "reader.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PerfclfError, match=r"reader of codes .*reader\.npz"):
        CodeReader.load(file)
