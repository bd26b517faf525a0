"""The bench times the same questions in several ways; on a tiny model its ratios say little, but they are all there."""

import json

import pytest

from nngpt_perfclf.cli import main

RATIOS = ("pairs_vs_single", "speedup_vs_reference", "speedup_vs_one_by_one", "prefill_fraction_of_peak",
          "labels_per_second_vs_trl", "peak_gflops", "peak_memory_gb")


@pytest.fixture(scope="module")
def told(tiny_folder, tmp_path_factory):
    return tiny_folder, tmp_path_factory.mktemp("bench") / "net.py"


def test_every_ratio_is_measured_on_one_network(told, capsys):
    folder, net = told
    net.write_text("class Net:\n def __init__(self):\n  self.a = nn.Conv2d(3, 8, 3)\n"
                   " def forward(self, x):\n  return self.a(x)\n")
    assert main(["bench", str(net), f"model={folder}", "train.precision=float32", "evaluate.new_tokens=4",
                 "threads=1", "--json"]) == 0
    said = capsys.readouterr()
    announced, first, *_ = said.err.splitlines()
    assert announced.startswith("bench takes about ")
    assert first == "scoring 42 questions", "nothing is timed before"
    result = json.loads(said.out)
    assert all(result[name] > 0 for name in RATIOS)
    assert result["precision"] == "float32"
    assert result["instruction_set"]
    timed = {row["what"]: row for row in result["timed"]}
    assert timed["all pairs, both orders"]["questions"] == 42
    together, single = timed["all pairs, both orders"]["seconds"], timed["one question"]["seconds"]
    assert result["pairs_vs_single"] == pytest.approx(together / single)
    assert together < timed["the same one by one"]["seconds"]


def test_a_network_that_cannot_be_read_is_one_clear_line(told, capsys, tmp_path):
    assert main(["bench", str(tmp_path / "none.py"), f"model={told[0]}"]) == 1
    assert "cannot read" in capsys.readouterr().err
