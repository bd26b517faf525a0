"""A candidate is read as NNGPT's evaluation would train it, whatever its folder holds."""

import pytest
from nngpt_stubs import JUNK, NETWORK
from nngpt_world import evaluate, make_candidate

from nngpt_perfclf.nngpt.folders import Epoch, Evaluation, open_epoch, pruned_name, read_folder
from nngpt_perfclf.types import PerfclfError, Recipe

CODE = NETWORK.format(width=3)


def recipe_of(folder, evaluation=None):
    return read_folder(folder, evaluation or Evaluation()).candidate.recipe


def test_the_seed_row_goes_over_hp_txt_as_in_nngpts_evaluation(tmp_path):
    folder = make_candidate(tmp_path / "B0", CODE, prm={"lr": 0.2}, hp={"lr": 0.3, "momentum": 0.5, "dropout": 0.1})
    assert recipe_of(folder) == Recipe(lr=0.2, momentum=0.9, batch=32, dropout=0.2, transform="norm_32")


def test_in_the_analogical_pipeline_hp_txt_goes_over_the_seed_row(tmp_path):
    folder = make_candidate(tmp_path / "B0", CODE, prm={"lr": 0.2}, hp={"lr": 0.3, "momentum": 0.5})
    assert recipe_of(folder, Evaluation(seed_row_wins=False)) == Recipe(
        lr=0.3, momentum=0.5, batch=32, dropout=0.2, transform="norm_32")


def test_without_files_of_its_own_the_evaluations_dataset_and_hyperparameters_are_meant(tmp_path):
    folder = make_candidate(tmp_path / "B0", CODE, dataset=None)
    found = read_folder(folder, Evaluation())
    assert (found.target, found.candidate.recipe) == ("cifar-10", Recipe(0.01, 0.9, 64, 0.2, "norm_256_flip"))
    other = Evaluation("svhn", {"lr": 0.5, "transform": "norm_64"})
    found = read_folder(folder, other)
    assert (found.target, found.candidate.recipe) == ("svhn", Recipe(lr=0.5, transform="norm_64"))


def test_overrides_of_the_evaluation_go_over_everything(tmp_path):
    folder = make_candidate(tmp_path / "B0", CODE, prm={"lr": 0.2}, hp={"lr": 0.3})
    assert recipe_of(folder, Evaluation(overrides={"lr": 0.7})).lr == 0.7


@pytest.mark.parametrize("content", ["", "{}", "no json", "null"])
def test_an_hp_txt_that_says_nothing_counts_as_none(tmp_path, content):
    folder = make_candidate(tmp_path / "B0", CODE, dataset=None, hp=content)
    assert recipe_of(folder) == Recipe(0.01, 0.9, 64, 0.2, "norm_256_flip")


def test_what_is_no_number_counts_as_not_stated(tmp_path):
    folder = make_candidate(tmp_path / "B0", CODE, dataset=None,
                            hp='{"lr": "0.5", "momentum": "much", "batch": true, "dropout": NaN}')
    assert recipe_of(folder) == Recipe(lr=0.5, transform="norm_256_flip")


def test_a_target_that_is_given_stands_for_each_candidates_own(tmp_path):
    assert read_folder(make_candidate(tmp_path / "B0", CODE), Evaluation(), "mnist").target == "mnist"


def test_code_that_is_no_text_and_hyperparameters_that_stop_the_evaluation_are_broken(tmp_path):
    folder = make_candidate(tmp_path / "B0", CODE)
    (folder / "new_nn.py").write_bytes(b"\xff\xfe")
    assert read_folder(folder, Evaluation()).broken == "new_nn.py is not text in UTF-8: invalid start byte"
    assert "hp.txt holds a list" in read_folder(make_candidate(tmp_path / "B1", CODE, hp="[1]"), Evaluation()).broken


@pytest.mark.parametrize(("code", "expected"), [(CODE, ("left", "refused: it names os.system")),
                                                (JUNK, ("broken", "no class Net"))])
def test_a_seed_row_that_may_not_be_read_leaves_a_network_alone_and_junk_stays_junk(tmp_path, code, expected):
    folder = make_candidate(tmp_path / "B0", code)
    (folder / "dataframe.df").write_bytes(b"cos\nsystem\n(S'touch trace'\ntR.")
    found = read_folder(folder, Evaluation())
    assert expected[1] in getattr(found, expected[0])


def test_a_recipe_that_is_none_leaves_the_candidate_alone(tmp_path):
    found = read_folder(make_candidate(tmp_path / "B0", CODE, prm={"lr": -1}), Evaluation())
    assert "learning rate must be a positive number" in found.left


def test_an_answer_of_the_classification_task_is_left_alone(tmp_path):
    folder = tmp_path / "B0"
    folder.mkdir()
    (folder / "full_output.txt").write_text("svhn")
    assert read_folder(folder, Evaluation()).left == "no new_nn.py: an answer, not a network"


def test_only_an_accuracy_means_that_it_was_evaluated(tmp_path):
    for name, accuracy, expected in (("B0", 0.5, True), ("B1", None, False)):
        folder = make_candidate(tmp_path / name, CODE)
        evaluate(folder, accuracy)
        assert read_folder(folder, Evaluation()).evaluated == expected


@pytest.mark.parametrize(("inside", "given", "synth"), [
    ("A0/synth_nn/B0", "A0", "A0/synth_nn"), ("A0/synth_nn/B0", "A0/synth_nn", "A0/synth_nn"),
    ("A0/pruned_nn/B0", "A0", "A0/synth_nn"), ("A0/pruned_nn/B0", "A0/pruned_nn", "A0/synth_nn"),
    ("cycle_1/nneval/gen_0001", "cycle_1", "cycle_1/nneval"),
    ("cycle_1/nneval/gen_0001", "cycle_1/nneval", "cycle_1/nneval"),
    ("cycle_1/generation/A0/synth_nn/B0", "cycle_1/generation", "cycle_1/generation/A0/synth_nn"),
    ("mine/B0", "mine", "mine"),
])
def test_every_layout_of_nngpts_pipelines_is_found(tmp_path, inside, given, synth):
    make_candidate(tmp_path / inside, CODE)
    epoch = open_epoch(tmp_path / given)
    assert epoch.synth == tmp_path / synth
    assert [folder.name for folder in epoch.folders()] == [inside.split("/")[-1]]


def test_a_root_of_several_epochs_asks_which(tmp_path):
    for name in ("A0", "A1"):
        make_candidate(tmp_path / name / "synth_nn" / "B0", CODE)
    with pytest.raises(PerfclfError, match="give one of A0, A1"):
        open_epoch(tmp_path)


def test_a_folder_without_candidates_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(PerfclfError, match=f"no synth_nn in {path}"):
            open_epoch(path)


def test_what_is_pruned_goes_beside_the_folder_that_is_evaluated():
    assert pruned_name("synth_nn") == "pruned_nn"
    assert pruned_name("nneval") == "pruned_nneval"


def test_the_numbering_is_that_of_numbers(tmp_path):
    for name in ("B10", "B2", "B1"):
        make_candidate(tmp_path / "synth_nn" / name, CODE)
    assert [folder.name for folder in Epoch(tmp_path / "synth_nn").folders()] == ["B1", "B2", "B10"]
