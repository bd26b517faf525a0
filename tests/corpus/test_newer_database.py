"""The database that a newer nn-dataset fills, made by its own code."""

import subprocess
import sys
from zipfile import ZipFile

import pandas as pd
import pytest
from lemur_wheel import WHEELS

from nngpt_perfclf.corpus import describe, load_corpus

WHEEL = WHEELS / "tests" / "nn_dataset-2.2.11-py3-none-any.whl"
# Its database is filled from result files where they are there; else it would be downloaded.
FILL = """
import sys, types
from unittest.mock import MagicMock
sys.modules["torch"] = MagicMock()  # slow to import, and not needed to fill
for name in ("datasketch", "ab.nn.util.hf.DB_from_HF"):
    sys.modules[name] = MagicMock()
from ab.nn.util.db.Write import init_population, save_nn_stat
init_population()
save_nn_stat("AlexNet", "u1", {"total_params": 1000, "flops": 50000, "total_layers": 8})
save_nn_stat("AlexNet", "u2", {"total_params": 1000, "flops": 50000, "total_layers": 8})
save_nn_stat("ga-mut-1", "u3", {"error": "it was not built"})
"""


@pytest.fixture
def newer(lemur, tmp_path):
    """The little LEMUR in the database that 2.2.11 fills from its files."""
    if not WHEEL.is_file():
        pytest.skip(f"no {WHEEL}: `make test` fetches it")
    site = lemur.parents[1]
    for path in (lemur / "nn" / "ga-mut_1.py", lemur / "stat" / "train" / "img-classification_svhn_acc_ga-mut_1"):
        path.rename(path.with_name(path.name.replace("mut_", "mut-")))  # it skips a name with an underscore
    with ZipFile(WHEEL) as archive:
        archive.extractall(site, [name for name in archive.namelist()
                                  if name.startswith("ab/nn/util/") or name.endswith("/METADATA")])
    (site / "README.md").touch()  # what it takes for the root of a project
    for folder, names in (("metric", ["acc"]), ("transform", ["norm_64", "norm_64_flip", "echo_64"])):
        (lemur / folder).mkdir()
        for name in names:
            (lemur / folder / f"{name}.py").write_text("pass\n")
    done = subprocess.run([sys.executable, "-c", FILL], cwd=site, env={"PYTHONPATH": str(site)}, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return site / "db" / "ab.nn.db"


def test_it_gives_the_same_trials_and_codes_as_the_files_and_the_sizes_that_were_measured(newer, lemur, config_for):
    from_database, from_files = load_corpus(config_for(newer)), load_corpus(config_for(lemur))
    pd.testing.assert_frame_equal(from_database.trials, from_files.trials)
    assert from_database.codes == from_files.codes
    assert from_database.fingerprint == from_files.fingerprint
    assert from_database.statistics.to_dict("records") == [
        {"nn": "AlexNet", "parameters": 1000, "flops": 50000, "layers": 8}]
    assert from_files.statistics is None
    assert describe(config_for(newer))["networks_with_statistics"] == 1


def test_the_folder_that_holds_it_is_a_corpus_path(newer, config_for):
    assert load_corpus(config_for(newer.parent)).source == str(newer)
