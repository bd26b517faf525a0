"""RunFolder: which folder a run may be written to, and its manifest."""

import pytest

from nngpt_perfclf.run_folder import RunFolder, manifest
from nngpt_perfclf.types import PerfclfError

BEGUN = manifest("evaluation", {"seed": 0}, "f00d", adviser="prior")


def test_a_manifest_says_what_was_run_on_which_data_with_which_versions():
    assert {"kind": "evaluation", "data": "f00d", "config": {"seed": 0}, "adviser": "prior"}.items() <= BEGUN.items()
    assert {"version", "commit"} <= set(BEGUN)
    assert "torch" in BEGUN["versions"]


def test_a_new_folder_is_free_then_begun_then_done(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert (run.claim(resume=False), run.is_begun, run.is_done) == (run, False, False)
    run.begin(BEGUN)
    assert (run.is_begun, run.is_done, run.manifest["kind"]) == (True, False, "evaluation")
    run.note({**run.manifest, "status": "done", "result": {"accuracy": 0.5}})
    assert (run.is_done, run.result) == (True, {"accuracy": 0.5})


def test_a_begun_folder_is_claimed_only_to_resume_it(tmp_path):
    run = RunFolder(tmp_path)
    run.begin(BEGUN)
    with pytest.raises(PerfclfError, match=r"already holds a run.*resume=true"):
        run.claim(resume=False)
    assert run.claim(resume=True) is run


@pytest.mark.parametrize("changed", ["kind", "data", "config", "adviser"])
def test_a_run_is_not_resumed_with_another_kind_data_configuration_or_adviser(tmp_path, changed):
    run = RunFolder(tmp_path)
    run.begin(BEGUN)
    run.begin({**BEGUN, "version": "later", "commit": "later"})
    with pytest.raises(PerfclfError, match=f"begun with another {changed}: name another out="):
        run.begin({**BEGUN, changed: {"seed": 1}})
    assert run.manifest == BEGUN


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PerfclfError, match="is a file; out= must name a folder"):
        RunFolder(tmp_path / "file").claim(resume=False)


def test_a_missing_and_a_damaged_manifest_are_named(tmp_path):
    with pytest.raises(PerfclfError, match=r"no run\.json"):
        _ = RunFolder(tmp_path).manifest
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(PerfclfError, match=r"run\.json is damaged"):
        _ = RunFolder(tmp_path).manifest
