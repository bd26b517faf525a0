"""The commands of docs/nngpt.md do what they say. Those with NNGPT's own code are run in `test_released`, and the
evaluation's hook in `test_evaluating`."""

import re
import shlex
from pathlib import Path

import pytest
from nngpt_stubs import NETWORK
from nngpt_world import evaluate, make_candidate

from nngpt_perfclf import cli
from nngpt_perfclf.nngpt.preset import COMPARE, SHORT

GUIDE = (Path(__file__).parents[2] / "docs" / "nngpt.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS
            for line in block.replace("\\\n", " ").splitlines() if line.startswith("nngpt-perfclf ")]
EPOCH = Path("out/nngpt/llm/epoch/A0")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in range(4):
        make_candidate(tmp_path / EPOCH / "synth_nn" / f"B{place}", NETWORK.format(width=place),
                       prm={"lr": 10.0 ** -place})
    return tmp_path


def test_pruning_by_hand_and_the_page_afterwards(root, capsys):
    by_hand = [words[1:] for words in COMMANDS if words[1:3] in (["nngpt", "prune"], ["nngpt", "undo"])]
    assert [words[1] for words in by_hand] == ["prune", "prune", "undo"]
    dry, real, undo = by_hand
    assert cli.main(dry) == 0
    assert not (root / EPOCH / "pruned_nn").exists()
    assert cli.main(real) == 0
    assert any((root / EPOCH / "pruned_nn").iterdir())
    for folder in (root / EPOCH / "synth_nn").iterdir():
        evaluate(folder, 0.5)
    assert cli.main(undo) == 0
    assert len(list((root / EPOCH / "synth_nn").iterdir())) == 4
    assert cli.main(["report", "out/nngpt/llm/perfclf"]) == 0
    assert "50.0" in (root / "out/nngpt/llm/perfclf/report.html").read_text()


def test_every_action_of_the_verb_is_in_the_guide():
    assert {words[2] for words in COMMANDS if words[1] == "nngpt"} == {"enable", "prune", "undo", "disable"}


def test_the_short_run_of_the_comparison_is_what_the_guide_says():
    assert (SHORT["cycles"], SHORT["max_prompts"]) == (1, 3)
    assert set(SHORT) - set(COMPARE) == {"num_train_epochs", "cycles", "use_agents"}
