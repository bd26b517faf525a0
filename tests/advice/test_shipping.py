import json
import shutil

import pytest

from nngpt_perfclf.advice import shipping
from nngpt_perfclf.advice.loading import SHIPPED, load_advisor
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import PerfclfError


@pytest.fixture
def run(tmp_path):
    """A run folder as training leaves it."""
    folder = tmp_path / "run"
    shutil.copytree(SHIPPED / "pairwise", folder)
    told = json.loads((folder / "run.json").read_text())
    told["config"] |= {"out": str(folder), "threads": 2}
    (folder / "run.json").write_text(json.dumps(told))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "optimiser").write_bytes(b"0" * 1000)
    return folder


def test_what_is_shipped_answers_and_names_no_place_of_training(tmp_path, run):
    target = shipping.ship(run, tmp_path / "shipped")
    assert not (target / "checkpoints").exists()
    assert str(tmp_path) not in (target / "run.json").read_text()
    assert load_advisor(target, load_config()).advise("class Net: pass", "mnist", "svhn").better in ("mnist", "svhn")
    assert (tmp_path / "shipped" / "prior.json").is_file()


@pytest.mark.parametrize("change", [{"status": "training"}, {"kind": "evaluation"}])
def test_an_unfinished_run_and_another_kind_are_refused(tmp_path, run, change):
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**told, **change}))
    with pytest.raises(PerfclfError, match="no finished run"):
        shipping.ship(run, tmp_path / "shipped")


def test_too_large_a_run_is_refused_and_what_was_shipped_stays(tmp_path, run, monkeypatch):
    target = shipping.ship(run, tmp_path / "shipped")
    before = sorted(file.name for file in target.iterdir())
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(PerfclfError, match="bytes"):
        shipping.ship(run, tmp_path / "shipped")
    assert sorted(file.name for file in target.iterdir()) == before


def test_shipped_records_hold_no_paths():
    for file in SHIPPED.rglob("run.json"):
        config = json.loads(file.read_text())["config"]
        assert (config["out"], config["threads"], config["corpus"]["path"]) == (None, None, None)
