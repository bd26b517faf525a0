"""What pruning moves, and that nothing of it is ever lost."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from loop_world import Scoring, score_for
from made_profiles import FAILING, failing_networks_are_found
from nngpt_stubs import JUNK, NETWORK
from nngpt_world import evaluate, make_candidate

from nngpt_perfclf.config import conf_folder, load_config
from nngpt_perfclf.loop import asking
from nngpt_perfclf.loop.run_database import Scored
from nngpt_perfclf.nngpt import prune as prune_module
from nngpt_perfclf.nngpt.prune import prune, undo
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.profiling.contract import fault_of
from nngpt_perfclf.types import PerfclfError


def by_width(candidates, target):
    """As the loop asks: junk is broken, and the wider the better."""
    return [Scored(None, 0.0, fault, broken=True) if (fault := fault_of(candidate.arch_code)) else
            Scored(score_for(candidate, value=float(candidate.arch_code.split("width = ")[1].split()[0]),
                             percentile=0.5), 0.01) for candidate in candidates]


@pytest.fixture
def config():
    return load_config(conf_folder() / "nngpt.yaml")


@pytest.fixture
def epoch(tmp_path):
    """B0 to B3 for svhn, the later the wider."""
    for place in range(4):
        make_candidate(tmp_path / "llm" / "epoch" / "A0" / "synth_nn" / f"B{place}", NETWORK.format(width=place))
    return tmp_path / "llm" / "epoch" / "A0"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def standing(side: Path) -> list[str]:
    return sorted(path.name for path in side.iterdir()) if side.is_dir() else []


def test_what_is_pruned_moves_beside_and_undo_restores_it_exactly(epoch, config):
    before = files(epoch)
    result = prune(config, epoch, asker=by_width)
    assert standing(epoch / "synth_nn") == ["B2", "B3"]
    assert standing(epoch / "pruned_nn") == ["B0", "B1"]
    assert (result["asked"], result["kept"], result["pruned"], result["moved"]) == (4, 2, 2, 2)
    assert {path.split("/", 1)[1] for path in files(epoch)} == {path.split("/", 1)[1] for path in before}
    assert undo(epoch) == {"epoch": str(epoch), "dry_run": False, "restored": ["B0", "B1"], "blocked": []}
    assert files(epoch) == before
    assert not (epoch / "pruned_nn").exists()


def test_the_record_says_what_was_pruned_and_why_outside_of_what_nngpt_empties(epoch, config, tmp_path):
    record = Path(prune(config, epoch / "synth_nn", asker=by_width)["record"])
    assert record.parent == tmp_path / "llm" / "perfclf"
    rows = json.loads(record.read_text())["candidates"]
    assert [(row["candidate"], row["decision"], row["score"]) for row in rows] == [
        ("B0", "pruned", 0.0), ("B1", "pruned", 1.0), ("B2", "kept", 2.0), ("B3", "kept", 3.0)]
    assert rows[0]["reason"] == "score 0.000 is number 4 of 4, the best is 3.000; 2 of 4 kept (keep 0.5)"


def test_records_of_one_second_do_not_overwrite_each_other(epoch, config):
    paths = {prune(config, epoch, asker=by_width)["record"] for _ in range(3)}
    assert len(paths) == 3


def test_a_network_that_fails_when_it_is_built_is_pruned_as_broken_and_says_why(epoch, config, monkeypatch):
    make_candidate(epoch / "synth_nn" / "B4", FAILING)
    failing_networks_are_found(monkeypatch)
    monkeypatch.setattr(prune_module, "manager_of", lambda *args: get_plugin_manager(Scoring(), installed=False))
    rows = {row["candidate"]: row for row in prune(config, epoch)["candidates"]}
    assert (rows["B4"]["decision"], rows["B4"]["broken"]) == ("pruned", True)
    assert rows["B4"]["reason"] == "broken: forward: RuntimeError: shapes do not fit"
    assert not any(row["broken"] for name, row in rows.items() if name != "B4")


def test_a_dry_run_says_the_same_and_moves_and_writes_nothing(epoch, config, tmp_path):
    before = files(tmp_path)
    said = prune(config, epoch, dry_run=True, asker=by_width)
    assert files(tmp_path) == before
    done = prune(config, epoch, asker=by_width)
    assert said["candidates"] == done["candidates"]
    assert undo(epoch, dry_run=True)["restored"] == ["B0", "B1"]
    assert standing(epoch / "pruned_nn") == ["B0", "B1"]


def test_a_command_that_was_stopped_half_way_can_be_repeated(epoch, config, monkeypatch):
    moves = []

    def rename(path, target):
        if moves:
            raise KeyboardInterrupt
        moves.append(path.name)
        os.rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            prune(config, epoch, asker=by_width)
    assert standing(epoch / "pruned_nn") == ["B0"]
    assert prune(config, epoch, asker=by_width)["moved"] == 1
    assert standing(epoch / "pruned_nn") == ["B0", "B1"]
    assert prune(config, epoch, asker=by_width)["moved"] == 0
    assert standing(epoch / "synth_nn") == ["B2", "B3"]


def test_fifty_kills_during_prune_and_undo_lose_and_duplicate_nothing(epoch, config):
    contents = {path.name: files(path) for path in (epoch / "synth_nn").iterdir()}
    fork = multiprocessing.get_context("fork")

    def forever(begun):
        begun.set()
        while True:
            prune(config, epoch, asker=by_width)
            undo(epoch)

    for number in range(50):
        begun = fork.Event()
        worker = fork.Process(target=forever, args=(begun,), daemon=True)
        worker.start()
        begun.wait()
        time.sleep(0.003 + (number * 7 % 50) / 1000)
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        found = [path for side in ("synth_nn", "pruned_nn") if (epoch / side).is_dir()
                 for path in (epoch / side).iterdir()]
        assert sorted(path.name for path in found) == sorted(contents)
        assert {path.name: files(path) for path in found} == contents
    assert undo(epoch)["blocked"] == []
    assert prune(config, epoch, asker=by_width)["moved"] == 2
    for record in (epoch.parent.parent / "perfclf").glob("*.json"):
        json.loads(record.read_text())


def test_a_name_on_both_sides_blocks_only_that_candidate(epoch, config):
    prune(config, epoch, asker=by_width)
    make_candidate(epoch / "synth_nn" / "B0", NETWORK.format(width=9))
    make_candidate(epoch / "synth_nn" / "B4", NETWORK.format(width=0))
    rows = {(row["candidate"], row["decision"]) for row in prune(config, epoch, asker=by_width)["candidates"]}
    assert rows == {("B0", "left"), ("B1", "pruned"), ("B2", "kept"), ("B3", "kept"), ("B4", "pruned")}
    assert undo(epoch)["blocked"] == ["B0"]
    assert standing(epoch / "synth_nn") == ["B0", "B1", "B2", "B3", "B4"]
    assert standing(epoch / "pruned_nn") == ["B0"]
    assert "width = 0" in (epoch / "pruned_nn" / "B0" / "new_nn.py").read_text()


def test_what_nngpt_has_evaluated_stays_and_counts_and_what_failed_is_judged_again(epoch, config):
    prune(config, epoch, asker=by_width)
    evaluate(epoch / "synth_nn" / "B3", 0.5)
    evaluate(epoch / "synth_nn" / "B2", None)
    result = prune(config, epoch, asker=by_width)
    assert [(row["candidate"], row["decision"]) for row in result["candidates"]] == [
        ("B0", "pruned"), ("B1", "pruned"), ("B2", "kept"), ("B3", "left")]
    assert result["candidates"][3]["reason"] == "evaluated already"
    assert result["moved"] == 0


def test_an_evaluated_candidate_is_never_moved(epoch, config):
    evaluate(epoch / "synth_nn" / "B0", 0.1)
    assert prune(config, epoch, asker=by_width)["moved"] == 1
    assert standing(epoch / "pruned_nn") == ["B1"]


def test_no_broken_candidate_is_kept_over_a_working_one_in_a_folder_of_junk(epoch, config):
    for place in range(4, 12):
        make_candidate(epoch / "synth_nn" / f"B{place}", JUNK)
    result = prune(config, epoch, asker=by_width)
    assert standing(epoch / "synth_nn") == ["B2", "B3"]
    assert (result["pruned"], result["broken"]) == (10, 8)


def test_a_folder_of_nothing_but_junk_is_emptied(tmp_path, config):
    for place in range(3):
        make_candidate(tmp_path / "A0" / "synth_nn" / f"B{place}", JUNK)
    assert prune(config, tmp_path / "A0", asker=by_width)["broken"] == 3
    assert standing(tmp_path / "A0" / "synth_nn") == []


def test_a_messy_folder_keeps_working_candidates_and_no_broken_one(epoch, config):
    synth = epoch / "synth_nn"
    messy = {"bytes": b"\xff\xfe", "empty": b"", "cut": NETWORK[:90].encode(), "nul": b"x = '\0'\n",
             "no train_setup": NETWORK.format(width=99).replace("train_setup", "setup").encode(),
             "deep": b"(" * 5000 + b")" * 5000}
    for name, content in messy.items():
        folder = make_candidate(synth / name, "")
        (folder / "new_nn.py").write_bytes(content)
    make_candidate(synth / "list", NETWORK.format(width=99), hp="[1]")
    (make_candidate(synth / "hostile", JUNK) / "dataframe.df").write_bytes(b"cos\nsystem\n(S'touch trace'\ntR.")
    make_candidate(synth / "unheard-of", NETWORK.format(width=99), dataset="unheard-of")
    (synth / "no code").mkdir()
    (synth / "stray.txt").write_text("a file")
    result = prune(config, epoch, asker=by_width)
    assert standing(synth) == ["B2", "B3", "no code", "stray.txt", "unheard-of"]
    reasons = {row["candidate"]: row["reason"] for row in result["candidates"]}
    assert all(reasons[name].startswith("broken: ") for name in (*messy, "list", "hostile"))
    assert reasons["unheard-of"].startswith("unknown dataset unheard-of")
    assert (result["broken"], result["left"], result["kept"]) == (8, 2, 2)


@pytest.fixture
def asked(monkeypatch):
    def asked(score):
        class Scoring:
            def score(self, candidates, target):
                return [score(candidate) for candidate in candidates]

        monkeypatch.setattr("nngpt_perfclf.nngpt.prune.manager_of", lambda config, adviser: get_plugin_manager(
            asking.ScorerPlugin(Scoring()), installed=False))
    return asked


def test_without_an_opinion_nothing_moves(epoch, config, asked):
    asked(lambda candidate: None)
    result = prune(config, epoch)
    assert (result["kept"], result["moved"]) == (4, 0)
    assert {row["reason"] for row in result["candidates"]} == {"the adviser has no opinion"}
    assert not (epoch / "pruned_nn").exists()


def test_the_configured_scorer_is_asked_for_each_candidates_own_dataset(epoch, config, asked):
    asked(lambda candidate: score_for(candidate, value=-float(candidate.name[1:])))
    assert prune(config, epoch)["moved"] == 2
    assert standing(epoch / "synth_nn") == ["B0", "B1"]


def test_a_share_that_is_given_stands_for_the_configured_one(epoch, config):
    assert prune(config, epoch, keep=0.25, asker=by_width)["kept"] == 1


def test_answers_of_the_classification_task_are_not_touched_and_nothing_is_recorded(tmp_path, config):
    for place in range(2):
        folder = tmp_path / "A0" / "synth_nn" / f"B{place}"
        folder.mkdir(parents=True)
        (folder / "full_output.txt").write_text("svhn")
    before = files(tmp_path)
    result = prune(config, tmp_path / "A0", asker=by_width)
    assert (result["left"], result["moved"], "record" in result) == (2, 0, False)
    assert files(tmp_path) == before


def test_an_unknown_target_is_named(epoch, config):
    with pytest.raises(PerfclfError, match="--target cifar is no known dataset"):
        prune(config, epoch, "cifar", asker=by_width)
