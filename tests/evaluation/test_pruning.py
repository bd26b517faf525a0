"""What pruning an NNGPT run saved, from its records."""

import json

import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.evaluation import pruning
from nngpt_perfclf.evaluation.pruning import accuracy_of, digest_of
from nngpt_perfclf.evaluation.report import report
from nngpt_perfclf.types import PerfclfError


def row(name, decision, score=None, **more):
    return {"candidate": name, "target": "svhn", "decision": decision, "broken": False, "evaluated": False,
            "score": score, "percentile": None if score is None else 0.5, "low": 0.1, "high": 0.9, "seconds": 0.5,
            "reason": "", "code": None, **more}


def record(folder, epoch="A0", time=0.0, seconds=7200.0, **changes):
    """Two trained, one failed, two pruned and one broken candidate; written, and read as the report does."""
    rows = [row("B0", "kept", 3.0, accuracy=0.7, failed=False), row("B1", "kept", 2.0, accuracy=0.6, failed=False),
            row("B2", "kept", 1.0, failed=True), row("B3", "pruned", 0.5), row("B4", "pruned", 0.25),
            row("B5", "pruned", broken=True, reason="broken: no class Net")]
    content = {"kind": pruning.KIND, "version": "1", "adviser": "pointwise", "keep": 0.5, "time": time,
               "synth": str(folder / epoch / "synth_nn"), "pruned_folder": str(folder / epoch / "pruned_nn"),
               "epoch": str(folder / epoch), "asked": 6, "kept": 3, "pruned": 3, "left": 0, "broken": 1,
               "asking_seconds": 3.0, "evaluation_seconds": seconds, "candidates": rows, **changes}
    (folder / f"{epoch.replace('/', '-')}-{time:.0f}.json").write_text(json.dumps(content))


def test_each_pruned_candidate_saves_what_a_tried_one_took_and_asking_is_subtracted(tmp_path):
    record(tmp_path)
    [found] = pruning.read_records(tmp_path)
    assert pruning.seconds_each(found) == 2400
    assert pruning.hours_saved(found) == pytest.approx((2 * 2400 - 3) / 3600)


def test_without_the_evaluations_time_recorded_durations_stand_for_it(tmp_path):
    rows = [row("B0", "kept", 3.0, accuracy=0.7, failed=False, training_seconds=100.0),
            row("B1", "kept", 2.0, accuracy=0.7, failed=False, training_seconds=300.0), row("B3", "pruned", 0.5)]
    record(tmp_path, seconds=None, candidates=rows)
    assert pruning.seconds_each(pruning.read_records(tmp_path)[0]) == 200


def test_before_anything_is_trained_the_time_saved_is_not_known(tmp_path):
    record(tmp_path, seconds=None, candidates=[row("B0", "kept", 3.0), row("B3", "pruned", 0.5)])
    found = pruning.read_records(tmp_path)
    assert pruning.summary(found)["hours_saved"] is None
    assert pruning.line(found) == "A0: 6 asked, 3 kept, 3 pruned (1 broken), 3.0 s asking, time saved not known yet"


def test_the_line_is_about_the_newest_generation_and_all_together(tmp_path):
    record(tmp_path, "A0", 0)
    record(tmp_path, "A1", 1, asked=10, kept=7)
    assert pruning.line(pruning.read_records(tmp_path)) == (
        "A1: 10 asked, 7 kept, 3 pruned (1 broken), 3.0 s asking, about 1.33 h saved; "
        "2 generations: about 2.67 h saved")


def test_a_generation_that_was_pruned_again_counts_once(tmp_path):
    record(tmp_path, "A0", 0)
    record(tmp_path, "A0", 1, asked=9)
    assert [found["asked"] for found in pruning.read_records(tmp_path)] == [9]


def test_cycles_whose_epochs_have_one_name_are_told_apart(tmp_path):
    for cycle in (1, 2):
        record(tmp_path, f"cycle_{cycle}/generation/A0", cycle)
    page = pruning.page(pruning.read_records(tmp_path), "run")
    assert [generation["name"] for generation in page["generations"]] == [
        "cycle_1/generation/A0", "cycle_2/generation/A0"]


def test_other_json_files_are_no_records(tmp_path):
    (tmp_path / "run.json").write_text('{"kind": "language"}')
    assert pruning.read_records(tmp_path) == []
    with pytest.raises(PerfclfError, match="no record of a pruned generation"):
        pruning.page([], "run")


def test_accuracies_are_read_from_the_candidates_folders_where_the_code_is_still_the_same(tmp_path):
    folder = tmp_path / "A0" / "synth_nn" / "B0"
    folder.mkdir(parents=True)
    (folder / "new_nn.py").write_text("the code")
    (folder / "eval_info.json").write_text('{"eval_results": {"accuracy": 0.25}}')
    (folder / "1.json").write_text('[{"duration": 5e9}]')
    record(tmp_path, candidates=[row("B0", "kept", 3.0, code=digest_of(folder))])
    [found] = pruning.read_records(tmp_path)[0]["candidates"]
    assert (found["accuracy"], found["training_seconds"], found["failed"]) == (0.25, 5.0, False)
    (folder / "new_nn.py").write_text("another run's code")
    assert "accuracy" not in pruning.read_records(tmp_path)[0]["candidates"][0]


@pytest.mark.parametrize(("content", "accuracy"), [
    ('{"eval_results": {"accuracy": 0.5}}', 0.5), ('{"eval_results": {"acc": 1}}', 1.0),
    ('{"eval_results": {"epochs": [{"accuracy": 0.25}]}}', 0.25), ('{"eval_results": ["name", 0.75]}', 0.75),
    ('{"eval_results": {"accuracy": null}}', None), ('{"eval_results": {"accuracy": true}}', None),
    ('{"eval_results": []}', None), ("[]", None), ("damaged", None), ('{"eval_results": {"epochs": [3]}}', None),
])
def test_an_accuracy_is_read_in_every_form_that_nngpt_reads(tmp_path, content, accuracy):
    (tmp_path / "eval_info.json").write_text(content)
    assert accuracy_of(tmp_path) == accuracy


@pytest.mark.parametrize(("scores", "value"), [([1, 2, 3], 1.0), ([3, 2, 1], -1.0), ([1, 1, 1], None), ([1, 2], None)])
def test_the_rank_correlation_is_within_datasets(scores, value):
    points = [{"score": score, "accuracy": place / 10, "target": "svhn"} for place, score in enumerate(scores)]
    found = pruning.rank_correlation(points)
    assert (found and round(found["value"], 6)) == value


def test_the_report_of_such_records_is_one_page_with_candidates_by_score(tmp_path):
    record(tmp_path, "A0", 0)
    record(tmp_path, "A1", 1)
    result = report(load_config(), str(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert result["out"] == str(tmp_path / "report.html")
    assert result["says"] == [pruning.line(pruning.read_records(tmp_path))]
    assert page.index(">B0<") < page.index(">B1<") < page.index(">B4<") < page.index(">B5<")
    assert page.count("<svg") == 2
    assert "broken: no class Net" in page
    assert "On which of two datasets" not in page
