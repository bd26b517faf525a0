import json

import pytest
from made_advisers import BROKEN, network

from nngpt_perfclf.cli import main
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Candidate, Recipe

ALIKE = {"momentum": 0.9, "batch": 64, "transform": "norm_64_flip"}
REST = [f"recipe.{name}={value}" for name, value in ALIKE.items()]
COLUMNS = ["name", "score", "percentile", "low", "high", "decided", "status", "reason", "parameters",
           "macs", "seconds"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two networks and a file that holds none; the folder of the tests is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.py").write_text(network(256))
    (tmp_path / "narrow.py").write_text(network(8))
    (tmp_path / "broken.py").write_text(BROKEN)
    return tmp_path


def ranked(capsys, *words):
    assert main(["rank", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words):
    assert main(["rank", *words]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("nngpt-perfclf rank: ")
    assert error.count("\n") == 1
    return error


def write(file, *candidates):
    file.write_text("".join(json.dumps(entry) + "\n\n" for entry in candidates))


def test_files_are_ranked_best_first_and_a_broken_one_is_last_without_a_score(folder, capsys):
    found = ranked(capsys, "broken.py", "narrow.py", "wide.py", "--target", "svhn", "recipe.lr=0.01")
    assert list(found) == ["target", "adviser", "rows"]
    assert (found["target"], found["adviser"]) == ("svhn", "pointwise")
    assert [list(row) for row in found["rows"]] == [COLUMNS] * 3
    first, second, last = found["rows"]
    assert first["score"] >= second["score"]
    assert {first["name"], second["name"]} == {"wide.py", "narrow.py"}
    assert last == {"name": "broken.py", "score": None, "percentile": None, "low": None, "high": None,
                    "decided": False, "status": "broken", "reason": "no class Net", "parameters": None, "macs": None,
                    "seconds": None}


def test_the_recipe_on_the_command_line_is_that_of_every_file(folder, capsys):
    good, wild = (ranked(capsys, "wide.py", "--target", "svhn", f"recipe.lr={lr}", *REST)["rows"][0]
                  for lr in (0.01, 0.9))
    assert good["score"] > wild["score"]
    assert "without a recipe" not in good["reason"]
    assert "without a recipe" in ranked(capsys, "wide.py", "--target", "svhn")["rows"][0]["reason"]


def test_candidates_of_a_file_have_recipes_of_their_own_and_else_that_of_the_command_line(folder, capsys):
    write(folder / "pool.jsonl", {"name": "good", "net": "wide.py", "recipe": {"lr": 0.01, **ALIKE}},
          {"name": "wild", "net": "wide.py", "recipe": {"lr": 0.9, **ALIKE}}, {"net": "wide.py"},
          {"arch_code": network(256)}, {"name": "null recipe", "net": "wide.py", "recipe": None})
    rows = {row["name"]: row for row in
            ranked(capsys, "pool.jsonl", "--target", "svhn", "recipe.lr=0.01", *REST)["rows"]}
    assert set(rows) == {"good", "wild", "wide.py", "pool.jsonl:7", "null recipe"}
    assert rows["good"]["score"] > rows["wild"]["score"]
    assert len({rows[name]["score"] for name in ("good", "wide.py", "pool.jsonl:7", "null recipe")}) == 1


def test_files_of_networks_and_of_candidates_can_be_mixed(folder, capsys):
    write(folder / "pool.ndjson", {"name": "other", "net": "wide.py"})
    assert len(ranked(capsys, "narrow.py", "pool.ndjson", "--target", "mnist")["rows"]) == 2


def test_any_registered_adviser_can_rank(folder, capsys):
    found = ranked(capsys, "wide.py", "narrow.py", "--target", "svhn", "scorer=null")
    assert found["adviser"] == "null"
    assert {row["status"] for row in found["rows"]} == {"unknown"}


def test_without_json_there_is_a_table(folder, capsys):
    assert main(["rank", "broken.py", "wide.py", "--target", "svhn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if "percentile" in line)
    assert [column for column in COLUMNS if column in heading] == COLUMNS
    assert [line.split()[0] for line in lines[-2:]] == ["wide.py", "broken.py"]


@pytest.mark.parametrize(("words", "complaint"), [
    (("wide.py",), "name the dataset"),
    (("wide.py", "--target", "svnh"), "did you mean svhn"),
    (("none.py", "--target", "svhn"), "no file none.py"),
    (("none.jsonl", "--target", "svhn"), "no file of candidates none.jsonl"),
    (("wide.py", "wide.py", "--target", "svhn"), "2 candidates are called 'wide.py'"),
    (("wide.py", "--target", "svhn", "scorer=pointwsie"), "did you mean pointwise"),
    (("wide.py", "--target", "svhn", "recipe.lr=-1"), "learning rate must be a positive number"),
    (("wide.py", "--target", "svhn", "recipe.lt=1"), "did you mean recipe.lr"),
])
def test_what_cannot_be_ranked_is_one_clear_line(folder, capsys, words, complaint):
    assert complaint in refused(capsys, *words)


@pytest.mark.parametrize(("entry", "complaint"), [
    ({"name": "a"}, "line 3: the candidate needs either net or arch_code"),
    ({"net": "wide.py", "arch_code": "x"}, "line 3: the candidate needs either"),
    ({"net": "none.py"}, "line 3: no file"),
    ({"net": "wide.py", "recipe": {"rate": 1}}, "line 3: recipe has an unknown field rate"),
    ({"net": "wide.py", "recipe": {"lr": "high"}}, "line 3: lr of recipe must be int or float"),
    ({"net": "wide.py", "recipe": {"batch": 0.5}}, "line 3: recipe: batch must be a whole number"),
    ([1], "line 3: the candidate must be a JSON object"),
])
def test_a_candidate_that_is_none_names_its_line_and_field(folder, capsys, entry, complaint):
    write(folder / "pool.jsonl", {"net": "wide.py"}, entry)
    assert complaint in refused(capsys, "pool.jsonl", "--target", "svhn")


def test_an_empty_file_of_candidates_gives_an_empty_ranking(folder, capsys):
    write(folder / "pool.jsonl")
    assert ranked(capsys, "pool.jsonl", "--target", "svhn")["rows"] == []


def test_ranking_twenty_thousand_names_compares_no_name_with_every_other(folder, monkeypatch):
    from nngpt_perfclf.advice import rank_command

    write(folder / "pool.jsonl", *({"name": f"net-{number}", "arch_code": "x"} for number in range(20_000)))
    asked = []
    monkeypatch.setattr(rank_command, "rank_candidates", lambda candidates, *_, **__: asked.extend(candidates) or [])
    assert rank_command.rank(load_config(), "pool.jsonl", target="svhn")["rows"] == []
    assert asked[-1] == Candidate("net-19999", "x", Recipe())
