"""What a runcard can ask of a fit: bases, layer types, trained exponents, feature scaling, dropout, many replicas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.catalogue import FITBASES
from hyperparton.data.masks import replica_seeds
from hyperparton.data.predictions import chi2, predict
from hyperparton.fit import fit_runcard
from hyperparton.fit.setup import FitSetup
from hyperparton.pdf.batched import network_shape
from hyperparton.pdf.dropout import dropout_mask

SMALLX, LARGEX = [0.5, 0.8], [1.7, 3.4]


def fitting(fitbasis, trainable):
    """A runcard's section with wide ranges of the exponents for every flavour."""
    basis = [{"fl": fl, "smallx": SMALLX, "largex": LARGEX, "trainable": trainable} for fl in FITBASES[fitbasis]]
    return {"fitbasis": fitbasis, "basis": basis}


# (fitbasis, trained exponents, what differs from the base)
KINDS = {
    "flavours": ("FLAVOUR", True, {}),
    "charm": ("NN31IC", False, {"layer_type": "dense_per_flavour", "feature_scaling_points": 8}),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request, make_card, data, fit):
    """A setup and a function that fits it."""
    fitbasis, trainable, parameters = KINDS[request.param]
    # replicas that start far from the poles of ratios and sum rules: others need longer to get away from them
    setup = FitSetup.from_runcard(make_card(fitting=fitting(fitbasis, trainable)), data, (5, 16))
    return request.param, setup, lambda **more: fit(setup, **parameters, **more)


def test_every_kind_of_fit_learns(kind, last):
    _, _, run = kind
    chi2 = np.array([run(epochs=epochs, **last).training_chi2 for epochs in (1, 40, 150)])
    assert np.all(np.isfinite(chi2))
    assert np.all(np.diff(chi2, axis=0) < 0)
    assert np.all(chi2[-1] < 0.5 * chi2[0])


def test_exponents(kind, last):
    """Trained ones move and stay in their ranges, fixed ones stay; each replica has its own draw."""
    name, _, run = kind
    start, end = (run(epochs=epochs, **last).trained.parameters["exponents"] for epochs in (1, 150))
    trained = KINDS[name][1]
    for exponent, (low, high) in (("alpha", SMALLX), ("beta", LARGEX)):
        if exponent == "beta" and name == "charm":
            # feature scaling has no (1-x)^beta
            np.testing.assert_array_equal(end[exponent], 0.0)
            continue
        assert np.all((np.float32(low) <= end[exponent]) & (end[exponent] <= np.float32(high)))
        assert np.any(end[exponent] != start[exponent]) == trained
        assert np.all(start[exponent][0] != start[exponent][1])


def test_pdfs_vanish_at_one_and_obey_charge_conjugation(kind):
    """V15 = V24 = V35 = V, T24 = T35 = Sigma and no photon below the bottom mass."""
    _, _, run = kind
    xf = run(epochs=40).xf(np.array([1e-4, 0.1, 0.7, 1.0]))
    assert np.all(np.abs(xf[:, -1]) < 1e-6 * np.abs(xf).max())
    np.testing.assert_array_equal(xf[:, :, 0], 0.0)
    for first, others in ((3, (6, 7, 8)), (1, (12, 13))):
        for other in others:
            np.testing.assert_array_equal(xf[:, :, other], xf[:, :, first])


def test_replicas_at_once_are_the_replicas_one_by_one(setup, make_card, data, fit, last, leaves):
    alone = FitSetup.from_runcard(make_card(), data, (2,))
    together = fit(setup, epochs=60, **last)
    single = fit(alone, epochs=60, **last)
    assert single.replicas == (2,)
    np.testing.assert_allclose(leaves(single)[0], leaves(together)[1], atol=2e-4)
    for name in ("training_chi2", "validation_chi2", "experimental_chi2"):
        np.testing.assert_allclose(getattr(single, name)[0], getattr(together, name)[1], rtol=1e-3)


def test_seeds_of_networks(setup, make_card):
    """n3fit's rule for the seed of a replica; another nnseed gives other weights."""
    np.testing.assert_array_equal(setup.nnseeds, replica_seeds(make_card().nnseed, (1, 2)))


def test_fit_runcard_takes_the_parameters_of_the_card(setup, make_card, data, fit, leaves):
    result, expected = fit_runcard(make_card(), data, (1, 2)), fit(setup)
    np.testing.assert_array_equal(leaves(result), leaves(expected))
    assert result.central_chi2 == expected.central_chi2


def test_chi2_of_the_mean_pdf(setup, fit):
    """From the predictions of the mean PDF, which for the ratio is not the mean of the predictions."""
    result, data = fit(setup), setup.data
    mean = np.concatenate([predict(d.observable, lambda x, q0: result.xf(x).mean(axis=0).T) for d in data.datasets])
    expected = chi2(data.central, mean, data.covmat) / data.ndata
    assert result.central_chi2 == pytest.approx(expected, rel=1e-8)
    each = np.concatenate(
        [predict(d.observable, lambda x, q0: np.swapaxes(result.xf(x), 1, 2)) for d in data.datasets], axis=-1
    )
    np.testing.assert_allclose(result.experimental_chi2, chi2(data.central, each, data.covmat) / data.ndata, rtol=1e-8)


def test_dropout(setup, fit, last, leaves):
    """Equal for equal seeds, different from none, and none is what a rate of zero is."""
    without, none = fit(setup, epochs=5, **last), fit(setup, epochs=5, dropout=0.0, **last)
    np.testing.assert_array_equal(leaves(without), leaves(none))
    once, again = (fit(setup, epochs=5, dropout=0.3, **last) for _ in range(2))
    np.testing.assert_array_equal(leaves(once), leaves(again))
    assert np.all(np.any(leaves(once) != leaves(without), axis=1))
    # what is reported has no dropout in it: the chi2 of the network as it is
    features = setup.compressed.features(once.trained.model.evaluate(once.trained.parameters, setup.grid))
    training = setup.full_fit()[0].training[0]
    assert once.training_chi2[0] == pytest.approx(training(features[:1])[0] / training.ndata)


@pytest.mark.parametrize("rate", [0.06, 0.3])
def test_rate_of_dropout(setup, fit, rate):
    """Masks are 0 with the probability `rate` and 1/(1 - rate) otherwise, anew for every model and epoch."""
    shape = network_shape(fit(setup, epochs=1).trained.model, setup.grid)
    keys, rates = jnp.array([17, 18], jnp.uint32), jnp.full(2, rate, jnp.float32)
    masks = np.array([dropout_mask(shape, keys, rates, jnp.int32(epoch)) for epoch in range(40)])
    assert set(np.unique(masks).round(6)) == {0.0, np.float32(1 / (1 - rate)).round(6)}
    dropped = (masks == 0).mean(axis=(0, 2, 3))
    sigma = np.sqrt(rate * (1 - rate) / masks[:, 0].size)
    np.testing.assert_allclose(dropped, rate, atol=5 * sigma)
    flat = masks.reshape(80, -1)
    assert len(np.unique(flat, axis=0)) == 80


def test_initial_weights_do_not_depend_on_the_batch(setup, fit):
    model = fit(setup, epochs=1).trained.model
    both, second = (model.start("glorot_normal", seeds) for seeds in (setup.nnseeds, setup.nnseeds[1:]))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1:], b), both, second)
