"""Sum rules in real fits, by a fine integral of the PDFs that does not know the quadrature of the fit."""

import numpy as np
import pytest

from hyperparton.data.types import EVOLUTION_BASIS
from hyperparton.fit.setup import FitSetup
from hyperparton.pdf.bases import working_to_evolution
from hyperparton.pdf.model import Points

EPOCHS = (1, 2, 3, 5, 8, 13, 40, 150)
# Simpson's rule in log x
T = np.linspace(np.log(1e-9), 0.0, 8001)
X = np.exp(T)
WEIGHTS = (T[1] - T[0]) / 3.0 * np.array([1, *[4, 2] * ((len(T) - 3) // 2), 4, 1])


def integrals(xf):
    """Momentum and the three valence numbers (rep,) of x f (rep, x, evol), each over its rule's value."""
    of = {name: xf[:, :, EVOLUTION_BASIS.index(name)] for name in ("sigma", "g", "v", "v3", "v8")}
    momentum = (of["sigma"] + of["g"]) @ (WEIGHTS * X)
    return np.array([momentum, of["v"] @ WEIGHTS / 3.0, of["v3"] @ WEIGHTS, of["v8"] @ WEIGHTS / 3.0])


def test_the_integral_itself():
    """Against beta functions."""
    from scipy.special import beta

    xf = X**0.5 * (1 - X) ** 1.5
    assert xf @ WEIGHTS == pytest.approx(beta(0.5, 2.5) - 2 * 1e-9**0.5, rel=1e-7)
    assert xf @ (WEIGHTS * X) == pytest.approx(beta(1.5, 2.5), rel=1e-7)


@pytest.mark.parametrize("epochs", EPOCHS)
def test_at_every_epoch(setup, fit, last, epochs):
    result = fit(setup, epochs=epochs, **last)
    np.testing.assert_allclose(integrals(result.xf(X)), 1.0, atol=1e-5)
    # and in single precision
    model, points = result.trained.model, result.trained.model.points(X)
    single = Points(*(np.asarray(a, np.float32) for a in vars(points).values()))
    xf = np.asarray(model.xf(result.trained.parameters, single), np.float64) @ working_to_evolution().T
    np.testing.assert_allclose(integrals(xf), 1.0, atol=1e-5)


@pytest.mark.parametrize(("mode", "holds"), [("MSR", [True, False]), ("VSR", [False, True]), (False, [False, False])])
def test_modes(make_card, data, fit, last, mode, holds):
    """Each rule holds where it is asked for, and where it is not the fit does not hit it by chance."""
    setup = FitSetup(make_card(sum_rules=mode), data, (1,))
    small = {"nodes_per_layer": [6, 8], "activation_per_layer": ["tanh", "linear"]}
    momentum, *valence = integrals(fit(setup, epochs=20, **small, **last).xf(X))
    off = np.abs(np.array([momentum[0], *np.ravel(valence)]) - 1.0)
    assert bool(off[0] < 1e-5) is holds[0]
    assert bool(np.all(off[1:] < 1e-5)) is holds[1]
    assert holds[1] or np.all(off[1:] > 1e-3)
