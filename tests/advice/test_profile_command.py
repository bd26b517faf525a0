import json

import pytest
from profiled_networks import network

from nngpt_perfclf.cli import main


@pytest.fixture
def profile(tmp_path, monkeypatch, capsys):
    """What the verb prints; files' names are relative to `tmp_path`."""
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(network())
    (tmp_path / "broken.py").write_text(network(forward="return self.head(x)"))
    (tmp_path / "more.jsonl").write_text(json.dumps({"net": "net.py", "recipe": {"lr": 0.5, "transform": "norm_64"}}))

    def run(*words):
        status = main(["profile", *words])
        return status, *capsys.readouterr()
    return run


def test_json_tells_everything_and_the_table_what_fits(profile):
    words = ("net.py", "broken.py", "more.jsonl", "--dataset", "cifar-10", "recipe.lr=0.1", "recipe.dropout=0.4")
    status, said, _ = profile(*words, "--json")
    told = json.loads(said)
    net, broken, other = told["rows"]
    assert (status, told["target"]) == (0, "cifar-10")
    assert (net["name"], net["status"], net["parameters"], net["setup"]["lr"]) == ("net.py", "built", 330, 0.1)
    assert (net["dropouts"], net["layers"][0]["shape"]) == ([0.4], [8, 32, 32])
    assert (broken["status"], broken["stage"]) == ("failed", "forward")
    assert (other["shapes"]["size"], other["setup"]["lr"], other["macs"]) == (64, 0.5, 64 * 64 * 8 * 27 + 80)

    status, table, _ = profile(*words)
    assert status == 0
    assert "3×32×32" in table
    assert "RuntimeError" in table
    assert "layers.0" not in table


@pytest.mark.parametrize(("words", "error"), [
    ((), "name the networks and the dataset, as in: profile net.py --dataset cifar-10"),
    (("net.py",), "name the networks and the dataset"), (("--dataset", "svhn"), "name the networks and the dataset"),
    (("net.py", "--dataset", "cifar"), "unknown dataset 'cifar'"),
    (("gone.py", "--dataset", "svhn"), "no file gone.py"),
    (("net.py", "--corpus"), "--corpus profiles LEMUR's networks"),
    (("net.py", "--dataset", "svhn", "--out", "x"), "--out and --sample belong to --corpus"),
    (("--corpus", "--sample", "many"), "--sample takes a number of networks, not 'many'"),
    (("net.py", "--dataset", "svhn", "recipe.lr=-1"), "learning rate must be a positive number"),
])
def test_what_is_wrong_is_said_in_one_line(profile, words, error):
    status, said, wrong = profile(*words)
    assert (status, said) == (1, "")
    assert error in wrong
    assert wrong.count("\n") == 1
