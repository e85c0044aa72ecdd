"""Numbers of any size, many hyperparameters, and settings of matplotlib that are not ours."""

import json
import math
import os
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hyperparton.report.convergence import running_average
from hyperparton.report.importance import importances
from hyperparton.report.losses import Loss, good_range, mean_of, median_of, replica_error
from hyperparton.report.options import Options
from hyperparton.report.plots.axes import LossAxis, NumberAxis
from hyperparton.report.plots.style import new_figure, save_pdf, styled, svg_text
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.report.write import render, write_report
from hyperparton.trials.trial import Trial

GREATEST = sys.float_info.max
FINITE = st.floats(allow_nan=False, allow_infinity=False)

pytestmark = pytest.mark.filterwarnings("error")


@given(st.lists(FINITE, min_size=1, max_size=8))
@example([GREATEST, GREATEST])
@example([-GREATEST, GREATEST])
@example([5e-324, 5e-324])
def test_means_and_medians_of_finite_numbers_are_finite(numbers):
    exact = sum(map(Fraction, numbers)) / len(numbers)
    slack = Fraction(max(map(abs, numbers))) / 10**12 + Fraction(5e-324)
    assert abs(Fraction(mean_of(numbers)) - exact) <= slack
    ordered = sorted(map(Fraction, numbers))
    middle = (ordered[(len(numbers) - 1) // 2] + ordered[len(numbers) // 2]) / 2
    assert abs(Fraction(median_of(numbers)) - middle) <= slack
    best, end = good_range(numbers)
    assert min(numbers) == best <= end <= max(numbers)
    trials = [Trial(n, {}, result={"status": "ok", "loss": loss}) for n, loss in enumerate(numbers)]
    _, _, averages = running_average(trials, Loss(), math.inf, Loss())
    assert np.isfinite(averages).all()
    assert abs(Fraction(float(averages[-1])) - exact) <= slack
    folds = {"validation_losses": [numbers, numbers[::-1]]}
    error = replica_error(Trial(0, {}, result={"status": "ok", "kfold_meta": folds}))
    assert (error is None) == (len(numbers) < 2)


def test_a_median_with_failures_is_infinite():
    assert median_of([1.0, math.inf]) == median_of([math.inf]) == math.inf
    assert median_of([1.0, 2.0, math.inf]) == 2.0


@styled()
def drawn(losses):
    axis = LossAxis.of(losses)
    figure, axes = new_figure()
    axis.draw(axes, np.arange(float(len(losses))), losses, marker="o")
    axes.plot(np.arange(len(losses)), axis.place(np.fmin.accumulate(losses)))
    axis.apply(axes, "loss")
    return figure, axes


@pytest.mark.parametrize(
    "losses",
    [
        [1e308, -1e308, 0.0], [GREATEST] * 4, [-GREATEST, -GREATEST], [0.0], [0.0, 0.0], [-1.0, -2.0, -3.0],
        [1e-300, 3e-300, 2e-300], [5e-324, 0.0], [1.0, 1.0 + 2.0**-52], [1e16, 1e16 + 2], [1e-300, 1.0, 1e308],
        [1e300, 1e299, 2e300, 5.0], [math.nan, 1e308, math.nan], [math.nan, math.nan], [],
    ],
)  # fmt: skip
def test_losses_of_any_size_plot(losses):
    """Every loss is inside the axis, in its order, or counted as above it; the labels are numbers of the range."""
    values = np.array(losses, dtype=float)
    figure, axes = drawn(values)
    text = svg_text(figure)
    assert "nan" not in "".join(ET.fromstring(text).itertext())
    axis = LossAxis.of(values)
    finite = values[np.isfinite(values)]
    low, high = axes.get_ylim()
    inside = axis.place(np.sort(finite[finite <= axis.ceiling]))
    assert np.all((low <= inside) & (inside <= high) & np.isfinite(inside))
    assert np.all(np.diff(inside) >= 0)
    assert axis.above == np.sum(finite > axis.ceiling)
    if axis.numbers.by_share and len(finite):
        labels = [Fraction(label.get_text()) for label in axes.get_yticklabels()]
        assert abs(labels[0] - Fraction(finite.min())) <= abs(Fraction(finite.min())) / 100
        assert labels == sorted(labels)


def test_all_files_of_a_figure_have_one_layout(tmp_path):
    """A figure whose PDF was written first gives the SVG of one whose PDF was not."""
    losses = np.array([1.0, 30.0, 2.0])
    (first, _), (second, _) = drawn(losses), drawn(losses)
    save_pdf(first, tmp_path / "a.pdf")
    assert svg_text(first) == svg_text(second) == svg_text(second)


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_an_axis_holds_its_numbers(numbers):
    axis = NumberAxis.of([None, math.nan, *numbers])
    low, high = axis.limits(0.05)
    places = axis.place(numbers)
    assert np.all((low <= places) & (places <= high))
    assert 0.0 < high - low < math.inf
    assert np.argsort(places, kind="stable").tolist() == sorted(range(len(numbers)), key=numbers.__getitem__) or (
        len(set(places.tolist())) < len(numbers)
    )


def a_scan(folder, entry, losses, values=lambda n: {"x": 0.1 * n, "kind": "ab"[n % 2]}):
    path = folder / "tries.json"
    entries = []
    for n, loss in enumerate(losses):
        meta = {"validation_losses": [[loss, loss], [loss, loss]], "hyper_losses_chi2": [loss, loss]}
        entries.append(entry(n, loss, kfold_meta=meta, begin=float(n)))
        entries[-1]["misc"]["space_vals"] = values(n)
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize("size", [1e308, -1e308, 1e-300])
def test_a_report_on_such_losses(tmp_path, entry, size):
    """Twenty-two trials whose losses are shares of one size; the best is found and the page says it."""
    losses = [size * (0.3 + 0.05 * ((7 * n) % 13)) for n in range(22)]
    scans = read_scans([a_scan(tmp_path, entry, losses)])
    page = render(summarise(scans))
    best = min(losses)
    assert f"Trial {losses.index(best)}, with a loss of {best:.4g}" in page
    assert f"{max(losses):.4g}" in page
    assert not re.search(r"\b(inf|nan)\b", page)
    chosen = summarise(scans, Options(loss=Loss("chi2", "std"), autofilter=("kind",)))
    # the folds of each trial have one loss
    assert {value for _, value in chosen.ranked} == {0.0}


MATPLOTLIBRC = [
    b"text.usetex: True\nfont.family: cursive\nsvg.fonttype: path\nsavefig.bbox: tight\nfigure.autolayout: True\n",
    b"\xff\xfe not text\n",
    b"font.size: huge\nno.such.key: 1\n",
]


@pytest.mark.parametrize("settings", MATPLOTLIBRC)
def test_settings_of_matplotlib_do_not_reach_figures(tmp_path, scan_folder, settings):
    """The figures are those of a process without any, letter by letter; no backend is asked for."""
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "matplotlibrc").write_bytes(settings)
    code = (
        "from hyperparton.report.plots.parameters import plot_violins, Column\n"
        "from hyperparton.report.plots.style import svg_text\nimport numpy as np\n"
        "c = Column('$x^{$', tuple('ab' * 10), False, False, ('a', 'b'))\n"
        "print(svg_text(plot_violins(c, np.arange(20.0), 'loss')))"
    )

    def figure(**variables):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MPL", "MATPLOTLIB"))} | variables
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    plain = figure(MPLCONFIGDIR=str(tmp_path / "none"))
    assert "$x^{$" in plain
    assert figure(MPLCONFIGDIR=str(tmp_path / "settings"), MPLBACKEND="no such backend") == plain


def test_many_hyperparameters(tmp_path, entry):
    """Of 300, those that matter most have figures, the others stand in the CSV; the page says so."""
    rng = np.random.default_rng(5)

    def values(n):
        drawn = {f"p{i}": float(rng.random()) for i in range(300)}
        return drawn | {"p123": 0.05 * n}

    losses = [0.05 * n for n in range(14)]
    summary = summarise(read_scans([a_scan(tmp_path, entry, losses, values)]))
    assert len(summary.columns) == 300
    assert "p123" in {column.name for column in summary.figured}
    page = write_report(summary, tmp_path / "out").read_text()
    figures = re.findall(r'<figure id="figure-scatter_(\w+)">', page)
    assert len(figures) == 12
    assert "p123" in figures
    assert "Of 300 hyperparameters, the 12 that matter most are shown; 288 have no figure" in page
    assert "288 hyperparameters that have no figure are left out of the table and stand in the CSV" in page
    # the values of the best trial too: on the page those that have figures, in the CSV all
    best = page[page.index('<section id="best">') : page.index("</table>")]
    assert set(re.findall(r'<td class="text">(p\d+)</td>', best)) == set(figures)
    setup = (tmp_path / "out" / "tables" / "best_setup.csv").read_text().splitlines()
    assert {f"p{i}" for i in range(300)} <= {line.split(",")[0] for line in setup}
    head = (tmp_path / "out" / "tables" / "trials.csv").read_text().splitlines()[0].split(",")
    assert {f"p{i}" for i in range(300)} <= set(head)


def test_importances_are_those_of_each_alone(rows):
    """Judged together, a hyperparameter gets the numbers that it has when it is the only one."""
    rng = np.random.default_rng(2)
    drawn = [
        {"a": float(rng.random()), "b": "xyz"[n % 3], "c": None if n % 2 else n, "d": float(rng.integers(9)), "e": n}
        | {"f": "uv"[n % 2], "g": "xyyz"[n % 4], "h": n if n % 2 else None}
        for n in range(60)
    ]
    trials = rows(*((n, float(v["a"] + n % 3), v) for n, v in enumerate(drawn)))
    together = {entry.name: entry for entry in importances(trials, Loss())}
    assert len(together) == 8
    for name in together:
        alone = rows(*((n, float(v["a"] + n % 3), {name: v[name]}) for n, v in enumerate(drawn)))
        assert importances(alone, Loss()) == [together[name]]


def test_letters_that_the_font_lacks_are_no_complaint():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, axes = new_figure()
        axes.set_xlabel("\u65e5\u672c")
        assert "\u65e5\u672c" in svg_text(figure)
