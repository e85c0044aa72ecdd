"""Hyperparameters over ranges whose width no float holds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from hyperparton.report.dependence import _points
from hyperparton.report.hyperparameters import Column
from hyperparton.report.importance import marginal_range
from hyperparton.report.plots.parameters import plot_scatter
from hyperparton.report.plots.style import svg_text

LINEAR = Column("u", (-1e308, None, -5e307, 0.0, 5e307, 1e308), True, False, ())
LOGARITHMIC = Column("l", (1e-300, None, 1e-150, 1.0, 1e150, 1e300), True, True, ())


@pytest.mark.parametrize("column", [LINEAR, LOGARITHMIC])
def test_numbers_are_shares_of_their_range(column):
    assert column.scaled == pytest.approx([0.0, np.nan, 0.25, 0.5, 0.75, 1.0], abs=1e-12, nan_ok=True)
    at, shares = _points(column)
    for value, share in zip(at, shares[:, 0], strict=True):
        expected = 10.0 ** (600.0 * share - 300.0) if column.logarithmic else 1e308 * (2.0 * share - 1.0)
        assert value == pytest.approx(expected, rel=1e-9, abs=1e293 if column is LINEAR else 0.0)


@pytest.mark.parametrize("column", [LINEAR, LOGARITHMIC])
def test_the_range_of_the_best_is_the_shortest_along_the_axis(column):
    best = marginal_range(column, np.array([0, 3, 4]))
    assert (best.low, best.high) == (column.values[3], column.values[4])


@pytest.mark.parametrize("column", [LINEAR, LOGARITHMIC])
def test_a_figure_says_the_values(column):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        text = svg_text(plot_scatter(column, np.arange(6.0), "loss"))
    assert all(f"{value:.3g}" in text for value in column.values if value is not None)


def test_ordinary_numbers_are_drawn_as_they_are():
    column = Column("x", (1.0, 2.0, 4.0), True, False, ())
    assert not column.extreme
    assert column.scaled == pytest.approx([0.0, 1 / 3, 1.0])
    assert Column("x", (3.0, 3.0), True, False, ()).scaled.tolist() == [0.5, 0.5]
