"""Figures are those that matplotlib draws by itself, though less is done for them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from hyperparton.report.plots.axes import log_axis
from hyperparton.report.plots.style import new_figure, save_pdf, styled, svg_text


@styled()
def curve(low, high, make_log_axis):
    figure, axes = new_figure(3.3, 2.5)
    at = np.geomspace(low, high, 15)
    axes.plot(at, np.linspace(1.0, 2.0, 15))
    make_log_axis(axes.xaxis)
    axes.set(xlabel="learning rate", ylabel="mean loss")
    return figure


def log_axis_of_matplotlib(axis):
    axis.axes.set_xscale("log")
    low, high = axis.get_view_interval()
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if high / low < 10**1.5:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())


@pytest.mark.parametrize(
    ("low", "high"),
    [(1e-3, 1e-1), (0.013, 0.97), (2.0, 50.0), (0.3, 0.9), (1e-9, 1e-1), (1e-40, 1e30), (1.0, 1.0001), (5e-5, 1.0)],
)
def test_a_logarithmic_axis_has_the_ticks_of_matplotlib(low, high):
    assert svg_text(curve(low, high, log_axis)) == svg_text(curve(low, high, log_axis_of_matplotlib))


def test_files_are_those_of_savefig(tmp_path):
    """What `savefig` writes of the same figure, letter by letter."""
    ours, theirs, text = curve(1e-3, 1.0, log_axis), curve(1e-3, 1.0, log_axis), io.StringIO()
    save_pdf(ours, tmp_path / "ours.pdf")
    with styled():
        # this one first: letters have other sizes in a PDF, and all files of a figure have one layout
        theirs.savefig(text, format="svg", metadata={"Date": None, "Creator": "hyperparton"})
        theirs.set_layout_engine("none")
        theirs.savefig(tmp_path / "theirs.pdf", metadata={"CreationDate": None})
    assert (tmp_path / "ours.pdf").read_bytes() == (tmp_path / "theirs.pdf").read_bytes()
    drawn = text.getvalue().splitlines()
    assert len(drawn) > 100
    # the fonts alone have other names, which a browser knows
    differ = {(a, b) for a, b in zip(svg_text(ours).splitlines(), drawn, strict=True) if a != b}
    assert all("<text style=" in a and "font-family: 'DejaVu Sans', sans-serif" in a for a, _ in differ)
