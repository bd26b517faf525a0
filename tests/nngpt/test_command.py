"""`nngpt-perfclf nngpt …` on the command line."""

import json

import pytest
from nngpt_stubs import NETWORK
from nngpt_world import make_candidate

from nngpt_perfclf import cli


@pytest.fixture
def epoch(tmp_path):
    for place in range(4):
        make_candidate(tmp_path / "epoch" / "A0" / "synth_nn" / f"B{place}", NETWORK.format(width=place),
                       prm={"lr": 10.0 ** -place})
    return tmp_path / "epoch" / "A0"


def standing(epoch):
    return sorted(path.name for path in (epoch / "synth_nn").iterdir())


def test_prune_keeps_the_share_that_the_default_scorer_ranks_first_and_undo_takes_it_back(epoch, capsys):
    assert cli.main(["nngpt", "prune", str(epoch), "--target", "svhn", "--keep", "0.5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["asked"], told["moved"]) == (4, told["pruned"])
    decided = [row for row in told["candidates"] if not row["reason"].startswith("undecided")]
    scores = {decision: [row["score"] for row in decided if row["decision"] == decision]
              for decision in ("kept", "pruned")}
    assert max(scores["pruned"]) < min(scores["kept"])
    assert standing(epoch) == [row["candidate"] for row in told["candidates"] if row["decision"] == "kept"]
    assert cli.main(["nngpt", "undo", str(epoch)]) == 0
    assert standing(epoch) == ["B0", "B1", "B2", "B3"]


def test_a_dry_run_shows_the_table_and_moves_nothing(epoch, capsys):
    assert cli.main(["nngpt", "prune", str(epoch), "--dry-run"]) == 0
    assert "B3" in capsys.readouterr().out
    assert standing(epoch) == ["B0", "B1", "B2", "B3"]


@pytest.mark.parametrize(("words", "line"), [
    (["prune", "{}/nowhere"], "no synth_nn in"), (["burn", "{}"], "say prune, undo, enable or disable"),
    (["prune", "{}", "--target", "cifar"], "no known dataset"),
    (["prune", "{}", "--keep", "0"], "--keep 0"), (["prune", "{}", "--keep", "half"], "--keep half"),
    (["undo", "{}", "--keep", "0.5"], "takes no --target, --keep"), (["enable", "{}", "--dry-run"], "or --dry-run"),
    (["disable", "{}"], "is not enabled"),
])
def test_a_wrong_command_gets_one_clear_line(epoch, capsys, words, line):
    assert cli.main(["nngpt", *(word.format(epoch) for word in words)]) == 1
    assert line in capsys.readouterr().err
