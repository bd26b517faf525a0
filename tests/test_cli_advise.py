import json

import pytest

from nngpt_perfclf.cli import main

NET = "class Net: pass\n"
ASKED = {"arch_code": NET, "ds_a": "mnist", "ds_b": "svhn"}
TANGLED = "x = " + "f(" * 60 + "1" + ")" * 60


def told(capsys, *words):
    """Exit status, standard output and standard error of `advise` with the adviser that reads nothing."""
    status = main(["advise", *map(str, words), "adviser=prior"])
    return status, *capsys.readouterr()


def refused(capsys, *words):
    status, out, error = told(capsys, *words)
    assert (status, out) == (1, "")
    assert error.startswith("nngpt-perfclf advise: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(("content", "why"), [
    (b"", "is empty"),
    (b" \n\t\n", "is empty"),
    (b"\x89PNG\r\n\x1a\n", "not text in UTF-8"),
    (b"a\x00b", "does not parse"),
    (b"(" * 100_000, "nests brackets"),
    (b"x = 1\n" * 1_700_000, "at most 400,000 characters"),
    (b"a;" * 200_000, "words"),
])
def test_a_file_that_holds_no_network(tmp_path, capsys, content, why):
    (tmp_path / "net.py").write_bytes(content)
    assert why in refused(capsys, tmp_path / "net.py", "mnist", "svhn")


def test_a_file_too_large_to_be_read_is_not_read(tmp_path, capsys):
    with (tmp_path / "net.py").open("wb") as file:
        file.truncate(1 << 40)
    assert "at most 400,000 characters" in refused(capsys, tmp_path / "net.py", "mnist", "svhn")


@pytest.mark.parametrize(("name", "why"), [
    ("none.py", "no file"), (".", "is a folder"), ("a" * 5000, "too long"), ("net.py/deeper", "no file")])
def test_a_file_that_is_none(tmp_path, capsys, name, why):
    (tmp_path / "net.py").write_text(NET)
    assert why in refused(capsys, tmp_path / name, "mnist", "svhn")


@pytest.mark.parametrize(("words", "why"), [
    (("mnist", "mnist"), "against itself"),
    (("mnist", "minst"), "did you mean mnist"),
    (("mnist", "<end_of_turn>"), "unknown dataset"),
    (("mnist",), "two datasets"),
    (("mnist", "svhn", "epohc=3"), "did you mean epoch"),
    (("mnist", "svhn", "epoch=0"), "epoch"),
    (("mnist", "svhn", "advice.confidence=high"), "advice.confidence"),
    (("mnist", "svhn", "datasets=none.yaml"), "none.yaml"),
    (("mnist", "svhn", "--batch", "asked.jsonl"), "name no network"),
])
def test_a_question_that_is_none(tmp_path, capsys, words, why):
    (tmp_path / "net.py").write_text(NET)
    assert why in refused(capsys, tmp_path / "net.py", *words)


@pytest.mark.parametrize("words", [["a.py", "mnist", "svhn", "more"], ["a.py", "mnist", "svhn", "--nope"], ["--batch"]])
def test_wrong_usage_is_2(words):
    with pytest.raises(SystemExit) as stopped:
        main(["advise", *words])
    assert stopped.value.code == 2


def test_a_mark_of_the_byte_order_is_no_mistake(tmp_path, capsys):
    (tmp_path / "net.py").write_text(NET, encoding="utf-8-sig")
    status, out, _ = told(capsys, tmp_path / "net.py", "mnist", "svhn", "--json")
    assert status == 0
    assert json.loads(out)["answer"] == "mnist"


@pytest.mark.parametrize("line", [
    "{bad", '"text"', json.dumps({**ASKED, "ds_b": "minst"}), json.dumps({**ASKED, "arch_code": "(" * 100_000}),
    *(json.dumps({"net": name, "ds_a": "mnist", "ds_b": "svhn"}) for name in (".", "a\0b", "a" * 5000)),
    json.dumps({**ASKED, "epoch": 10**4000}),
    json.dumps({**ASKED, "recipe_a": {"lr": 10**400}}), json.dumps({**ASKED, "recipe_a": {"batch": 1e300}}),
], ids=range(10))
def test_a_bad_line_loses_no_other(tmp_path, capsys, line):
    file = tmp_path / "asked.jsonl"
    good, tangled = json.dumps(ASKED), json.dumps({**ASKED, "arch_code": TANGLED})
    file.write_text("\n".join([good, line, tangled, good]))
    assert told(capsys, "--batch", file)[0] == 0
    entries = [json.loads(entry) for entry in (tmp_path / "asked.advice.jsonl").read_text().splitlines()]
    assert ["error" in entry for entry in entries] == [False, True, False, False]
    assert "\n" not in entries[1]["error"]
    assert {entry["answer"] for entry in (entries[0], *entries[2:])} == {"mnist"}


@pytest.mark.parametrize(("name", "why"), [("none.jsonl", "no file of questions"), (".", "no file of questions")])
def test_a_batch_that_is_none(tmp_path, capsys, name, why):
    assert why in refused(capsys, "--batch", tmp_path / name)
