"""The rule on the points of a grid against a finer one and against scipy, for functions that it was not fitted to."""

import numpy as np
import pytest
from scipy.special import beta, betainc

from hyperparton.pdf.sum_rule_grid import grid_quadrature
from hyperparton.pdf.sum_rules import X_MIN, gauss_panels

GRIDS = {
    "of FK tables": np.concatenate([[1e-9], np.geomspace(2e-7, 0.1, 30), np.linspace(0.13, 1.0, 18)]),
    "few points": np.array([1e-4, 1e-2, 0.3]),
    "many points": np.concatenate([np.geomspace(1e-9, 0.1, 60), np.linspace(0.12, 1.0, 20)]),
}


@pytest.fixture(params=list(GRIDS))
def rule(request):
    grid = GRIDS[request.param]
    rule = grid_quadrature(tuple(grid.tolist()))
    np.testing.assert_array_equal(rule.x[: len(grid)], grid)
    assert len(rule.x) % 16 == 0
    return rule


@pytest.mark.parametrize(("a", "b"), [(0.1, 3.0), (-0.1, 2.0), (0.2, 5.0)])
def test_momentum_of_a_beta_function(rule, a, b):
    """x f = x^a (1-x)^b: the integral is an incomplete beta function."""
    exact = beta(a + 1, b + 1) * (1.0 - betainc(a + 1, b + 1, X_MIN))
    assert rule.momentum @ (rule.x**a * (1 - rule.x) ** b) == pytest.approx(exact, rel=2e-6)


@pytest.mark.parametrize(("a", "b"), [(0.3, 3.0), (0.9, 1.6)])
def test_valence_of_a_beta_function(rule, a, b):
    exact = beta(a, b + 1) * (1.0 - betainc(a, b + 1, X_MIN))
    assert rule.valence @ (rule.x**a * (1 - rule.x) ** b) == pytest.approx(exact, rel=2e-6)


@pytest.mark.parametrize(("scale", "worst"), [(1.0, 5e-6), (3.0, 2e-3)])
def test_networks(rule, scale, worst):
    """Networks of another width and number of layers than those that the weights were fitted to."""
    t, dt = gauss_panels([float(v) for v in np.log([X_MIN, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1])], 40)
    y, dy = gauss_panels([0.1, 0.3, 0.5, 0.7, 0.9, 1.0], 40)
    fine, measure = np.concatenate([np.exp(t), y]), np.concatenate([np.exp(t) * dt, dy])
    rng = np.random.default_rng(2026)
    errors = []
    for _ in range(40):
        x = np.concatenate([rule.x, fine])
        h = np.stack([x, np.log(x)], axis=1)
        for width in (37, 33, 41):
            kernel = rng.normal(size=(h.shape[1], width)) * np.sqrt(2.0 / (h.shape[1] + width)) * scale
            h = np.tanh(h @ kernel + 0.2 * scale * rng.normal(size=width))
        out = h @ rng.normal(size=(41, 8)) * np.sqrt(2.0 / 49) * scale
        f = x[:, None] ** rng.uniform(0.25, 0.8, 8) * (1 - x[:, None]) ** rng.uniform(1.5, 5.5, 8) * out
        known, wanted = f[: len(rule.x)], f[len(rule.x) :]
        for weights, of in ((rule.momentum, measure), (rule.valence, measure / fine)):
            errors.append(np.abs(weights @ known - of @ wanted) / (of @ np.abs(wanted)))
    assert np.max(errors) < worst
    assert np.median(errors) < 0.02 * worst


def test_weights_do_not_magnify_rounding(rule):
    """Single precision is enough: the weights are of the size of the integral."""
    value = rule.x**0.3 * (1 - rule.x) ** 3
    for weights in (rule.momentum, rule.valence):
        assert np.sum(np.abs(weights * value)) < 3.0 * np.abs(weights @ value)


def test_repeatable():
    grid = tuple(GRIDS["few points"].tolist())
    first = grid_quadrature(grid)
    grid_quadrature.cache_clear()
    np.testing.assert_array_equal(grid_quadrature(grid).momentum, first.momentum)
