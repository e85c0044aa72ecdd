"""The fast path of hadronic data, piece by piece, against full tables and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

from hyperparton.data.types import FKTable, Observable
from hyperparton.fit import pace
from hyperparton.fit.chi2 import PackedFactor
from hyperparton.fit.condensed import build_condensed, find_mixing, mixed_tables, sampled
from hyperparton.fit.hadronic import Bilinear, bilinear_prediction
from hyperparton.fit.moving import build_moving, can_move
from hyperparton.fit.observables import build_convolution
from hyperparton.fit.projection import to_device
from hyperparton.fit.second_order import combinations, condensed_tables

RNG = np.random.default_rng(8)
GRID = np.geomspace(1e-3, 1.0, 9)
#: the gluon, the singlet and valence, alone and in pairs
ONE = np.array([2, 1, 3])
TWO = np.array([[2, 2], [1, 2], [1, 1], [3, 1], [2, 1]])


def table(rows, hadronic=True, places=slice(3, 9)):
    x = GRID[places]
    channels = TWO if hadronic else ONE
    values = RNG.uniform(0.5, 1.5, size=(rows, len(channels), *([len(x)] * (2 if hadronic else 1))))
    return FKTable("t", 1.65, x, hadronic, channels, values)


OBSERVABLES = [
    Observable("linear", "NULL", (table(7, False),), 7),
    Observable("sum", "ADD", (table(5), table(5, places=slice(5, 9))), 5),
    Observable("ratio", "RATIO", (table(4), table(1)), 4),
    Observable("direct ratio", "RATIO", (table(3, False), table(3, False)), 3),
    Observable("asymmetry", "ASY", (table(2), table(2)), 2),
    Observable("plain", "NULL", (table(6),), 6),
]
CONSTRAINTS = [
    Observable("positive", "NULL", (table(3, places=slice(2, 9)),), 3),
    Observable("also positive", "NULL", (table(2, False),), 2),
]
POINTS = sum(o.ndata for o in OBSERVABLES)


def pdfs(models):
    """x f (model, x, working) of smooth and various shapes."""
    power = RNG.uniform(0.1, 0.6, size=(models, 1, 8)), RNG.uniform(1.0, 3.0, size=(models, 1, 8))
    x = GRID[None, :, None]
    return RNG.uniform(0.5, 2.0, size=(models, 1, 8)) * x ** power[0] * (1.05 - x) ** power[1]


@pytest.fixture(scope="module")
def fast():
    """The full convolution, the condensed rows, and the projections of both."""
    convolution = build_convolution(OBSERVABLES, GRID).compressed(np.eye(POINTS))
    central = convolution.predict(pdfs(1))[0]
    whitened = np.column_stack([convolution.matrix, central + RNG.normal(size=POINTS)])
    found, held = (sampled(convolution, whitened, pdfs(count)) for count in (150, 12))
    mixing = find_mixing(convolution, whitened, found, held, 1e-7, 64)
    condensed = build_condensed(convolution.nonlinear, mixing, pdfs(16), pdfs(100) - pdfs(100))
    constraints = build_convolution(CONSTRAINTS, GRID)
    moving = build_moving(convolution, convolution.basis.shape[1], condensed, constraints)
    return convolution, condensed, constraints, to_device(moving)


def by_flavour(xf):
    return jnp.asarray(np.swapaxes(xf, 1, 2), jnp.float32)


def test_mixed_tables_are_sums_of_rows():
    convolution = build_convolution(OBSERVABLES, GRID)
    tables = [t for o in convolution.nonlinear for t in o.tables if isinstance(t, Bilinear)]
    mixing = [RNG.normal(size=(4, len(t.values))) for t in tables]
    mixed = mixed_tables(list(zip(mixing, tables, strict=True)), 3, 9)
    np.testing.assert_array_equal(mixed.values, np.swapaxes(mixed.values, 1, 2))
    xf = pdfs(2)
    f = np.swapaxes(xf, 1, 2)[:, :, 3:].reshape(2, -1)
    each = [bilinear_prediction(t, np.swapaxes(xf, 1, 2), np) @ m.T for m, t in zip(mixing, tables, strict=True)]
    np.testing.assert_allclose(np.einsum("mi,rij,mj->mr", f, mixed.values, f), sum(each), rtol=1e-5, atol=1e-5)


def test_few_rows_hold_all_predictions(fast):
    """c times the lift is what is not linear, for PDFs that no sample had."""
    convolution, condensed, _, _ = fast
    xf = pdfs(5)
    nonlinear = convolution.features(xf)[:, -convolution.nonlinear_size :]
    again = nonlinear @ condensed.mixing.T @ condensed.lift.T
    np.testing.assert_allclose(again, nonlinear, rtol=1e-5)
    linear = convolution.features(xf)[:, : -convolution.nonlinear_size]
    features = np.concatenate([linear, nonlinear @ condensed.mixing.T], axis=1)
    np.testing.assert_allclose(features @ condensed.matrix(convolution).T, convolution.predict(xf), rtol=1e-5)


def test_rows_are_as_many_as_the_accuracy_needs():
    convolution = build_convolution(OBSERVABLES, GRID).compressed(np.eye(POINTS))
    whitened = np.column_stack([convolution.matrix, convolution.predict(pdfs(1))[0] + RNG.normal(size=POINTS)])
    found, held = (sampled(convolution, whitened, pdfs(count)) for count in (150, 12))
    rough, fine = (find_mixing(convolution, whitened, found, held, bound, 64) for bound in (1e6, 1e-9))
    assert len(rough.mixing) < len(fine.mixing) <= convolution.nonlinear_size
    assert find_mixing(convolution, whitened, found, held, 1e-9, 8) is None


@pytest.mark.parametrize("models", [1, 3, 9])
def test_where_it_is_made_an_expansion_is_exact(fast, models):
    convolution, condensed, constraints, moving = fast
    xf = pdfs(models)
    outputs = jax.jit(lambda f: moving.outputs(f, moving.expanded(f)))(by_flavour(xf))
    features = convolution.features(xf)
    size = convolution.basis.shape[1]
    expected = features[:, size:] @ condensed.mixing.T
    scale = np.abs(expected).max()
    np.testing.assert_allclose(outputs[0].nonlinear, expected, atol=3e-5 * scale)
    np.testing.assert_allclose(outputs[0].linear, features[:, :size], atol=1e-4 * np.abs(features[:, :size]).max())
    np.testing.assert_allclose(moving.predictions(outputs[1], 1), constraints.predict(xf), rtol=1e-5)


def test_the_expansion_is_exact_to_second_order(fast):
    """Against the full tables, of ratios too, for changes of ten per cent: single precision is what is left."""
    convolution, condensed, constraints, moving = fast
    xf, step = pdfs(2), 0.1 * pdfs(2)
    size = convolution.basis.shape[1]
    made = jax.jit(moving.expanded)(by_flavour(xf))
    outputs = jax.jit(lambda f: moving.outputs(f, made))(by_flavour(xf + step))
    rows = convolution.features(xf + step)[:, size:] @ condensed.mixing.T
    np.testing.assert_allclose(outputs[0].nonlinear, rows, atol=3e-5 * np.abs(rows).max())
    np.testing.assert_allclose(moving.predictions(outputs[1], 1), constraints.predict(xf + step), rtol=1e-4)


def test_combinations_hold_changes_of_their_kind():
    """Changes that lie in five directions need five combinations, and the second order of the tables is then exact."""
    tables = RNG.normal(size=(7, 30, 30)).astype(np.float32)
    tables += np.swapaxes(tables, 1, 2)
    kind = RNG.normal(size=(5, 30))
    into, back = combinations(tables, 5, RNG.normal(size=(4, 30)), RNG.normal(size=(60, 5)) @ kind)
    assert into.shape == (30, 5)
    change = RNG.normal(size=(3, 5)) @ kind
    np.testing.assert_allclose(change @ into @ back.T, change, atol=1e-8)
    few = condensed_tables(tables, back).reshape(5, 7, 5)
    own = change @ into
    expected = np.einsum("mi,rij,mj->mr", change, tables, change)
    told = np.einsum("mu,urv,mv->mr", own, few, own)
    np.testing.assert_allclose(told, expected, atol=1e-4 * np.abs(expected).max())


def test_gradients_flow_through_an_expansion(fast):
    _, _, _, moving = fast
    f = by_flavour(pdfs(3))
    weights = jnp.asarray(RNG.normal(size=(3, moving.sizes[0])), jnp.float32)

    @jax.jit
    def total(f, made):
        return jnp.sum(moving.outputs(f, made)[0].nonlinear * weights)

    made = jax.jit(moving.expanded)(f)
    step = 0.3 * by_flavour(pdfs(3))
    gradient = jax.grad(total)(f, made)
    # but for the ratio of one proton all is linear there
    difference = (total(f + 1e-2 * step, made) - total(f - 1e-2 * step, made)) / 2e-2
    assert float(jnp.sum(gradient * step)) == pytest.approx(float(difference), rel=2e-3)


def test_with_dropout_both_pdfs_are_exact(fast):
    _, _, _, moving = fast
    f, other = by_flavour(pdfs(2)), by_flavour(pdfs(2))
    first, second = jax.jit(moving.both)(f, other)
    exact = jax.jit(lambda f: moving.outputs(f, moving.expanded(f)))
    for outputs, at in ((first, f), (second, other)):
        alone = exact(at)
        for one, two in zip(outputs, alone, strict=True):
            np.testing.assert_allclose(one.nonlinear, two.nonlinear, rtol=1e-4, atol=1e-5 * np.abs(two.nonlinear).max())


def test_what_cannot_take_the_fast_path():
    none = build_convolution(CONSTRAINTS[1:], GRID)
    hadronic = build_convolution(OBSERVABLES, GRID)
    assert can_move(hadronic, [none])
    assert not can_move(build_convolution(OBSERVABLES[:1], GRID), [none])  # there is nothing of two protons
    mixed = Observable("both", "RATIO", (table(2), table(2, False)), 2)
    assert not can_move(build_convolution([mixed], GRID), [none])
    assert not can_move(hadronic, [build_convolution([OBSERVABLES[2]], GRID)])  # a ratio as a constraint


def test_the_pace_follows_the_error():
    """The error grows with the square of the distance: four times the accuracy halves the distance."""
    state = jax.tree.map(jnp.asarray, pace.start(5)._replace(interval=np.array([8, 8, 8, 8, 64], np.int32)))
    error = jnp.array([4e-6, 1e-6, 6e-8, jnp.nan, 1e-12])
    now = pace.due(state, jnp.asarray(8))
    assert now.tolist() == [True, True, True, True, False]
    paced = jax.jit(pace.paced)
    after = paced(state, now, jnp.asarray(8), error, jnp.asarray(1e-6))
    assert after.interval.tolist() == [4, 8, 32, 1, 64]
    assert after.made.tolist() == [8, 8, 8, 8, 0]
    assert after.count.tolist() == [1, 1, 1, 1, 0]
    begin = paced(state, pace.due(state, jnp.asarray(0)), jnp.asarray(0), error, jnp.asarray(1e-6))
    assert begin.interval.tolist() == [8, 8, 8, 8, 64]  # nothing was measured yet


def test_packed_factors_whiten_as_full_ones():
    matrix = RNG.normal(size=(7, 9))
    factor = linalg.cholesky(matrix @ matrix.T, lower=True)
    rows = RNG.normal(size=(7, 3))
    expected = linalg.solve_triangular(factor, rows, lower=True)
    packed = PackedFactor.of(factor)
    assert packed.packed.size == 7 * 8 // 2
    np.testing.assert_allclose(packed.whitened(rows), expected, rtol=1e-12)
    np.testing.assert_allclose(packed.whitened(rows[:, 0]), expected[:, 0], rtol=1e-12)
    assert PackedFactor.of(np.zeros((0, 0))).whitened(np.zeros((0, 3))).shape == (0, 3)
