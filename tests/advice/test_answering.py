import json

import pytest

from nngpt_perfclf.advice.answering import answer_all
from nngpt_perfclf.advice.baselines import PriorAdviser
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.cli import main
from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import PerfclfError

NET = "class Net: pass"
ASKED = {"arch_code": NET, "ds_a": "mnist", "ds_b": "svhn", "recipe_a": {"lr": 0.01, "batch": 64}}
BAD = {
    "not JSON": "{not json",
    "an array": "[1, 2]",
    "no code": json.dumps({**ASKED, "arch_code": " "}),
    "no dataset": json.dumps({"arch_code": NET, "ds_a": "mnist"}),
    "the same dataset": json.dumps({**ASKED, "ds_b": "mnist"}),
    "an unknown dataset": json.dumps({**ASKED, "ds_b": "minst"}),
    "an unknown field": json.dumps({**ASKED, "recipe_c": {}}),
    "a recipe of words": json.dumps({**ASKED, "recipe_a": {"lr": "high"}}),
    "a negative rate": json.dumps({**ASKED, "recipe_a": {"lr": -1.0}}),
    "a rate that is no number": json.dumps({**ASKED, "recipe_a": {"lr": float("nan")}}),
    "an epoch that is none": json.dumps({**ASKED, "epoch": 0}),
    "a missing file": json.dumps({"net": "none.py", "ds_a": "mnist", "ds_b": "svhn"}),
    "half a character": json.dumps({**ASKED, "arch_code": NET + "#\ud800"}),
    "bytes that are no text": "\udcff\udcfe",
    "deep JSON": "[" * 100_000,
}


@pytest.fixture
def adviser():
    return PriorAdviser("prior", PairPrior({("mnist", "svhn"): 8, ("svhn", "mnist"): 1}), dataset_properties())


def write(file, *lines):
    file.write_bytes(b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in lines))
    return file


def entries(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_answers_stand_in_order_beside_the_file(tmp_path, adviser):
    (tmp_path / "net.py").write_text(NET)
    by_path = {"net": "net.py", "ds_a": "svhn", "ds_b": "mnist", "epoch": 1, "recipe_b": None}
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED), "", json.dumps(by_path))
    told = answer_all(adviser, load_config(), file)
    first, second = entries(tmp_path / "asked.advice.jsonl")
    assert (first["answer"], second["answer"]) == ("mnist", "mnist")
    assert (first["ds_a"], second["ds_a"]) == ("mnist", "svhn")
    assert first["probability"] == second["probability"]
    assert (told["questions"], told["answered"], told["errors"]) == (2, 2, 0)


@pytest.mark.parametrize("line", BAD.values(), ids=BAD.keys())
def test_a_bad_line_gets_an_error_in_its_place(tmp_path, adviser, line):
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED), line, json.dumps(ASKED))
    told = answer_all(adviser, load_config(), file)
    good, bad, also_good = entries(tmp_path / "asked.advice.jsonl")
    assert bad["error"]
    assert "\n" not in bad["error"]
    assert good["answer"] == also_good["answer"] == "mnist"
    assert (told["answered"], told["errors"]) == (2, 1)


@pytest.mark.parametrize("cut", range(0, 700, 23))
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path, adviser, cut):
    questions = [json.dumps({**ASKED, "epoch": epoch}) for epoch in (1, 2, 3)]
    file, out = write(tmp_path / "asked.jsonl", *questions), tmp_path / "asked.advice.jsonl"
    answer_all(adviser, load_config(), file)
    whole = out.read_bytes()
    out.write_bytes(whole[:cut])
    told = answer_all(adviser, load_config(), file)
    assert out.read_bytes() == whole
    assert told["kept_from_before"] == whole[:cut].count(b"\n")


def test_answers_to_other_questions_are_never_overwritten(tmp_path, adviser):
    file, out = write(tmp_path / "asked.jsonl", json.dumps(ASKED)), tmp_path / "asked.advice.jsonl"
    answer_all(adviser, load_config(), file)
    before = out.read_bytes()
    write(file, json.dumps({**ASKED, "epoch": 2}))
    with pytest.raises(PerfclfError, match="answers other questions"):
        answer_all(adviser, load_config(), file)
    out.write_text("precious notes\n")
    with pytest.raises(PerfclfError, match="answers other questions"):
        answer_all(adviser, load_config(), file)
    assert out.read_text() == "precious notes\n" != before


def test_the_file_of_questions_is_not_its_own_answer(tmp_path, adviser):
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED))
    with pytest.raises(PerfclfError, match="itself"):
        answer_all(adviser, load_config(overrides=[f"out={file}"]), file)


def test_the_command_prints_answer_probability_prior_and_reason(tmp_path, capsys):
    (tmp_path / "net.py").write_text(NET)
    assert main(["advise", str(tmp_path / "net.py"), "mnist", "svhn", "adviser=prior", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answer"] == "mnist"
    assert 0.5 < told["prior"] == pytest.approx(told["probability"])
    assert "88%" in told["reason"]


@pytest.mark.parametrize(("content", "datasets", "told"), [
    (None, ("mnist", "svhn"), "no file"),
    (b"", ("mnist", "svhn"), "is empty"),
    (b"\xff\xfe", ("mnist", "svhn"), "UTF-8"),
    (b"class Net(:", ("mnist", "svhn"), "does not parse"),
    (b"(" * 100_000, ("mnist", "svhn"), "brackets"),
    (b"x = 1\n" * 1_700_000, ("mnist", "svhn"), "characters"),
    (NET.encode(), ("mnist", "mnist"), "against itself"),
    (NET.encode(), ("mnist", "cifar10"), "did you mean cifar-10"),
    (NET.encode(), (), "two datasets"),
])
def test_bad_input_is_one_clear_line_and_exit_status_1(tmp_path, capsys, content, datasets, told):
    net = tmp_path / "net.py"
    if content is not None:
        net.write_bytes(content)
    assert main(["advise", str(net), *datasets, "adviser=prior"]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
