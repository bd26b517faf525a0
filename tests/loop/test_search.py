"""Nothing is asked or trained twice, wherever the process dies."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from loop_world import play

from nngpt_perfclf.advice.loading import SHIPPED
from nngpt_perfclf.config import load_config
from nngpt_perfclf.loop.asking import key_of
from nngpt_perfclf.loop.run_database import FILE, Answered, RunDatabase, run_folder
from nngpt_perfclf.types import Advice, PerfclfError, Question

TESTS = Path(__file__).parents[1]
LOOP = textwrap.dedent("""
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])
    from loop_world import play
    play(Path(sys.argv[1]), None if sys.argv[2] == "-" else int(sys.argv[2]))
""")


def start(folder: Path, die_at: int | None = None) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    where = "-" if die_at is None else str(die_at)
    return subprocess.Popen([sys.executable, "-c", LOOP, folder, where, TESTS])


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, play(folder)


@pytest.mark.parametrize("calls_before_death", [5, 8, 17])
def test_dying_again_and_again_changes_nothing_and_repeats_nothing(calls_before_death, tmp_path, undisturbed):
    statuses = []
    while 0 not in statuses:
        statuses.append(start(tmp_path, die_at=calls_before_death).wait())
    assert set(statuses) == {0, -signal.SIGKILL}
    folder, generations = undisturbed
    for one, again in zip(generations, play(tmp_path), strict=True):
        assert (one.candidates, one.decisions, one.outcomes) == (again.candidates, again.decisions, again.outcomes)
    once = Counter(line for line in calls(tmp_path) if line.startswith(("train ", "propose ")))
    assert once == Counter(line for line in calls(folder) if line.startswith(("train ", "propose ")))
    assert set(Counter((tmp_path / "calls.questions").read_text().splitlines()).values()) == {1}


def test_kills_at_random_moments_cost_at_most_the_call_they_hit(tmp_path, undisturbed):
    rng, kills = random.Random(0), 0
    for _ in range(6):
        process = start(tmp_path)
        try:
            process.wait(rng.uniform(0.3, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert [one.outcomes for one in play(tmp_path)] == [one.outcomes for one in undisturbed[1]]
    trained = Counter(line for line in calls(tmp_path) if line.startswith("train "))
    assert sum(trained.values()) <= len(trained) + kills


def test_a_finished_loop_does_nothing_when_it_is_run_again(tmp_path):
    play(tmp_path)
    before = calls(tmp_path)
    play(tmp_path)
    assert calls(tmp_path) == before


def test_the_second_round_does_not_train_again_what_the_first_trained(tmp_path):
    first, second = play(tmp_path)
    assert first.outcomes == second.outcomes
    assert len([line for line in calls(tmp_path) if line.startswith("train ")]) == len(first.outcomes) == 5


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


def test_an_adviser_of_the_same_name_that_learned_anew_is_asked_again(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(SHIPPED / "pairwise", run)
    stack = tmp_path / "stack"
    stack.mkdir()
    (stack / "stack.json").write_text('{"normalized": {"prior": 0.5, "../run": 0.5}}')
    config = load_config()
    before = [key_of(config, str(folder)) for folder in (run, stack)]
    assert before == [key_of(config, str(folder)) for folder in (run, stack)]
    (run / "normalized.txt.gz").write_bytes((run / "rank.txt.gz").read_bytes())
    assert all(key_of(config, str(folder)) != old for folder, old in zip((run, stack), before, strict=True))
    assert key_of(config, "prior") != key_of(load_config(None, ["label=rank"]), "prior")
    assert key_of(config, "nobody") == "nobody"


def test_what_another_version_wrote_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE)) as old, old:
        old.execute("CREATE TABLE run (id INTEGER, fingerprint TEXT)")
    with pytest.raises(PerfclfError, match="written by another version"):
        RunDatabase(tmp_path / FILE, load_config())


def test_an_answer_is_read_as_it_was_written(tmp_path):
    question, told = Question("code", "mnist", "svhn"), Advice("svhn", 0.75, 0.5, True, "why", (1.5, 0.4))
    with RunDatabase(tmp_path / FILE, load_config()) as runs:
        runs.add_answers("somebody", {question: Answered(told, 0.25, "why")})
        assert runs.answers("somebody", [question]) == {question: Answered(told, 0.25, "why")}
        assert runs.answers("somebody else", [question]) == {}


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
