import json
from dataclasses import replace

import pytest
from made_advisers import FixedScorer

from nngpt_perfclf.advice.adapters import ScoreComparer
from nngpt_perfclf.advice.answering import AT_ONCE, answer_all
from nngpt_perfclf.advice.baselines import PriorAdviser
from nngpt_perfclf.advice.prior import PairPrior
from nngpt_perfclf.cli import main
from nngpt_perfclf.config import load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.types import PerfclfError

NET = "class Net: pass\n"
ASKED = {"arch_code": NET, "ds_a": "mnist", "ds_b": "svhn", "recipe_a": {"lr": 0.01, "batch": 64}}
CONFIG = load_config(overrides=["adviser=prior"])
BAD = {
    "not JSON": "{not json",
    "an array": "[1, 2]",
    "a text": '"text"',
    "no code": json.dumps({**ASKED, "arch_code": " "}),
    "no dataset": json.dumps({"arch_code": NET, "ds_a": "mnist"}),
    "the same dataset": json.dumps({**ASKED, "ds_b": "mnist"}),
    "an unknown dataset": json.dumps({**ASKED, "ds_b": "minst"}),
    "an unknown field": json.dumps({**ASKED, "recipe_c": {}}),
    "a recipe of words": json.dumps({**ASKED, "recipe_a": {"lr": "high"}}),
    "a negative rate": json.dumps({**ASKED, "recipe_a": {"lr": -1.0}}),
    "a rate that is no number": json.dumps({**ASKED, "recipe_a": {"lr": float("nan")}}),
    "a rate without an end": json.dumps({**ASKED, "recipe_a": {"lr": 10**400}}),
    "a batch without an end": json.dumps({**ASKED, "recipe_a": {"batch": 1e300}}),
    "an epoch that is none": json.dumps({**ASKED, "epoch": 0}),
    "an epoch without an end": json.dumps({**ASKED, "epoch": 10**4000}),
    "a missing file": json.dumps({"net": "none.py", "ds_a": "mnist", "ds_b": "svhn"}),
    "a folder": json.dumps({"net": ".", "ds_a": "mnist", "ds_b": "svhn"}),
    "a name with a null": json.dumps({"net": "a\0b", "ds_a": "mnist", "ds_b": "svhn"}),
    "a name without an end": json.dumps({"net": "a" * 5000, "ds_a": "mnist", "ds_b": "svhn"}),
    "half a character": json.dumps({**ASKED, "arch_code": NET + "#\ud800"}),
    "deep code": json.dumps({**ASKED, "arch_code": "(" * 100_000}),
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


def test_answers_are_written_in_order_beside_the_file(tmp_path, adviser):
    (tmp_path / "net.py").write_text(NET)
    by_path = {"net": "net.py", "ds_a": "svhn", "ds_b": "mnist", "epoch": 1, "recipe_b": None}
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED), "", json.dumps(by_path))
    found = answer_all(adviser, CONFIG, file)
    first, second = entries(tmp_path / "asked.advice.jsonl")
    assert (first["line"], second["line"]) == (1, 2)
    assert (first["answer"], second["answer"]) == ("mnist", "mnist")
    assert (first["ds_a"], second["ds_a"]) == ("mnist", "svhn")
    assert first["probability"] == second["probability"] == pytest.approx(9 / 11, abs=1e-6)
    assert found == {"out": str(tmp_path / "asked.advice.jsonl"), "adviser": "prior", "questions": 2,
                     "kept_from_before": 0, "answered": 2, "decided": 2, "errors": 0}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("kind", ["prior", "scorer"])
def test_a_bad_line_gets_an_error_in_its_place_and_costs_no_other_its_answer(tmp_path, adviser, line, kind):
    if kind == "scorer":  # it cannot tell by itself which questions can be asked
        adviser = ScoreComparer(FixedScorer())
    good = json.dumps({**ASKED, "recipe_b": {"lr": 0.001}})
    found = answer_all(adviser, CONFIG, write(tmp_path / "asked.jsonl", good, line, good))
    first, bad, last = entries(tmp_path / "asked.advice.jsonl")
    assert bad["error"]
    assert "\n" not in bad["error"]
    assert first["answer"] == last["answer"] == "mnist"
    assert (found["answered"], found["errors"]) == (2, 1)


def test_code_that_no_template_could_show_is_answered_by_an_adviser_that_does_not_read_it(tmp_path, adviser):
    tangled = json.dumps({**ASKED, "arch_code": "x = " + "f(" * 60 + "1" + ")" * 60})
    answer_all(adviser, CONFIG, write(tmp_path / "asked.jsonl", tangled))
    assert entries(tmp_path / "asked.advice.jsonl")[0]["answer"] == "mnist"


