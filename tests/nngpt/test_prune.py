import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from loop_world import Scoring, score_for
from nngpt_world import first_goes

from nngpt_perfclf import cli
from nngpt_perfclf.config import conf_folder, home, load_config
from nngpt_perfclf.loop import asking
from nngpt_perfclf.nngpt import folders
from nngpt_perfclf.nngpt.prune import prune, undo
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.types import PerfclfError, Recipe

NNGPT = home() / "nn-gpt-1.0.6"
WORLD = Path(__file__).parents[1] / "nngpt_world.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four generations by NNGPT's own code, and in `told.json` what its evaluation would train of each."""
    assert NNGPT.is_dir(), f"no {NNGPT}: `make setup` unpacks it"
    root = tmp_path_factory.mktemp("nngpt")
    done = subprocess.run([sys.executable, str(WORLD), str(NNGPT), str(root)], cwd=root, capture_output=True, text=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}, timeout=300)
    assert done.returncode == 0, done.stderr
    (root / "log").write_text(done.stderr)
    return root


@pytest.fixture
def epoch(run, tmp_path):
    """A copy of what NNGPT left: B0 to B2 for cifar-10, B3 for svhn."""
    shutil.copytree(run / "plain" / "epoch", tmp_path / "llm" / "epoch")
    return tmp_path / "llm" / "epoch" / "A0"


@pytest.fixture
def config():
    return load_config(conf_folder() / "nngpt.yaml")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def standing(side: Path) -> list[str]:
    return sorted(path.name for path in side.iterdir()) if side.is_dir() else []


def test_nngpts_evaluation_trains_what_was_kept_and_only_that(run):
    told = json.loads((run / "told.json").read_text())
    assert sorted(told["plain"]) == ["B0", "B1", "B2", "B3"]
    assert sorted(told["wrapped"]) == ["B1", "B2"]
    assert standing(run / "wrapped" / "epoch" / "A0" / "pruned_nn") == ["B0", "B3"]


def test_a_failure_of_the_wrapper_never_stops_nngpt(run):
    told = json.loads((run / "told.json").read_text())
    assert sorted(told["failing"]) == ["B0", "B1", "B2", "B3"]
    assert "the adviser is ill" in (run / "log").read_text()


def test_candidates_are_asked_about_as_nngpt_would_train_them(run, epoch):
    told = json.loads((run / "told.json").read_text())["plain"]
    for folder in folders.open_epoch(epoch).folders():
        found = folders.read_folder(folder, None)
        prm = told[folder.name]["prm"]
        assert found.target == told[folder.name]["dataset"]
        assert found.candidate.recipe == Recipe(prm["lr"], prm["momentum"], prm["batch"], prm["dropout"],
                                                prm["transform"])
        assert found.candidate.arch_code == (folder / "new_nn.py").read_text()


def test_answers_of_the_classification_task_are_not_touched(run, config):
    before = files(run / "answers")
    result = prune(config, run / "answers" / "epoch" / "A0", judge=first_goes)
    assert (result["left"], result["moved"]) == (4, 0)
    assert {row["reason"] for row in result["candidates"]} == {"no new_nn.py: an answer, not a network"}
    assert files(run / "answers") == before


def test_what_is_pruned_moves_beside_and_undo_restores_it_exactly(epoch, config):
    before = files(epoch)
    result = prune(config, epoch, judge=first_goes)
    assert standing(epoch / "synth_nn") == ["B1", "B2"]
    assert standing(epoch / "pruned_nn") == ["B0", "B3"]
    assert {path.split("/", 1)[1] for path in files(epoch)} == {path.split("/", 1)[1] for path in before}
    assert undo(epoch)["restored"] == ["B0", "B3"]
    assert files(epoch) == before
    assert not (epoch / "pruned_nn").exists()
    assert result["moved"] == 2


def test_the_record_tells_what_was_pruned_and_why_outside_of_what_nngpt_empties(epoch, config, tmp_path):
    record = Path(prune(config, epoch / "synth_nn", judge=first_goes)["record"])
    assert record.parent == tmp_path / "llm" / "perfclf"
    rows = json.loads(record.read_text())["candidates"]
    assert [(row["candidate"], row["decision"], row["reason"]) for row in rows] == [
        ("B0", "pruned", "the least promising"), ("B1", "kept", ""), ("B2", "kept", ""),
        ("B3", "pruned", "the least promising")]


def test_a_dry_run_says_the_same_and_moves_nothing(epoch, config, tmp_path):
    before = files(tmp_path)
    said = prune(config, epoch, dry_run=True, judge=first_goes)
    assert files(tmp_path) == before
    done = prune(config, epoch, judge=first_goes)
    assert said["candidates"] == done["candidates"]


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
            prune(config, epoch, judge=first_goes)
    assert standing(epoch / "pruned_nn") == ["B0"]
    assert prune(config, epoch, judge=first_goes)["moved"] == 1
    assert standing(epoch / "pruned_nn") == ["B0", "B3"]
    assert prune(config, epoch, judge=first_goes)["moved"] == 0
    assert standing(epoch / "synth_nn") == ["B1", "B2"]


