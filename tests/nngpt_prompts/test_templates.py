import hashlib
import json
from pathlib import Path

import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.nngpt_prompts import load_nngpt
from nngpt_perfclf.nngpt_prompts.formulas import fill_formulas
from nngpt_perfclf.prompts import describe
from nngpt_perfclf.types import PerfclfError

CASES = [json.loads(line) for line in
         (Path(__file__).parents[1] / "golden" / "nngpt" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def template(nngpt_prompts, name):
    return load_nngpt(nngpt_prompts / name)["dataset_comparison"]


@pytest.mark.parametrize("path", sorted({case["template"] for case in CASES}))
def test_system_user_and_completion_are_nngpts_own(path, nngpt_prompts, lemur_codes):
    for case in (case for case in CASES if case["template"] == path):
        code = lemur_codes[case["values"]["nn"]]
        prompt = template(nngpt_prompts, path).render({**case["values"], "nn_code": code}, case["split"])
        told = sha256(prompt.system), sha256(prompt.user), prompt.completion
        assert told == (case["system_sha256"], case["user_sha256"], case["assistant"])


def test_a_row_may_be_a_pandas_series(nngpt_prompts):
    import pandas as pd

    row = {**CASES[0]["values"], "nn_code": "x" * 3000}
    compared = template(nngpt_prompts, CASES[0]["template"])
    assert compared.render(pd.Series(row)) == compared.render(row)
    assert "x" * 2000 in compared.render(row).user
    assert "x" * 2001 not in compared.render(row).user


def test_every_file_of_nngpt_is_read_or_refused_in_one_line(nngpt_prompts):
    read = 0
    for path in sorted(nngpt_prompts.rglob("*.json")):
        if any(isinstance(entry, dict) and "prompt" in entry for entry in json.loads(path.read_bytes()).values()):
            read += len(load_nngpt(path))
        else:
            with pytest.raises(PerfclfError, match="holds no prompt"):
                load_nngpt(path)
    assert read == 238


def test_a_missing_column_is_said_in_training_and_an_error_in_the_test_form(nngpt_prompts):
    compared = template(nngpt_prompts, "test/NN_dataset_compare_code_based.json")
    row = {name: value for name, value in CASES[0]["values"].items() if name != "epoch"} | {"nn_code": "code"}
    assert "Missing: epoch" in compared.render(row, "train").user
    with pytest.raises(PerfclfError, match="no column epoch"):
        compared.render(row, "test")


def test_a_delta_template_shows_the_difference_of_two_codes(nngpt_prompts):
    known = load_nngpt(nngpt_prompts / "train" / "NN_gen_delta.json")
    delta = next(one for one in known.values() if "{computed_delta}" in "".join(one.config["output"]))
    column = {entry["para"]: entry["value"] for entry in delta.config["input_list"]}
    row = dict.fromkeys(delta.fields, "0.5") | {column["nn_code"]: "a\nb", column["addon_nn_code"]: "a\nc"}
    assert "--- baseline.py\n+++ improved.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c" in delta.render(row).completion


@pytest.mark.parametrize(("formula", "worked_out"), [
    ("accuracy / duration", "0.2500"), ("accuracy * 1000", "500.0"), ("0 * 1.0", "0.00e+00"), ("1 + 2", "3"),
    ("round(accuracy + 1)", "2"), ("math.sqrt(16)", "4.0000"), ("epoch < 3", "True"), ("a + 1", "<<a + 1>>"),
    ("__import__('os').getcwd()", "<<__import__('os').getcwd()>>"), ("9 ** 9 ** 9 ** 9", "<<9 ** 9 ** 9 ** 9>>"),
])
def test_formulas_are_worked_out_without_running_code(formula, worked_out):
    values = {"accuracy": "0.5", "duration": 2, "epoch": 1, "nn": "ga-1"}
    assert fill_formulas(f"a << {formula} >> b", values) == f"a {worked_out} b"


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', '{"a": {"prompt": "text"}}', '{"a": {"prompt": ["x"]}}',
                                     '{"a": {"prompt": ["x"], "input_list": [{"para": "x"}]}}'])
def test_a_malformed_file_is_refused(tmp_path, content):
    (tmp_path / "prompt.json").write_text(content)
    with pytest.raises(PerfclfError, match=r"prompt\.json"):
        load_nngpt(tmp_path / "prompt.json")


def test_a_placeholder_without_a_value_is_refused(tmp_path):
    (tmp_path / "p.json").write_text('{"k": {"prompt": ["{x} {y}"], "output": ["{x}"], "input_list": '
                                     '[{"para": "x", "value": "nn"}]}}')
    with pytest.raises(PerfclfError, match="no value for the placeholder 'y'"):
        load_nngpt(tmp_path / "p.json")["k"].render({"nn": "a"})


def test_the_verb_shows_templates_and_an_example(nngpt_prompts):
    config = load_config()
    assert {"code", "metadata", "code_recipe"} <= {row["name"] for row in describe(config)["templates"]}
    assert describe(config, "code_recipe")["example"].endswith("better score at epoch 1:\n")
    shown = describe(config, nngpt=str(nngpt_prompts / "train" / "NN_dataset_compare_with_metadata.json"))
    assert shown["completion"] == "svhn"
    assert "73257" in shown["user"]
    with pytest.raises(PerfclfError, match="unknown template 'nope'"):
        describe(config, "nope")
