"""The report: complete, self-contained, valid markup, and shown by a browser without an error."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import made_runs
import pytest

from nngpt_perfclf.config import load_config
from nngpt_perfclf.evaluation.report import report
from nngpt_perfclf.types import PerfclfError

SECTIONS = {"summary", "runs", "predictors", "folds", "seeds", "learning", "datasets", "reliability", "coverage",
            "pairs", "rounds", "loop", "outcomes", "definitions"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Section ids, addresses, number of plots, and a check that the tags are balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.addresses, self.plots = [], set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.addresses += [value for name, value in attributes.items() if name in ("href", "src", "xlink:href")]
        self.plots += tag == "svg"
        if tag == "section":
            self.sections.add(attributes.get("id", "pruning"))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def text_of(page):
    return re.sub(r"\s+", " ", page.read_text(encoding="utf-8")).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = [made_runs.evaluation(folder / "good"),
            made_runs.evaluation(folder / "bad", "code-only", -0.4, 1, ("label=rank", "split.by=network")),
            made_runs.training(folder / "training"), made_runs.seeds(folder / "three"),
            made_runs.loop(folder / "replay"), made_runs.paper(folder / "paper"), made_runs.folds(folder / "table"),
            made_runs.outcomes(folder / "told"),
            made_runs.pruned_generations(folder / "nngpt")]
    result = report(load_config(overrides=[f"out={folder / 'page.html'}"]), *map(str, runs))
    assert result["out"] == str(folder / "page.html")
    assert result["runs"] == [run.name for run in runs]
    return folder / "page.html"


def test_every_section_and_plot_is_there_and_nothing_is_loaded_from_elsewhere(page):
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    assert found.open == []
    assert found.sections == SECTIONS | {"pruning"}
    by_section = {"predictors": 1, "learning": 1, "datasets, reliability, coverage, pairs": 4 * 2, "rounds": 1,
                  "loop": 1, "outcomes": 1, "pruning": 2}
    assert found.plots == sum(by_section.values())
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert {address[1:] for address in found.addresses if address.startswith("#")} >= SECTIONS - {"summary"}
    assert "url(http" not in text
    assert "@import" not in text


@pytest.mark.parametrize("words", [
    "celeba-gender", "the paper's figure", "62.7–90.5", "significantly worse than the majority baseline",
    "rank, random trial, epoch 1", "network, test part", "torch 2", "0123456789ab", "over 3 seeds",
    "30.0 points above the majority baseline; lowest in fold ga", "The training loss fell", "McNemar",
    "8 asked, ", "broken: the code does not parse"])
def test_figures_and_conditions_are_on_the_page(page, words):
    assert words in text_of(page)


@pytest.mark.parametrize("command", [
    "nngpt-perfclf evaluate pretrained<", "nngpt-perfclf evaluate code-only label=rank split.by=network<",
    "nngpt-perfclf evaluate protocol=paper<", "nngpt-perfclf train<",
    "nngpt-perfclf evaluate split.by=family evaluate.part=folds &#39;evaluate.reads=[code,both]&#39;<"])
def test_each_run_has_the_command_that_repeats_it(page, command):
    assert command in text_of(page)


def test_a_report_of_one_run_has_only_its_sections_and_is_in_its_folder(tmp_path):
    result = report(load_config(), str(made_runs.training(tmp_path / "run")))
    out = tmp_path / "run" / "report.html"
    assert result["out"] == str(out)
    assert Page(out.read_text()).sections == {"summary", "runs", "learning", "definitions"}


def test_a_report_of_pruned_generations_alone_has_one_section(tmp_path):
    result = report(load_config(), str(made_runs.pruned_generations(tmp_path / "run", 1)))
    assert Page((tmp_path / "run" / "report.html").read_text()).sections == {"pruning"}
    assert result["says"][0].startswith("A0: 8 asked")


def test_names_from_run_folders_are_escaped(tmp_path):
    folder = made_runs.evaluation(tmp_path / "run", "<script>alert(1)</script>")
    report(load_config(), str(folder))
    assert "<script" not in (folder / "report.html").read_text()


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(PerfclfError, match=f"no results in {tmp_path}"):
        report(load_config(), str(tmp_path))


def test_a_damaged_log_is_named(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1')
    with pytest.raises(PerfclfError, match=r"log\.jsonl is damaged"):
        report(load_config(), str(tmp_path))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_every_section_without_an_error(page, tmp_path, width):
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         f"--user-data-dir={tmp_path}", f"--window-size={width},900", "--enable-logging=stderr", "--dump-dom",
         page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    assert Page(shown.stdout).sections == SECTIONS | {"pruning"}
    assert "CONSOLE" not in shown.stderr
