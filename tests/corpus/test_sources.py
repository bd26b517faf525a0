"""A path given, else an installed nn-dataset, else its wheel, else a database in the working directory; never by
importing ab.nn."""

import subprocess
import sys

import pytest

from nngpt_perfclf.corpus import load_corpus, sources
from nngpt_perfclf.types import PerfclfError


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(sources, "_installed", list)
    monkeypatch.setattr(sources, "_bare_installation", lambda: "")


@pytest.mark.parametrize("below", [".", "..", "../..", "stat", "stat/train", "nn"])
def test_any_folder_that_people_would_call_lemurs_is_accepted(lemur, config_for, below):
    assert load_corpus(config_for(lemur / below)).source == str(lemur)


def test_a_home_relative_path_is_accepted(lemur, config_for, monkeypatch):
    monkeypatch.setenv("HOME", str(lemur.parent))
    assert load_corpus(config_for("~/nn")).source == str(lemur)


def test_a_folder_with_a_database_is_accepted(database, config_for):
    assert load_corpus(config_for(database.parent)).source == str(database)


def test_a_path_that_leads_nowhere_is_an_error_that_says_how_to_get_lemur(tmp_path, config_for):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "absent", tmp_path / "empty"):
        with pytest.raises(PerfclfError, match=r"pip download --no-deps nn-dataset==2\.1\.2"):
            load_corpus(config_for(path))


def test_an_installed_nn_dataset_is_found_without_a_path(lemur, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(lemur.parents[1])])
    assert sources.find_source(None).path == lemur


@pytest.mark.usefixtures("nothing_installed")
def test_the_newest_wheel_in_the_cache_folder_is_found(lemur, pack, config_for, home):
    (home / "wheels").mkdir(parents=True)
    for version in ("2.1.2", "2.1.10", "2.1.9"):
        name = f"nn_dataset-{version}-py3-none-any.whl"
        pack(lemur, name).rename(home / "wheels" / name)
    assert load_corpus(config_for(None)).source == str(home / "wheels" / "nn_dataset-2.1.10-py3-none-any.whl")


def test_finding_lemur_imports_none_of_it(lemur, tmp_path):
    look = f"import sys; sys.path.append({str(lemur.parents[1])!r}); " \
        "from nngpt_perfclf.corpus.sources import find_source; find_source(None); " \
           "assert not [name for name in sys.modules if name.split('.')[0] == 'ab']"
    subprocess.run([sys.executable, "-c", look], check=True, cwd=tmp_path)
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("folder", [".", "db"])
def test_a_database_in_the_working_directory_is_found_last(database, config_for, monkeypatch, tmp_path, folder):
    (tmp_path / "work" / folder).mkdir(parents=True, exist_ok=True)
    place = database.rename(tmp_path / "work" / folder / "ab.nn.db")
    monkeypatch.chdir(tmp_path / "work")
    assert load_corpus(config_for(None)).source == str(place.resolve())


@pytest.mark.usefixtures("nothing_installed")
def test_without_lemur_the_error_says_how_to_get_it(config_for, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PerfclfError, match=r"no LEMUR found.*pip download --no-deps nn-dataset==2\.1\.2"):
        load_corpus(config_for(None))


def test_an_nn_dataset_without_results_is_named(config_for, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    bare = tmp_path / "site" / "nn_dataset-2.0.dist-info"
    bare.mkdir(parents=True)
    (bare / "METADATA").write_text("Metadata-Version: 2.1\nName: nn-dataset\nVersion: 2.0\n")
    monkeypatch.syspath_prepend(bare.parent)
    monkeypatch.setattr(sources, "_installed", lambda: [tmp_path / "ab" / "nn"])
    with pytest.raises(PerfclfError, match=r"installed nn-dataset [\d.]+ carries no results"):
        load_corpus(config_for(None))
