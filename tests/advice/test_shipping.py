import json
import shutil

import numpy as np
import pytest

from nngpt_perfclf.advice import load_advisor, shipping
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.config import load_config
from nngpt_perfclf.files import write_arrays
from nngpt_perfclf.types import PerfclfError


@pytest.mark.parametrize("kind", ["pairwise", "pointwise"])
def test_no_part_of_what_is_shipped_names_a_place_and_the_prior_is_there_once(tmp_path, runs, kind):
    target = shipping.ship(runs[kind], tmp_path / "pretrained")
    for file in target.rglob("run.json"):
        config = json.loads(file.read_text())["config"]
        assert (config["out"], config["threads"], config["corpus"]["path"]) == (None, None, None)
    assert [file.parent for file in (tmp_path / "pretrained").rglob("prior.json")] == [tmp_path / "pretrained"]


@pytest.fixture
def run(tmp_path, runs):
    """A run folder as training leaves it, with what only training needs."""
    folder = tmp_path / "run"
    shutil.copytree(runs["pairwise"], folder)
    manifest = json.loads((folder / "run.json").read_text())
    manifest["config"] |= {"out": str(folder), "threads": 2}
    manifest["config"]["corpus"]["path"] = str(tmp_path)
    (folder / "run.json").write_text(json.dumps(manifest))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "optimiser").write_bytes(b"0" * 1000)
    (folder / "log.jsonl").write_text("{}\n")
    return folder


def test_what_is_shipped_answers_as_before_and_names_no_place_of_training(tmp_path, run, world):
    target = shipping.ship(run, tmp_path / "pretrained")
    assert target == tmp_path / "pretrained" / "pairwise"
    assert not (target / "checkpoints").exists()
    assert not (target / "log.jsonl").exists()
    assert str(tmp_path) not in (target / "run.json").read_text()
    shipped, trained = (load_advisor(folder, world.config).advise(world.codes["net-0"], "mnist", "svhn")
                        for folder in (target, run))
    assert shipped == trained


def test_runs_that_learned_from_one_split_share_their_prior(tmp_path, run):
    target = shipping.ship(run, tmp_path / "pretrained")
    assert (tmp_path / "pretrained" / "prior.json").is_file()
    assert not (target / "prior.json").exists()
    (run / "prior.json").write_text(json.dumps({"rank": {"mnist": {"svhn": 3}}}))
    assert (shipping.ship(run, tmp_path / "pretrained") / "prior.json").is_file(), "another split's is its own"


def test_recorded_trials_are_shared_too(tmp_path, run):
    for folder in (run, tmp_path / "pretrained"):
        write_arrays(folder / "neighbours.npz", numbers=np.arange(3))
    assert not (shipping.ship(run, tmp_path / "pretrained") / "neighbours.npz").exists()
    write_arrays(run / "neighbours.npz", numbers=np.arange(4))
    assert (shipping.ship(run, tmp_path / "pretrained") / "neighbours.npz").is_file()


@pytest.mark.parametrize("change", [{"status": "training"}, {"kind": "evaluation"}, {"kind": "prior"}])
def test_an_unfinished_run_and_another_kind_are_refused(tmp_path, run, change):
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, **change}))
    kinds = "language, pairwise, pointwise, nearest, stack, curve, seconds"
    with pytest.raises(PerfclfError, match=rf"no finished run of an adviser \({kinds}\)"):
        shipping.ship(run, tmp_path / "pretrained")


def test_too_large_a_run_is_refused_and_what_was_shipped_stays(tmp_path, run, monkeypatch):
    target = shipping.ship(run, tmp_path / "pretrained")
    before = {file.name: file.read_bytes() for file in target.iterdir()}
    (run / "weights.json").write_text("{}")
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(PerfclfError, match="more than the 1,000 that may travel"):
        shipping.ship(run, tmp_path / "pretrained")
    assert {file.name: file.read_bytes() for file in target.iterdir()} == before
    assert [file.name for file in target.parent.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("file", sorted(PRETRAINED.rglob("run.json")), ids=lambda file: file.parent.name)
def test_what_is_in_the_package_is_a_finished_run_of_a_configuration_that_loads_and_names_no_path(file):
    manifest = json.loads(file.read_text())
    config = load_config(values=manifest["config"])
    assert manifest["status"] == "done"
    assert manifest["kind"] == file.parent.name
    assert (config.out, config.threads, config.corpus.path) == (None, None, None)
