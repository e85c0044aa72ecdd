"""The grid in x and the scales of evolution."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.data.fktables import read_fktable
from hyperparton.data.theory_folder import SHIPPED
from hyperparton.theory.grids import lagrange, scale_nodes, x_grid


def test_nodes_have_equal_steps_in_the_variable_of_applgrid():
    x = np.array(x_grid())
    y = np.log(1 / x) + 5 * (1 - x)
    assert len(x) == 50
    assert (x[0], x[-1]) == (pytest.approx(2e-7, rel=1e-12), 1.0)
    np.testing.assert_allclose(np.diff(y), (y[-1] - y[0]) / 49, rtol=1e-10)


def test_nodes_are_those_of_the_shipped_tables():
    # the nodes from 0.001 on are those of every table whose rows reach them
    read = read_fktable(SHIPPED / "theory_40000000" / "fastkernel" / "HERA_NC_318GEV_EP_SIGMARED.pineappl.lz4").xgrid
    np.testing.assert_allclose(read, np.array(x_grid())[-len(read) :], rtol=1e-14)


def test_lagrange_reproduces_polynomials():
    nodes = np.array([0.1, 0.7, 1.9, 2.2, 4.0])
    weights = lagrange(nodes, 1.3)
    for power in range(5):
        assert weights @ nodes**power == pytest.approx(1.3**power, rel=1e-12)


@pytest.mark.parametrize(("nf", "low"), [(3, 3.49), (4, 3.49), (5, 24.2064)])
def test_interpolation_between_the_scales(nf, low):
    nodes = scale_nodes(nf, low)
    assert (nodes.q2[0], nodes.q2[-1]) == (low, 5e4)
    assert all(np.diff(nodes.q2) > 0)

    def anomalous(q2):  # what a moment of a PDF does: a power of the coupling, which runs with log Q²
        return np.log(np.asarray(q2) / 0.09) ** -0.7

    for q2 in np.geomspace(low, 5e4, 37):
        assert nodes.weights(q2) @ anomalous(nodes.q2) == pytest.approx(anomalous(q2), rel=3e-5)


def test_no_scale_outside():
    with pytest.raises(ValueError, match="outside 24"):
        scale_nodes(5, 24.2064).weights(20.0)