@pytest.mark.parametrize("cut", range(0, 700, 47))
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path, adviser, cut):
    questions = [json.dumps({**ASKED, "epoch": epoch}) for epoch in (1, 2, 3)]
    file, out = write(tmp_path / "asked.jsonl", *questions), tmp_path / "asked.advice.jsonl"
    answer_all(adviser, CONFIG, file)
    whole = out.read_bytes()
    out.write_bytes(whole[:cut])
    found = answer_all(adviser, CONFIG, file)
    assert out.read_bytes() == whole
    assert found["kept_from_before"] == whole[:cut].count(b"\n")


def test_a_long_file_is_answered_in_chunks_each_of_which_is_kept(tmp_path, adviser, monkeypatch):
    monkeypatch.setattr("nngpt_perfclf.advice.answering.AT_ONCE", 2)
    assert AT_ONCE > 2
    asked, advise_many = [], adviser.advise_many
    adviser.advise_many = lambda questions: asked.append(len(questions)) or advise_many(questions)
    answer_all(adviser, CONFIG, write(tmp_path / "asked.jsonl", *[json.dumps(ASKED)] * 5))
    assert asked == [2, 2, 1]


@pytest.mark.parametrize("change", [
    {"epoch": 2}, {"adviser": "null"}, {"label": "rank"}, {"recipe": replace(CONFIG.recipe, lr=0.5)},
    {"recipe_b": replace(CONFIG.recipe, lr=0.5)}, {"advice": replace(CONFIG.advice, confidence=0.99)}], ids=str)
def test_answers_of_other_settings_are_never_taken_for_these(tmp_path, adviser, change):
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED))
    answer_all(adviser, CONFIG, file)
    before = (tmp_path / "asked.advice.jsonl").read_bytes()
    with pytest.raises(PerfclfError, match="under other settings"):
        answer_all(adviser, replace(CONFIG, **change), file)
    assert (tmp_path / "asked.advice.jsonl").read_bytes() == before


def test_answers_to_other_questions_are_never_overwritten(tmp_path, adviser):
    file, out = write(tmp_path / "asked.jsonl", json.dumps(ASKED)), tmp_path / "asked.advice.jsonl"
    answer_all(adviser, CONFIG, file)
    before = out.read_bytes()
    write(file, json.dumps({**ASKED, "epoch": 2}))
    with pytest.raises(PerfclfError, match="answers to other questions"):
        answer_all(adviser, CONFIG, file)
    assert out.read_bytes() == before
    for notes in ("precious notes\n", "{}\n", "[1]\n"):
        out.write_text(notes)
        with pytest.raises(PerfclfError, match="answers to other questions"):
            answer_all(adviser, CONFIG, file)
        assert out.read_text() == notes


def test_more_answers_than_questions_are_refused(tmp_path, adviser):
    file = write(tmp_path / "asked.jsonl", *[json.dumps(ASKED)] * 3)
    answer_all(adviser, CONFIG, file)
    write(file, json.dumps(ASKED))
    with pytest.raises(PerfclfError, match="more answers than"):
        answer_all(adviser, CONFIG, file)


def test_the_file_of_questions_is_not_its_own_answer(tmp_path, adviser):
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED))
    with pytest.raises(PerfclfError, match="itself"):
        answer_all(adviser, replace(CONFIG, out=str(file)), file)


def test_the_recipes_of_the_command_line_are_those_of_questions_that_state_none(tmp_path):
    scorer = FixedScorer()
    config = load_config(overrides=["adviser=prior", "recipe.batch=64", "recipe.lr=0.1", "recipe_b.lr=0.2"])
    asked, score = [], scorer.score
    scorer.score = lambda candidates, target: asked.append((target, candidates[0].recipe)) or score(candidates, target)
    question = {"arch_code": NET, "ds_a": "mnist", "ds_b": "svhn"}
    answer_all(ScoreComparer(scorer), config, write(tmp_path / "asked.jsonl", json.dumps(question)))
    assert [(target, recipe.lr, recipe.batch) for target, recipe in asked] == [("mnist", 0.1, 64), ("svhn", 0.2, 64)]


def advise(capsys, *words):
    """Exit status, standard output and standard error of the verb with the adviser that reads nothing."""
    status = main(["advise", *map(str, words), "adviser=prior"])
    return status, *capsys.readouterr()


