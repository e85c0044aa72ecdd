"""The page in a real browser, with scripts and without, and as a file."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from hyperparton.report.options import Options
from hyperparton.report.panels import sections
from hyperparton.report.plots.style import save_both, svg_text
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.report.write import render, write_report

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def report(scan_folder, tmp_path_factory):
    summary = summarise(read_scans([scan_folder()]), Options(title="A <scan> & its report", author="A. Person"))
    return write_report(summary, tmp_path_factory.mktemp("report") / "out")


def test_every_panel_has_its_files_and_a_sentence(report):
    page, folder = report.read_text(), report.parent
    figures = re.findall(r'<figure id="figure-([^"]+)">', page)
    assert {"convergence", "importances", "folds", "failures", "workers", "parallel_coordinates"} <= set(figures)
    assert {"violin_optimizer", "scatter_learning_rate", "scatter_epochs", "violin_number_of_layers"} <= set(figures)
    assert len(figures) == len(set(figures))
    for name in figures:
        assert ET.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
        assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert len((folder / "tables" / f"{name}.csv").read_text().splitlines()) > 1
    for section in re.findall(r"<section.*?</section>", page, flags=re.DOTALL):
        if "<figure" in section:
            readings = re.findall(r'<p class="reading">(.*?)</p>|</strong> (.*?)<', section, flags=re.DOTALL)
            assert any(len(part) > 40 for reading in readings for part in reading)
    identities = re.findall(r'\bid="([^"]+)"', page)
    assert len(identities) == len(set(identities))


def test_what_users_write_is_not_markup(report):
    page = report.read_text()
    assert "<title>A &lt;scan&gt; &amp; its report</title>" in page
    assert "description: &lt;a card&gt; &amp; more" in page
    assert not re.search(
        r'(?:src|href)="(?:https?:)?//', page.replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    )


def test_the_command_says_all_that_makes_the_same_trials(scan_folder):
    settings = {"engine": "gp", "seed": 7, "lag": 4, "prune": {"chance": 0.04}, "prior": ["first", "second"]}
    scan = replace(read_scans([scan_folder()])[0], total=40, runcard="a: card", settings=settings | {"replicas": 2})
    command = "scan RUNCARD --trials 40 --engine gp --seed 7 --lag 4 --replicas 2 --from first --from second --prune"
    assert f"<code>hyperparton {command}</code>" in render(summarise([scan]))


def test_the_same_trials_give_the_same_files(report, scan_folder, tmp_path):
    parts = sections(summarise(read_scans([scan_folder()])))
    for panel in (
        panel for section in parts for panel in section.panels if panel.name in ("folds", "violin_optimizer")
    ):
        figure = panel.draw()
        assert svg_text(figure) == (report.parent / "figures" / f"{panel.name}.svg").read_text()
        save_both(panel.draw(), tmp_path / "again")
        assert (tmp_path / "again.pdf").read_bytes() == (report.parent / "figures" / f"{panel.name}.pdf").read_bytes()


@pytest.mark.parametrize("scripts", [True, False])
def test_in_a_browser(report, browse, scripts):
    with browse(scripts) as browser:
        browser.open(report.as_uri())
        assert browser.text("h1") == "A <scan> & its report"
        # trial 27: learning rate 0.001 (1 + 189 mod 20) = 0.01, Adam, so a loss of 1
        assert browser.text("#answer-best").startswith("Trial 27, with a loss of 1: ")
        assert "4 of 40 trials failed. 4 trials: NaNLoss" in browser.text("#answer-failed")
        width, height = browser.size("#figure-convergence svg")
        assert width > 300
        assert height > 100
        assert len(browser.texts("#trials tbody tr")) == 36
        assert browser.displayed(".scripted") is scripts
        assert browser.requests() == [report.as_uri()]
        assert browser.complaints() == []


def test_sorting_and_filtering_the_table(report, browse):
    with browse() as browser:
        browser.open(report.as_uri())
        first = "#trials tbody tr td"
        assert browser.text(first) == "27"
        browser.click("#trials thead th:nth-child(1) button")
        assert browser.text(first) == "0"
        browser.click("#trials thead th:nth-child(1) button")
        assert browser.text(first) == "38"
        browser.write("#filter", "optimizer=SGD loss<2.1")
        shown = [text for text in browser.texts("#trials tbody tr:not([hidden])") if text]
        assert all("SGD" in line for line in shown)
        assert browser.text("#shown") == f"{len(shown)} of 36 trials."
        assert len(shown) == 6  # trials 1, 4, 7, 10, 13, 16 have learning rates from 0.008 to 0.013


#: filters that the command line takes for these trials, and the page
FILTERS = [
    "optimizer=SGD", "optimizer=SGD|Adam", "optimizer!=Adam", "optimizer_name=Adam", "lr<=0.01", "learning_rate<0.01",
    "loss<2.1", "loss>=1.04", "tl<2", "nl=1", "number_of_layers!=1", "trial=3|4|5", "nodes=10-8|5-7-8", "epochs>120",
    "'epochs'=101|'104'", '"optimizer"="SGD"', "trial>=30", "iteration<4",
]  # fmt: skip


@pytest.fixture
def with_all_filters(report, browse):
    with browse() as browser:
        browser.open(report.as_uri())
        yield browser


def test_the_page_and_the_command_line_have_one_language_of_filters(with_all_filters, scan_folder):
    scans = read_scans([scan_folder()])
    for text in FILTERS:
        expected = [trial.number for trial, _ in summarise(scans, Options(filters=(text,))).ranked]
        script = "const box = document.getElementById('filter'); box.value = %s; box.dispatchEvent(new Event('input'));"
        script += "return [...document.querySelectorAll('#trials tbody tr:not([hidden])')].map(row => "
        script += "Number(row.cells[0].textContent));"
        assert with_all_filters.run(script % json.dumps(text)) == expected, text
        assert with_all_filters.text("#shown") == f"{len(expected)} of 36 trials."
    # what follows from the table, the width of one layer, is a key of the command line alone
    assert with_all_filters.run(script % '"layer_2=6"') == []
    assert with_all_filters.text("#shown") == "0 of 36 trials. The table has no column layer_2."


@pytest.fixture(scope="module")
def page_of_a_fit(scan_folder, tmp_path_factory):
    """The page of a scan with a card of PDF fits: its head has the formula of the loss and long names."""
    scan = replace(read_scans([scan_folder()])[0], runcard=(EXAMPLES / "dis.yml").read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("fit") / "index.html"
    path.write_text(render(summarise([scan])), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("which", ["report", "page_of_a_fit"])
def test_no_page_is_scrolled_sideways(request, browse, which, width):
    with browse() as browser:
        browser.narrow(width)
        browser.open(request.getfixturevalue(which).as_uri())
        assert browser.run("return window.innerWidth") == width
        assert browser.run("return document.documentElement.scrollWidth") <= width
        # text that is wider than its place is cut, and no bar tells it
        assert not browser.run(
            "return Array.from(document.querySelectorAll('.about dd, .reading, dd, figcaption'))"
            f".filter(each => each.getBoundingClientRect().right > {width}).map(each => each.textContent)"
        )


def test_printed_on_paper(report, browse):
    """The page prints: several sheets, the table in full."""
    import base64

    with browse() as browser:
        browser.open(report.as_uri())
        sheets = base64.b64decode(browser.call("POST", "/print", {}))
    assert sheets.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) >= 3
