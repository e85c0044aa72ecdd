"""Points of figures say which trial they are, with scripts and without, and lead to its row."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.report.write import render, write_report

#: of the point of trial 12: its title, and whether it lies under the middle of its place
POINT = """
const link = document.querySelector("#figure-%s a[href='#trial-12']");
link.scrollIntoView({block: 'center'});
const box = link.querySelector('path').getScreenCTM();
const [x, y] = link.querySelector('path').getAttribute('d').match(/M(\\S+) (\\S+?)h/).slice(1).map(Number);
const hit = document.elementFromPoint(box.a * x + box.e, box.d * y + box.f).closest('a, g');
return [link.querySelector('title').textContent, hit.querySelector('title').textContent, x, y];
"""


@pytest.fixture
def report(scan_folder, tmp_path):
    return write_report(summarise(read_scans([scan_folder()])), tmp_path / "out")


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("figure", ["convergence", "scatter_learning_rate", "planes"])
def test_a_point_says_its_trial_and_leads_to_its_row(report, browse, figure, scripts):
    """Trial 12: learning rate 0.001 (1 + 84 mod 20) = 0.005, Adam, loss 1 + 1e4 (0.005 - 0.01)^2 = 1.25."""
    with browse(scripts) as browser:
        browser.open(report.as_uri())
        title, hit, _, _ = browser.run(POINT % figure)
        assert title.startswith("Trial 12: loss 1.25\n")
        assert "learning_rate 0.005" in title
        assert "optimizer Adam" in title
        assert hit.startswith("Trial ")
        browser.run(f"document.querySelector(\"#figure-{figure} a[href='#trial-12']\").dispatchEvent("
                    "new MouseEvent('click', {bubbles: true, cancelable: true, view: window}))")  # fmt: skip
        assert browser.run("return location.hash") == "#trial-12"
        row = browser.run("return [...document.querySelector('tr:target').cells].map(cell => cell.textContent)")
        assert row[0] == "12"
        assert browser.complaints() == []


def test_points_lie_where_the_figure_draws_them(report, browse):
    """The transparent points of the scatter are the centres of the visible ones, to a pixel."""
    with browse() as browser:
        browser.open(report.as_uri())
        marks, touched = browser.run("""
            const svg = document.querySelector('#figure-scatter_learning_rate svg');
            const drawn = [...svg.querySelectorAll('g[clip-path] use')].map(use =>
                [Number(use.getAttribute('x')), Number(use.getAttribute('y'))]);
            const points = [...svg.querySelectorAll('.points path')].map(path =>
                path.getAttribute('d').match(/M(\\S+) (\\S+?)h/).slice(1).map(Number));
            return [drawn, points];""")
        assert len(touched) == 36
        distances = np.abs(np.array(touched)[:, None] - np.array(marks)[None]).max(axis=2).min(axis=1)
        assert distances.max() <= 0.51


def test_a_point_leads_to_a_row_that_a_filter_has_hidden(report, browse):
    with browse() as browser:
        browser.open(report.as_uri())
        browser.write("#filter", "optimizer=SGD")
        assert browser.run("return document.getElementById('trial-12').hidden") is True
        browser.run("location.hash = '#trial-12'")
        browser.run("return new Promise(done => setTimeout(done, 200))")
        assert browser.run("return document.getElementById('trial-12').hidden") is False


def test_failed_trials_say_why_and_have_no_row(report):
    page = report.read_text()
    assert 'href="#trial-9"' not in page
    assert "<g><title>Trial 9: NaNLoss: the loss is NaN\n" in page


def test_trials_of_two_scans_have_rows_of_their_own(scan_folder):
    page = render(summarise(read_scans([scan_folder(12, "one"), scan_folder(12, "two")])))
    ids = [part.partition('"')[0] for part in page.split('<tr id="')[1:]]
    assert len(ids) == len(set(ids)) == 22
    for row in ("trial-3", "trial-1-3"):
        assert row in ids
        assert f'<a href="#{row}"' in page


def test_the_page_of_a_thousand_trials_is_small_and_has_tooltips(tmp_path, entry):
    random = np.random.default_rng(2)
    entries = [
        entry(i, 1.0 + 1e-3 * i, kind="ab"[i % 2], **{f"x{k}": float(random.uniform()) for k in range(10)})
        for i in range(1000)
    ]
    (tmp_path / "tries.json").write_text(json.dumps(entries))
    page = write_report(summarise(read_scans([tmp_path])), tmp_path / "out").read_text()
    assert len(page.encode()) < 3_000_000
    assert page.count('href="#trial-') == 1000
    # files of figures are for papers: no links into a page
    assert "trial-" not in (tmp_path / "out" / "figures" / "convergence.svg").read_text()
