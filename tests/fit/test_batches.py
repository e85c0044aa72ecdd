"""The compiled program against its parts in double precision, and that chunks of models change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton import host
from hyperparton.fit import parallel
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.chi2 import reduce_points, stack
from hyperparton.fit.losses import displacement
from hyperparton.fit.projection import build_projection
from hyperparton.fit.quadratic import quadratic, split_quadratic


def test_chi2_in_single_precision(setup, fit):
    """The form of a program, of PDFs at the start and at the end of a fit, against all features in double precision."""
    fold, made = setup.full_fit, setup.predictions
    arrays = build_projection(made.convolution, made.linear, made.positivity.convolution)
    projection = jax.tree.map(jnp.asarray, arrays)
    form = stack(fold.training, made.kept)
    origin = jnp.asarray(fold.training[0].origin[made.kept], jnp.float32)
    for epochs in (1, 150):
        trained = fit(setup, epochs=epochs).trained
        xf = trained.model.evaluate(trained.parameters, setup.grid)
        outputs, _ = projection(jnp.asarray(np.swapaxes(xf, 1, 2), jnp.float32))
        ours = np.asarray(quadratic(form, displacement(origin, outputs[0])))
        predictions = setup.convolution.predict(xf)
        for r, training in enumerate(fold.training):
            features = setup.compressed.features(xf[r : r + 1])
            np.testing.assert_allclose(features @ setup.compressed.matrix.T, predictions[r : r + 1], rtol=1e-6)
            assert ours[r] == pytest.approx(training(features)[0], rel=1e-5)


@pytest.fixture
def chunks_of(monkeypatch):
    return lambda size: monkeypatch.setattr(parallel, "chunk_size", lambda models, folds, wide=False: size)


def test_chunks(setup, fit, leaves, chunks_of):
    """One by one, two together and with a free place: the same fits, to the rounding of products of other shapes."""
    results = []
    for size in (1, 2, 3):
        chunks_of(size)
        results.append(fit(setup, epochs=60))
    for other in results[1:]:
        np.testing.assert_allclose(leaves(other), leaves(results[0]), atol=2e-4)
        np.testing.assert_array_equal(other.best_epoch, results[0].best_epoch)


def test_packing(setup, fit, leaves, chunks_of):
    """A model that goes on while another has stopped, and is packed anew, ends as it would have without."""
    options = {
        "optimizer": {"optimizer_name": "Adam", "learning_rate": 0.05, "clipnorm": 1e-5},
        "positivity": {"initial": 100.0, "multiplier": 1.1, "threshold": 1e9},
        "threshold_chi2": 1e9,
        "stopping_patience": 0.1,
        "epochs": 400,
    }
    chunks_of(1)
    packed = fit(setup, **options)
    assert len(set(packed.stop_epoch.tolist())) == 2
    again = fit(setup, **options)
    np.testing.assert_array_equal(leaves(packed), leaves(again))
    chunks_of(2)
    together = fit(setup, **options)
    # at so large a rate rounding grows: the stopping is what is compared
    assert np.all(np.diff(np.sort(together.stop_epoch)) > 0)
    assert np.all((packed.stop_epoch - packed.best_epoch)[packed.stop_epoch < 399] == 41)


def test_a_fit_is_repeated_to_the_last_digit(setup, fit, leaves):
    once, again = (fit(setup, epochs=120, dropout=0.2) for _ in range(2))
    np.testing.assert_array_equal(leaves(once), leaves(again))
    np.testing.assert_array_equal(once.validation_chi2, again.validation_chi2)


@pytest.mark.parametrize(("told", "expected"), [("", 6), ("2", 2), ("9", 6), ("0", 6), ("many", 6)])
def test_workers_share_the_cores_and_chunks_stay_as_they_are(monkeypatch, told, expected):
    monkeypatch.setattr(host, "cores", lambda: 6)
    monkeypatch.setattr(parallel.jax, "default_backend", lambda: "cpu")
    monkeypatch.setenv("NPROC", told)
    assert parallel.threads() == expected
    assert parallel.chunk_size(60) == 5


@pytest.mark.parametrize("same", [False, True])
def test_training_and_validation_from_one_matrix(setup, same):
    """Both chi2 of eigenmodes that are split, and the gradient of the first, against the forms in double precision."""
    fold = setup.full_fit
    kept = np.ones(setup.compressed.matrix.shape[1], bool)
    training, validation, whole = BatchData(fold.training, fold.validation, [1, 2], [0, 0], kept).chi2_arrays
    assert whole is not None
    assert validation[0] is None
    rng = np.random.default_rng(4)
    e, other = (rng.normal(size=(2, len(kept))) for _ in range(2))
    other = e if same else other
    arrays = [
        jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), a) for a in (training, validation, whole[0], e, other)
    ]

    def both(*forms):
        def total(x):
            return sum(map(jnp.sum, split_quadratic(same, *forms[:3], x, x)))

        return split_quadratic(same, *forms), jax.grad(total)(e)

    values, gradient = jax.jit(both)(*arrays)
    origin = fold.training[0].origin
    for r in range(2):
        expected = [form[r]((origin + at[r])[None])[0] for form, at in ((fold.training, e), (fold.validation, other))]
        np.testing.assert_allclose([v[r] for v in values], expected, rtol=2e-5)
        slope = 2.0 * (fold.training[r].hessian @ e[r] - fold.training[r].pull)
        np.testing.assert_allclose(gradient[r], slope, atol=2e-5 * np.abs(slope).max())


def test_a_split_holds_one_matrix_for_both_parts(setup):
    """Training and validation of all replicas: a matrix for each replica, and one for what they are parts of."""
    fold = setup.full_fit
    held = [array for chi2 in (*fold.training, *fold.validation) for array in (chi2.part, chi2.whole)]
    matrices = {id(array) for array in held if array is not None}
    assert len(matrices) == len(fold.training) + 1
    (whole,) = [chi2.whole for chi2 in (fold.training[0], fold.validation[0]) if chi2.whole is not None]
    for training, validation in zip(fold.training, fold.validation, strict=True):
        np.testing.assert_allclose(training.hessian + validation.hessian, whole, atol=1e-12 * np.abs(whole).max())


def test_points_that_are_split_share_no_matrix(setup, data):
    """With a covariance between them, training and validation points of two replicas do not add up to the same."""
    matrix, rng = setup.compressed.matrix, np.random.default_rng(6)
    everything = np.ones(data.ndata, bool)
    masks = rng.random((2, data.ndata)) < 0.75
    pairs = [
        [reduce_points(matrix, data.central, data.covmat, part, everything) for part in (mask, ~mask)] for mask in masks
    ]
    training, validation = zip(*pairs, strict=True)
    kept = np.ones(matrix.shape[1], bool)
    _, forms, whole = BatchData(list(training), list(validation), [1, 2], [0, 0], kept).chi2_arrays
    assert whole is None
    np.testing.assert_allclose(forms[0][1], validation[1].hessian, rtol=1e-6)
