"""Convolutions of the common quadrature against closed forms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import spence

from hyperparton.theory.grids import DEGREE, x_grid
from hyperparton.theory.quadrature import InterpolationBasis, convolve, is_empty, quadrature_rule

BASIS = InterpolationBasis(x_grid(), DEGREE)
XS = [3e-6, 0.00113, 0.0210891866837872, 0.3, 0.43, 0.86, 0.97]  # one a hair above a node


def _rsl(reg=None, sing=None, loc=None):
    empty = np.array([])
    return SimpleNamespace(reg=reg, sing=sing, loc=loc, args={"reg": empty, "sing": empty, "loc": empty})


def _convolved(rsl, x, f, top=1.0):
    """The convolution of a coefficient function with the interpolation of f on the grid."""
    return convolve(rsl, quadrature_rule(BASIS, x, top)) @ f(np.array(x_grid()))


def test_basis_reproduces_polynomials_in_log_x():
    places = np.array([2.1e-7, 4e-4, 0.0216, 0.5, 0.931, 0.999, 1.0])
    for power in range(DEGREE + 1):
        values = np.log(np.array(x_grid())) ** power @ BASIS(places)
        np.testing.assert_allclose(values, np.log(places) ** power, rtol=1e-9, atol=1e-12)


def test_basis_is_one_at_its_node_and_zero_at_the_others():
    np.testing.assert_allclose(BASIS(np.array(x_grid())), np.eye(50), atol=1e-12)


@pytest.mark.parametrize("x", XS)
@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_constant_coefficient_function(x, power):
    # int_x^1 dz/z log(x/z)^n = log(x)^(n+1) (-1) / (n+1)
    value = _convolved(_rsl(reg=lambda z, _: 1.0), x, lambda u: np.log(u) ** power)
    assert value == pytest.approx(-(np.log(x) ** (power + 1)) / (power + 1), rel=1e-10)


@pytest.mark.parametrize("x", XS)
def test_plus_distribution(x):
    # int_x^1 dz/z [1/(1-z)]_+ = log((1-x)/x)
    value = _convolved(_rsl(sing=lambda z, _: 1 / (1 - z), loc=lambda x, _: np.log(1 - x)), x, np.ones_like)
    assert value == pytest.approx(np.log((1 - x) / x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("x", XS)
def test_plus_distribution_with_a_logarithm(x):
    # int_x^1 dz/z [log(1-z)/(1-z)]_+ = Li2(x) - Li2(1) + log(1-x)^2/2
    rsl = _rsl(sing=lambda z, _: np.log(1 - z) / (1 - z), loc=lambda x, _: 0.5 * np.log(1 - x) ** 2)
    expected = spence(1 - x) - np.pi**2 / 6 + 0.5 * np.log(1 - x) ** 2
    assert _convolved(rsl, x, np.ones_like) == pytest.approx(expected, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("x", XS[:-2])
def test_logarithm_at_the_end(x):
    # int_x^1 dz/z log(1-z) = Li2(x) - Li2(1)
    value = _convolved(_rsl(reg=lambda z, _: np.log(1 - z)), x, np.ones_like)
    assert value == pytest.approx(spence(1 - x) - np.pi**2 / 6, rel=3e-9)


@pytest.mark.parametrize("x", [1e-4, 0.02, 0.3])
@pytest.mark.parametrize("top", [0.35, 0.8, 0.9995])
def test_threshold(x, top):
    # int_x^t dz/z sqrt(1 - z/t) = 2 (artanh s - s), s = sqrt(1 - x/t)
    value = _convolved(_rsl(reg=lambda z, _: np.sqrt(max(1 - z / top, 0.0))), x, np.ones_like, top)
    s = np.sqrt(1 - x / top)
    assert value == pytest.approx(2 * (np.arctanh(s) - s), rel=1e-6)


def test_local_part_alone():
    assert _convolved(_rsl(loc=lambda x, _: 3.0), 0.2, np.log) == pytest.approx(3 * np.log(0.2), rel=1e-12)


def test_nothing_at_one():
    assert is_empty(1.0)
    assert is_empty(1.7)
    assert not is_empty(0.999)
