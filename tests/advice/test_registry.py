import json
from dataclasses import replace

import pytest
from made_advisers import FixedScorer, TableAdviser

from nngpt_perfclf import AdviserSpec
from nngpt_perfclf.advice import load_advisor, load_pair_adviser, load_scorer, registry
from nngpt_perfclf.advice.adapters import PairScorer, ScoreComparer
from nngpt_perfclf.advice.prior import load_prior
from nngpt_perfclf.advice.registry import find_spec, identity_of, place_of, specs
from nngpt_perfclf.advice.run_folders import PRETRAINED, folder_of, pretrained_folder
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import PerfclfError

CONFIG = load_config()


@pytest.fixture
def plugin(monkeypatch):
    """Registers further specs, as an installed plugin would."""
    known = registry.registered

    def register(*further):
        monkeypatch.setattr(registry, "registered", lambda hook: [*known(hook), *further])

    return register


def run_folder(folder, kind):
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"kind": kind, "status": "done"}))
    return folder


def test_the_built_in_advisers_are_registered_like_any_other():
    assert list(specs()) == ["pretrained", "zero-shot", "pairwise", "pointwise", "nearest", "stack", "curve", "seconds",
                             "prior", "null", "always-first"]
    trained = {name for name, spec in specs().items() if spec.train}
    assert trained == {"pretrained", "pairwise", "pointwise", "nearest", "stack", "curve", "seconds"}


@pytest.mark.parametrize("name", ["pairwise", "pointwise", "nearest", "stack", "prior", "null", "always-first"])
def test_every_name_loads_an_adviser_of_that_name(name):
    assert load_advisor(name).name == name


@pytest.mark.parametrize(("name", "complaint"), [
    ("parwise", "did you mean pairwise"), ("nothing-like-it", "known: pretrained"), ("runs/none", "no adviser"),
    ("shipped", "'shipped' was renamed to pretrained"), ("gbdt", "'gbdt' was renamed to pairwise"),
    ("strength", "'strength' was renamed to pointwise")])
def test_a_name_that_is_none_is_one_clear_line(name, complaint):
    with pytest.raises(PerfclfError, match=complaint) as refused:
        load_advisor(name)
    assert "\n" not in str(refused.value)


def test_a_run_folder_is_opened_by_the_adviser_of_its_kind(tmp_path, plugin):
    seen = []
    plugin(AdviserSpec("mine", lambda config: seen.append(config.adviser) or "opened", lambda config, out: {}),
           AdviserSpec("yours", lambda config: "not this one", kind="something"))
    assert load_advisor(run_folder(tmp_path / "run", "mine")) == "opened"
    assert seen == [str(tmp_path / "run")]
    assert load_advisor(run_folder(tmp_path / "other", "something")) == "not this one"
    assert load_advisor("mine") == "opened"
    assert seen[-1] == "mine"


def test_a_folder_that_holds_no_adviser_says_what_it_holds(tmp_path):
    with pytest.raises(PerfclfError, match=r"'evaluation', not an adviser .*language, pairwise, pointwise, nearest"):
        load_advisor(run_folder(tmp_path / "run", "evaluation"))
    with pytest.raises(PerfclfError, match=r"no run\.json"):
        load_advisor(tmp_path)


def test_a_registered_name_wins_over_a_folder_that_is_called_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_folder(tmp_path / "prior", "evaluation")
    assert find_spec("prior").name == "prior"


def test_two_plugins_cannot_register_one_name(plugin):
    plugin(AdviserSpec("prior", lambda config: None))
    with pytest.raises(PerfclfError, match="two plugins register an adviser called 'prior'"):
        specs()


def test_the_configuration_reaches_the_adviser():
    adviser = load_advisor("prior", load_config(overrides=["advice.confidence=0.9", "label=rank"]))
    assert adviser.confidence == 0.9
    assert adviser.prior == load_prior(PRETRAINED, "rank") != load_prior(PRETRAINED, "normalized")


def test_an_adviser_that_only_scores_answers_pairs_with_the_configured_confidence_and_the_recorded_prior(plugin):
    plugin(AdviserSpec("scorer", lambda config: FixedScorer()))
    adviser = load_pair_adviser("scorer", load_config(overrides=["advice.confidence=0.8"]))
    assert isinstance(adviser.adviser, ScoreComparer)
    assert adviser.adviser.confidence == 0.8
    assert adviser.adviser.prior == load_prior(PRETRAINED, "normalized")
    assert load_pair_adviser("prior").name == "prior"


def test_an_adviser_that_only_answers_pairs_scores_against_the_configured_references():
    every = load_scorer("prior")
    assert isinstance(every, PairScorer)
    assert set(every.references) == set(every.anchors)
    assert load_scorer("prior", load_config(overrides=["advice.references=[mnist]"])).references == ("mnist",)
    assert load_scorer("pointwise").name == "pointwise"


def test_an_advisers_object_can_be_given_instead_of_its_name():
    scorer, adviser = FixedScorer(), TableAdviser()
    assert load_scorer(scorer) is scorer
    assert load_scorer(adviser).adviser is adviser


def test_the_identity_of_an_adviser_changes_with_all_that_decides_its_answers(tmp_path):
    folder = run_folder(tmp_path / "run", "pairwise")
    (folder / "trees.npz").write_bytes(b"1")
    first = identity_of(folder, CONFIG)
    assert first == identity_of(folder, CONFIG)
    assert first.startswith(f"{folder}@")
    (folder / "log.jsonl").write_text("not read for answers")
    assert identity_of(folder, CONFIG) == first
    (folder / "trees.npz").write_bytes(b"2")
    others = [identity_of(folder, CONFIG), identity_of(folder, replace(CONFIG, label="rank")),
              identity_of("pairwise", CONFIG), identity_of("prior", CONFIG),
              identity_of("prior", replace(CONFIG, label="rank"))]
    assert len({first, *others}) == 6


def test_another_version_of_a_plugins_module_is_another_adviser(tmp_path, plugin):
    def spec_of(source):
        file = tmp_path / "their_module.py"
        file.write_text(source)
        space = {}
        exec(compile(source, str(file), "exec"), space)
        return AdviserSpec("theirs", space["load"])

    found = []
    for number in (1, 2):
        plugin(spec_of(f"def load(config):\n    return {number}\n"))
        found.append(identity_of("theirs", CONFIG))
        plugin()
    assert len(set(found)) == 2


def test_the_parts_of_a_stack_are_names_or_folders_relative_to_it(tmp_path):
    assert place_of("pairwise", tmp_path) == "pairwise"
    assert place_of("../run", tmp_path) == str(tmp_path / "../run")


def test_pretrained_files_are_found_by_name_and_run_folders_by_path(tmp_path):
    assert folder_of(replace(CONFIG, adviser="pairwise"), "pairwise") == PRETRAINED / "pairwise"
    assert folder_of(replace(CONFIG, adviser=str(tmp_path)), "pairwise") == tmp_path
    assert pretrained_folder("prior") is None
    with pytest.raises(PerfclfError, match="no pretrained adviser other"):
        folder_of(replace(CONFIG, adviser="other"), "other")
