"""The record of a loop: read as it was written, never mixed with another loop's."""

import sqlite3
from contextlib import closing

import pytest
from loop_world import NETWORK, make_candidates, play, score_for

from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.run_database import FILE, Decision, RunDatabase, Scored, run_folder
from nngpt_perfclf.types import Outcome, PerfclfError


def test_everything_is_read_as_it_was_written(tmp_path):
    candidates = make_candidates(4)
    scored = dict(zip(candidates, [
        Scored(score_for(candidates[0]), 0.25, "made up"),
        Scored(score_for(candidates[1], decided=False), 0.5, "made up"),
        Scored(None, 0.125, "no opinion"), Scored(None, 0.0, "no class Net", broken=True)], strict=True))
    decisions = [Decision("net-0", True, 0.5, ""), Decision("net-1", False, None, "broken: no class Net")]
    outcome = Outcome("net-0", "svhn", 0.5, 12.5)
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        runs.add_candidates("svhn", 0, candidates)
        runs.add_scores("somebody", "svhn", scored)
        runs.add_decisions("search", 0, decisions)
        runs.add_outcome(candidates[0], outcome)
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        assert runs.candidates("svhn", 0) == candidates
        assert runs.scores("somebody", "svhn", candidates) == scored
        assert runs.scores("somebody else", "svhn", candidates) == runs.scores("somebody", "mnist", candidates) == {}
        assert runs.decisions("search", 0) == decisions
        assert runs.outcome("svhn", candidates[0]) == outcome
        assert runs.outcome("mnist", candidates[0]) is None
        assert runs.outcome("svhn", candidates[1]) is None


def test_the_same_event_twice_is_an_error(tmp_path):
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        runs.add_outcome(make_candidates(1)[0], Outcome("net-0", "svhn", 0.5, 1.0))
        with pytest.raises(sqlite3.IntegrityError):
            runs.add_outcome(make_candidates(1)[0], Outcome("net-0", "svhn", 0.5, 1.0))


def test_successful_outcomes_are_trials_and_failed_ones_are_not(tmp_path):
    candidates = make_candidates(2)
    with RunDatabase(tmp_path / FILE, load_config(None, ["loop=local"])) as runs:
        runs.add_outcome(candidates[0], Outcome("net-0", "svhn", 0.25, 2.0))
        runs.add_outcome(candidates[1], Outcome("net-1", "svhn", None, 3.0, "out of memory"))
    columns = "task, dataset, metric, nn, epoch, accuracy, duration, lr, batch, code"
    rows = sqlite3.connect(tmp_path / FILE).execute(f"SELECT {columns} FROM trial").fetchall()
    assert rows == [("img-classification", "svhn", "acc", "net-0", 1, 0.25, 2.0, 0.01, None, NETWORK.format(width=0))]


def test_another_configuration_does_not_write_into_the_same_database(tmp_path):
    play(tmp_path)
    with pytest.raises(PerfclfError, match="another configuration"):
        RunDatabase(tmp_path / FILE, load_config(None, ["loop=local", "seed=1"]))


def test_a_later_command_may_try_more_on_the_same_candidates(tmp_path):
    for words in ([], ["loop.advisers=[prior,pairwise]", "loop.policies=[nop]", "loop.keep=[0.1]", "loop.resamples=9",
                       "train.labels_count=7"]):
        config = load_config(None, ["loop=replay", "loop.advisers=[prior]", *words])
        with RunDatabase(tmp_path / FILE, config) as runs:
            runs.finish()


def test_what_another_version_wrote_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE)) as old, old:
        old.execute("CREATE TABLE run (id INTEGER, fingerprint TEXT)")
    with pytest.raises(PerfclfError, match="another version wrote it"):
        RunDatabase(tmp_path / FILE, load_config())


def test_the_same_command_finds_its_unfinished_run_and_starts_anew_after_a_finished_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["loop=local"])
    folder = run_folder(config)
    with RunDatabase(folder / FILE, config) as runs:
        assert run_folder(config) == folder
        assert run_folder(load_config(None, ["loop=local", "seed=1"])) != folder
        runs.finish()
    with pytest.raises(PerfclfError, match="nothing to resume"):
        run_folder(load_config(None, ["loop=local", "resume=true"]))


def test_resuming_from_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(PerfclfError, match="nothing to resume: no loop"):
        run_folder(load_config(None, ["resume=true", f"out={tmp_path}"]))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    (tmp_path / FILE).write_text("precious notes, and long enough not to look like an empty file " * 10)
    with pytest.raises(PerfclfError, match="not a run database"):
        RunDatabase(tmp_path / FILE, load_config())
    assert (tmp_path / FILE).read_text().startswith("precious notes")
