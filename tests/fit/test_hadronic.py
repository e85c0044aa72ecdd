"""Tables of two protons, folded and merged, against sums written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.data.types import FKTable, Observable
from hyperparton.fit.hadronic import bilinear_prediction, merged, prepare_bilinear
from hyperparton.fit.observables import build_convolution
from hyperparton.fit.projection import build_projection
from hyperparton.pdf.bases import working_to_evolution

RNG = np.random.default_rng(3)
GRID = np.geomspace(1e-4, 1.0, 12)
#: (rows, places on the grid, channels): like tables whose union is cheap, and some that share little
SHAPES = [
    (4, np.arange(4, 12), ((1, 1), (2, 1), (1, 2), (3, 6))),
    (9, np.arange(4, 12), ((1, 1), (2, 1), (2, 2))),
    (3, np.arange(5, 12), ((1, 2), (2, 2))),
    (5, np.arange(0, 12), ((9, 10), (10, 9), (0, 3))),
    (2, np.arange(2, 7, 2), ((4, 13), (12, 5), (7, 4))),
    (6, np.arange(8, 12), ((0, 1), (0, 2))),  # a photon alone: no values at Q0
]


@pytest.fixture(scope="module")
def tables():
    made = []
    for rows, places, channels in SHAPES:
        values = RNG.normal(size=(rows, len(channels), len(places), len(places)))
        made.append(FKTable(f"t{len(made)}", 1.65, GRID[places], True, np.array(channels), values))
    return made


@pytest.fixture(scope="module")
def xf():
    """(model, working, x)."""
    return RNG.uniform(0.5, 1.5, size=(3, 8, len(GRID)))


def prepared(table):
    return prepare_bilinear(table.channels, table.values, np.searchsorted(GRID, table.xgrid))


def written_out(table, xf):
    """(dat,) sum over channels and nodes for one model (working, x)."""
    evolution = working_to_evolution() @ xf
    at = np.searchsorted(GRID, table.xgrid)
    return sum(
        np.einsum("dxy,x,y->d", table.values[:, c], evolution[one, at], evolution[two, at])
        for c, (one, two) in enumerate(table.channels)
    )


def expected(tables, xf):
    return [np.stack([written_out(table, model) for model in xf]) for table in tables]


def test_folded_channels_predict_the_same(tables, xf):
    for table, values in zip(tables, expected(tables, xf), strict=True):
        np.testing.assert_allclose(bilinear_prediction(prepared(table), xf, np), values, rtol=1e-12, atol=1e-12)


def test_flavours_that_are_equal_at_q0_are_one_channel(tables):
    """V15, V24 and V35 are V, T24 and T35 are Sigma; both orders of a pair are one; a photon has no channel."""
    # (sng, sng), (g, sng) twice, (v, v)
    assert len(prepared(tables[0]).left) == 3
    # (t3, t8) twice, photon
    assert len(prepared(tables[3]).left) == 1
    # (v3, sng)... (4, 13) is (v3, sng), (12, 5) is (sng, v8), (7, 4) is (v, v3)
    assert len(prepared(tables[4]).left) == 3


def test_merged_tables_predict_the_same(tables, xf):
    made = merged([prepared(table) for table in tables])
    assert sorted(number for _, members in made for number in members) == list(range(len(tables)))
    assert len(made) < len(tables)
    values = expected(tables, xf)
    for table, members in made:
        assert table.values.dtype == np.float32
        together = np.concatenate([values[number] for number in members], axis=1)
        predictions = bilinear_prediction(table, xf, np)
        np.testing.assert_allclose(predictions, together, rtol=1e-5, atol=1e-6 * np.abs(together).max())


def test_merging_saves_work(tables):
    """Rows and luminosities together; what the union of two tables would add in zeros counts."""

    def cost(made):
        return sum((len(table.values) + 32) * table.values.shape[1] for table in made)

    each = [prepared(table) for table in tables]
    together = [table for table, _ in merged(each)]
    assert cost(together) < cost(each)
    assert cost([table for table, _ in merged(together)]) == cost(together)
    assert merged([]) == []


@pytest.mark.parametrize("models", [1, 2, 3])
def test_a_model_does_not_depend_on_how_many_there_are(tables, xf, models):
    """Predictions and gradients of the compiled form, one model among them, against double precision."""
    table = merged([prepared(tables[1])])[0][0]
    weights = RNG.normal(size=(1, len(tables[1].values)))

    def total(xf):
        return jnp.sum(bilinear_prediction(table, xf) * weights.astype(np.float32))

    some = jnp.asarray(xf[:models], jnp.float32)
    predictions = jax.jit(lambda xf: bilinear_prediction(table, xf))(some)
    assert predictions.shape == (models, len(tables[1].values))
    np.testing.assert_allclose(predictions, expected(tables[1:2], xf[:models])[0], rtol=1e-5, atol=1e-4)
    gradient = np.asarray(jax.jit(jax.grad(total))(some), float)
    # a form is quadratic, so a central difference of any step is its derivative
    step = np.zeros_like(xf[:models])
    step[0, 1, 6] = step[-1, 0, 7] = 0.25

    def plain(xf):
        return float(np.sum(expected(tables[1:2], xf)[0] * weights))

    difference = (plain(xf[:models] + step) - plain(xf[:models] - step)) / 2
    assert np.sum(gradient * step) == pytest.approx(difference, rel=1e-4, abs=1e-4)
    if models > 1:
        alone = jax.jit(lambda xf: bilinear_prediction(table, xf))(some[:1])
        np.testing.assert_allclose(alone, predictions[:1], rtol=2e-6, atol=1e-5)


def test_rows_of_merged_tables_go_to_their_observables(tables, xf):
    """A program's projection of several observables, whose tables are merged in another order."""
    three = tables[:3]
    observables = [
        Observable("one", "NULL", (tables[4],), 2),
        Observable("ratio", "RATIO", (cut(three[0], 3), three[2]), 3),
        Observable("asymmetry", "ASY", (cut(three[1], 3), three[2]), 3),
        Observable("two", "NULL", (tables[3],), 5),
    ]
    convolution = build_convolution(observables, GRID)
    compressed = convolution.compressed(np.eye(13))
    projection = jax.tree.map(jnp.asarray, build_projection(compressed, compressed.basis.shape[1]))
    assert len(projection.bilinear) < 6
    outputs, _ = jax.jit(lambda made, f: made(f))(projection, jnp.asarray(xf, jnp.float32))
    a, b, c = expected([cut(three[0], 3), cut(three[1], 3), three[2]], xf)
    values = [expected([tables[4]], xf)[0], a / c, (b - c) / (b + c), expected([tables[3]], xf)[0]]
    np.testing.assert_allclose(outputs[0].nonlinear, np.concatenate(values, axis=1), rtol=1e-3, atol=1e-4)


def cut(table, rows):
    """The first rows of a table."""
    return FKTable(table.name, table.q0, table.xgrid, True, table.channels, table.values[:rows])
