"""Convolutions against sums written out, on small made-up tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.data.types import FKTable, Observable
from hyperparton.errors import DataError
from hyperparton.fit.observables import build_convolution, union_grid
from hyperparton.fit.projection import build_projection
from hyperparton.pdf.bases import working_to_evolution

RNG = np.random.default_rng(1)
COARSE, FINE = np.array([1e-3, 0.1, 0.7]), np.array([1e-4, 1e-3, 0.1, 0.4, 0.7, 1.0])


def linear(ndata, x, channels=(1, 2, 9)):
    values = RNG.normal(size=(ndata, len(channels), len(x))) + 3.0
    return FKTable("linear", 1.65, x, False, np.array(channels), values)


def bilinear(ndata, x, channels=((1, 1), (2, 1), (0, 3), (1, 2), (4, 13))):
    values = RNG.normal(size=(ndata, len(channels), len(x), len(x)))
    return FKTable("bilinear", 1.65, x, True, np.array(channels), values)


def by_hand(table, xf_evolution, grid):
    """Prediction of one table for one model, xf_evolution (x, evol), with explicit loops."""
    at = [int(np.argmin(np.abs(grid - x))) for x in table.xgrid]
    out = np.zeros(len(table.values))
    for d, block in enumerate(table.values):
        for c, channel in enumerate(table.channels):
            for i, xi in enumerate(at):
                if not table.hadronic:
                    out[d] += block[c, i] * xf_evolution[xi, channel]
                    continue
                for j, xj in enumerate(at):
                    out[d] += block[c, i, j] * xf_evolution[xi, channel[0]] * xf_evolution[xj, channel[1]]
    return out


OBSERVABLES = [
    (Observable("sum", "ADD", (linear(4, COARSE), linear(4, FINE)), 4), lambda a, b: a + b),
    (Observable("dy", "NULL", (bilinear(5, COARSE),), 5), lambda a: a),
    (Observable("ratio", "RATIO", (linear(3, FINE), linear(3, COARSE, (1, 6))), 3), lambda a, b: a / b),
    (Observable("asymmetry", "ASY", (bilinear(2, COARSE), bilinear(2, FINE)), 2), lambda a, b: (a - b) / (a + b)),
    (Observable("smn", "SMN", tuple(linear(2, FINE) for _ in range(4)), 2), lambda a, b, c, d: (a + b) / (c + d)),
    (Observable("plain", "NULL", (linear(2, FINE, (12, 5)),), 2), lambda a: a),
]


def test_predictions_of_all_kinds_together():
    observables = [o for o, _ in OBSERVABLES]
    convolution = build_convolution(observables)
    np.testing.assert_array_equal(convolution.grid, FINE)
    xf = RNG.normal(size=(3, len(FINE), 8)) + 2.0
    predictions = convolution.predict(xf)
    assert predictions.shape == (3, sum(o.ndata for o in observables))
    evolution = xf @ working_to_evolution().T
    for m in range(3):
        expected = [op(*(by_hand(t, evolution[m], FINE) for t in o.tables)) for o, op in OBSERVABLES]
        np.testing.assert_allclose(predictions[m], np.concatenate(expected), rtol=1e-12)


def test_compiled_and_double_precision_agree():
    """The projection of a program: linear features and what is not linear, of all kinds of observables."""
    convolution = build_convolution([o for o, _ in OBSERVABLES])
    compressed = convolution.compressed(np.eye(len(convolution.matrix)))
    linear = compressed.basis.shape[1]
    xf = RNG.normal(size=(2, len(FINE), 8)) + 2.0
    projection = jax.tree.map(jnp.asarray, build_projection(compressed, linear))
    outputs, same = jax.jit(lambda made, f: made(f))(projection, jnp.asarray(np.swapaxes(xf, 1, 2), jnp.float32))
    expected = compressed.features(xf)
    for each in (outputs[0], same[0]):
        np.testing.assert_allclose(each.linear, expected[:, :linear], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(each.nonlinear, expected[:, linear:], rtol=1e-3, atol=1e-4)


def test_union_grid_merges_equal_nodes():
    near = COARSE * (1 + 1e-12)
    observables = [Observable("a", "NULL", (linear(1, COARSE),), 1), Observable("b", "NULL", (linear(1, near),), 1)]
    np.testing.assert_allclose(union_grid(observables), COARSE)


@pytest.mark.parametrize(
    ("observable", "message"),
    [
        (
            Observable("odd", "RATI", (linear(1, FINE),), 1),
            "odd: FK tables are joined by RATI of 1, accepted: NULL of 1",
        ),
        (
            Observable("short", "RATIO", (linear(1, FINE),), 1),
            "short: FK tables are joined by RATIO of 1, .*RATIO of 2",
        ),
    ],
)
def test_wrong_operations(observable, message):
    with pytest.raises(DataError, match=message):
        build_convolution([observable])
