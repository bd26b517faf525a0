"""The page of finished runs: whole, self-contained, honest, and without an error in a browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import made_runs
import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.evaluation import captions
from nngpt_perfclf.evaluation.report import report
from nngpt_perfclf.types import PerfclfError

SECTIONS = {"summary", "what-was-run", "predictors", "folds", "seeds", "learning", "datasets", "reliability",
            "coverage", "pairs", "rounds", "loop", "reading"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What the tests want to know of a page: section ids, addresses, pictures, and whether its tags are balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.addresses, self.pictures = [], set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.addresses += [value for name, value in told.items() if name in ("href", "src", "xlink:href")]
        self.pictures += tag == "svg"
        if tag == "section":
            self.sections.add(told["id"])
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = [made_runs.evaluation(folder / "good"),
            made_runs.evaluation(folder / "bad", "code-only", -0.4, 1, ("label=rank", "split.by=network")),
            made_runs.training(folder / "training"), made_runs.seeds(folder / "three"),
            made_runs.loop(folder / "replay"), made_runs.paper(folder / "paper"), made_runs.folds(folder / "table")]
    told = report(load_config(overrides=[f"out={folder / 'page.html'}"]), *map(str, runs))
    assert told["out"] == str(folder / "page.html")
    return folder / "page.html"


def test_every_section_and_picture_is_there_and_nothing_comes_from_elsewhere(page):
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    assert found.open == []
    assert found.sections == SECTIONS
    assert found.pictures == 1 + 1 + 2 * 4 + 1 + 1
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert "url(http" not in text
    assert "@import" not in text


def test_numbers_words_and_conditions_stand_on_the_page(page):
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8")).replace("\u00a0", " ")
    for wanted in ("celeba-gender", "the paper's headline", "62.7–90.5", "asking this adviser is worse",
                   "rank, random trial, epoch 1", "network, test part", "label=rank split.by=network",
                   "torch 2", "0123456789ab", "mean of 3 seeds", "30.0 points above the prior; worst in fold ga",
                   "evaluate.part=folds evaluate.reads=[code,both]", "lora.targets=[q_proj,k_proj,",
                   "The training loss fell", "McNemar"):
        assert wanted in text


def test_a_page_of_one_run_has_only_its_sections_and_lies_in_its_folder(tmp_path):
    told = report(load_config(), str(made_runs.training(tmp_path / "run")))
    out = tmp_path / "run" / "report.html"
    assert told["out"] == str(out)
    assert Page(out.read_text()).sections == {"summary", "what-was-run", "learning", "reading"}


def test_names_from_run_folders_are_text_and_never_markup(tmp_path):
    folder = made_runs.evaluation(tmp_path / "run", "<script>alert(1)</script>")
    report(load_config(), str(folder))
    assert "<script" not in (folder / "report.html").read_text()


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(PerfclfError, match=f"no results in {tmp_path}"):
        report(load_config(), str(tmp_path))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_every_section_without_an_error(page, tmp_path, width):
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         f"--user-data-dir={tmp_path}", f"--window-size={width},900", "--enable-logging=stderr", "--dump-dom",
         page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    assert Page(shown.stdout).sections == SECTIONS
    assert "CONSOLE" not in shown.stderr


def evaluated(difference, low, high):
    against = {"against": "prior", "difference": difference, "low": low, "high": high}
    return {"adviser": "x", "accuracy": 0.8, "accuracy_low": 0.7, "accuracy_high": 0.9, "n": 100, "no_opinion": 0,
            "prior": 0.8 - difference, "comparisons": [against]}


@pytest.mark.parametrize(("difference", "low", "high", "said"), [
    (0.05, 0.01, 0.09, "5.0 points above the pair prior's 75.0 %"), (0.05, 0.01, 0.09, "no accident"),
    (0.05, -0.01, 0.09, "between −1.0 and +9.0 points: it may well be chance"),
    (-0.05, -0.09, 0.01, "5.0 points below the pair prior's 85.0 %"), (-0.05, -0.09, 0.01, "may well be chance"),
    (-0.05, -0.09, -0.01, "worse than not reading the network at all"), (0.0, 0, 0, "just as many as the pair prior"),
    (0.05, None, None, "nothing can be said about chance")])
def test_the_headline_is_as_honest_when_the_news_is_bad(difference, low, high, said):
    assert said in captions.headline(evaluated(difference, low, high)).replace("\u00a0", " ")


def test_a_loss_that_does_not_fall_is_said_not_to_fall():
    log = [{"step": step, "loss": 0.5 + step / 100} for step in range(1, 30)]
    assert "did not fall" in captions.learning(log)


def test_confidence_that_tells_nothing_is_said_to_tell_nothing():
    rows = [{"coverage": share, "accuracy": accuracy, "prior": 0.7} for share, accuracy in ((1.0, 0.8), (0.5, 0.7))]
    assert "does not tell right from wrong" in captions.coverage(rows)
    assert "nothing to choose by" in captions.coverage(rows[:1])


def test_pairs_without_an_opinion_are_told():
    said = captions.headline({**evaluated(-0.3, -0.4, -0.2), "no_opinion": 7})
    assert "the 7 without an opinion counted as one half" in said