def refused(capsys, *words):
    status, out, error = advise(capsys, *words)
    assert (status, out) == (1, "")
    assert error.startswith("nngpt-perfclf advise: ")
    assert error.count("\n") == 1
    return error


def test_the_command_prints_answer_probability_prior_and_reason(tmp_path, capsys):
    (tmp_path / "net.py").write_text(NET, encoding="utf-8-sig")
    status, out, _ = advise(capsys, tmp_path / "net.py", "mnist", "svhn", "--json")
    found = json.loads(out)
    assert status == 0
    assert list(found) == ["network", "datasets", "adviser", "answer", "probability", "prior", "decided", "reason"]
    assert (found["answer"], found["adviser"]) == ("mnist", "prior")
    assert 0.5 < found["prior"] == pytest.approx(found["probability"])
    assert "88%" in found["reason"]


def test_no_opinion_is_said_in_words(tmp_path, capsys):
    (tmp_path / "net.py").write_text(NET)
    assert main(["advise", str(tmp_path / "net.py"), "mnist", "svhn", "adviser=null", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["answer"], found["decided"], found["reason"]) == (None, False, "no opinion")


def test_one_file_of_questions_is_answered_through_the_command(tmp_path, capsys):
    file = write(tmp_path / "asked.jsonl", json.dumps(ASKED))
    status, out, _ = advise(capsys, "--batch", file, "--json")
    assert (status, json.loads(out)["answered"]) == (0, 1)


@pytest.mark.parametrize(("content", "why"), [
    (None, "no file"),
    (b"", "is empty"),
    (b" \n\t\n", "is empty"),
    (b"\xff\xfe", "not text in UTF-8"),
    (b"\x89PNG\r\n\x1a\n", "not text in UTF-8"),
    (b"a\x00b", "does not parse"),
    (b"class Net(:", "does not parse"),
    (b"(" * 100_000, "nests brackets"),
    (b"x = 1\n" * 1_700_000, "at most 400,000 characters"),
    (b"a;" * 200_000, "words"),
], ids=range(10))
def test_a_file_that_holds_no_network_is_one_clear_line(tmp_path, capsys, content, why):
    if content is not None:
        (tmp_path / "net.py").write_bytes(content)
    assert why in refused(capsys, tmp_path / "net.py", "mnist", "svhn")


def test_a_file_too_large_to_be_read_is_not_read(tmp_path, capsys):
    with (tmp_path / "net.py").open("wb") as file:
        file.truncate(1 << 40)
    assert "at most 400,000 characters" in refused(capsys, tmp_path / "net.py", "mnist", "svhn")


@pytest.mark.parametrize(("name", "why"), [
    ("none.py", "no file"), (".", "is a folder"), ("a" * 5000, "too long"), ("net.py/deeper", "no file")])
def test_a_path_of_no_file_is_one_clear_line(tmp_path, capsys, name, why):
    (tmp_path / "net.py").write_text(NET)
    assert why in refused(capsys, tmp_path / name, "mnist", "svhn")


@pytest.mark.parametrize(("words", "why"), [
    ((), "two datasets"),
    (("mnist",), "two datasets"),
    (("mnist", "mnist"), "against itself"),
    (("mnist", "minst"), "did you mean mnist"),
    (("mnist", "<end_of_turn>"), "unknown dataset"),
    (("mnist", "svhn", "epohc=3"), "did you mean epoch"),
    (("mnist", "svhn", "epoch=0"), "epoch"),
    (("mnist", "svhn", "recipe_a.lr=-1"), "learning rate"),
    (("mnist", "svhn", "advice.confidence=high"), "advice.confidence"),
    (("mnist", "svhn", "datasets=none.yaml"), "none.yaml"),
    (("mnist", "svhn", "--batch", "asked.jsonl"), "name no network"),
])
def test_a_question_that_is_none_is_one_clear_line(tmp_path, capsys, words, why):
    (tmp_path / "net.py").write_text(NET)
    assert why in refused(capsys, tmp_path / "net.py", *words)


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_batch_that_is_none_is_one_clear_line(tmp_path, capsys, name):
    assert "no file of questions" in refused(capsys, "--batch", tmp_path / name)


@pytest.mark.parametrize("words", [["a.py", "mnist", "svhn", "more"], ["a.py", "mnist", "svhn", "--nope"], ["--batch"]])
def test_wrong_usage_is_2(words):
    with pytest.raises(SystemExit) as stopped:
        main(["advise", *words])
    assert stopped.value.code == 2