def test_a_name_on_both_sides_is_a_clear_error_and_nothing_moves(epoch, config):
    prune(config, epoch, judge=first_goes)
    (epoch / "synth_nn" / "B0").mkdir()
    before = files(epoch)
    for action in (lambda: prune(config, epoch, judge=first_goes), lambda: undo(epoch)):
        with pytest.raises(PerfclfError, match="B0 stands in"):
            action()
    assert files(epoch) == before


@pytest.mark.parametrize("result", folders.RESULTS)
def test_what_nngpt_has_evaluated_is_left_alone(epoch, config, result):
    (epoch / "synth_nn" / "B0" / result).write_text("{}")
    rows = prune(config, epoch, judge=first_goes)["candidates"]
    assert rows[0]["decision"] == "left"
    assert result in rows[0]["reason"]
    assert (epoch / "synth_nn" / "B0").is_dir()


def test_a_hostile_or_broken_folder_is_kept_and_named(epoch, config):
    synth = epoch / "synth_nn"
    (synth / "B0" / "dataframe.df").write_bytes(b"cos\nsystem\n(S'touch trace'\ntR.")
    (synth / "B1" / "new_nn.py").write_bytes(b"\xff\xfe")
    (synth / "B2" / "new_nn.py").unlink()
    (synth / "B3" / "hp.txt").write_text("[1]")
    rows = prune(config, epoch, judge=first_goes)["candidates"]
    assert [row["decision"] for row in rows] == ["left"] * 4
    assert "refused: it names os.system" in rows[0]["reason"]
    assert standing(synth) == ["B0", "B1", "B2", "B3"]


def test_without_hyperparameters_the_defaults_of_nngpts_evaluation_are_meant(tmp_path):
    (tmp_path / "new_nn.py").write_text("class Net: pass")
    for content in (None, "", "{}", "no json"):
        if content is not None:
            (tmp_path / "hp.txt").write_text(content)
        found = folders.read_folder(tmp_path, "cifar-10")
        assert found.candidate.recipe == Recipe(0.01, 0.9, 64, 0.2, "norm_256_flip")
    (tmp_path / "hp.txt").write_text('{"lr": "0.5", "momentum": "much", "batch": true, "dropout": NaN}')
    recipe = folders.read_folder(tmp_path, "svhn").candidate.recipe
    assert recipe == Recipe(lr=0.5, transform="norm_256_flip")
    assert folders.read_folder(tmp_path, None).left.endswith("give --target")


@pytest.fixture
def advised(monkeypatch):
    def advised(score=score_for):
        monkeypatch.setattr(asking, "manager_of",
                            lambda config, adviser: get_plugin_manager(Scoring(score), installed=False))
    return advised


def test_the_command_line_keeps_the_more_promising_share(epoch, advised, capsys):
    advised()
    assert cli.main(["nngpt", "prune", str(epoch), "--target", "svhn", "--keep", "0.5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kept"], told["pruned"], told["moved"]) == (2, 2, 2)
    assert standing(epoch / "synth_nn") == ["B2", "B3"]  # the higher the learning rate, the better, in this world
    assert cli.main(["nngpt", "undo", str(epoch)]) == 0
    assert standing(epoch / "synth_nn") == ["B0", "B1", "B2", "B3"]


def test_without_advice_nothing_moves(epoch, advised, config):
    advised(lambda candidate: None)
    result = prune(config, epoch)
    assert (result["kept"], result["moved"]) == (4, 0)
    assert {row["reason"] for row in result["candidates"]} == {"no opinion"}
    assert not (epoch / "pruned_nn").exists()


@pytest.mark.parametrize(("words", "line"), [
    (["prune", "{}/nowhere"], "no synth_nn in"), (["burn", "{}"], "say prune, undo or enable"),
    (["prune", "{}", "--target", "cifar"], "no known dataset"),
    (["prune", "{}", "--keep", "0"], "--keep 0"), (["prune", "{}", "--keep", "half"], "--keep half"),
    (["undo", "{}", "--keep", "0.5"], "takes no --target, --keep"), (["enable", "{}", "--dry-run"], "or --dry-run"),
])
def test_a_wrong_command_gets_one_clear_line(epoch, capsys, words, line):
    assert cli.main(["nngpt", *(word.format(epoch) for word in words)]) == 1
    assert line in capsys.readouterr().err


def test_where_nngpt_is_not_installed_the_wrapper_says_so_and_imports_nothing(tmp_path):
    """Importing LEMUR's package in order to look would start to fill a database in the working directory."""
    code = ("import sys; from nngpt_perfclf.nngpt import wrap\ntry: wrap()\n"
            "except Exception as error: print(error, 'ab' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("NNGPT is not importable here")
    assert done.stdout.endswith("False\n")
    assert list(tmp_path.iterdir()) == []
