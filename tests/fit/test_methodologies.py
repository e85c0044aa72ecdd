"""What a runcard can ask of a fit: every spelling of its parameters, bases, layer types, dropout, many replicas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.catalogue import FITBASES
from hyperparton.data.masks import replica_seeds
from hyperparton.data.predictions import chi2, predict
from hyperparton.errors import TrainingError
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.run import fit_runcard
from hyperparton.fit.setup import FitSetup
from hyperparton.pdf.batched import network_shape
from hyperparton.pdf.dropout import dropout_mask
from hyperparton.runcard.parameters import Parameters, trial_parameters

SMALLX, LARGEX = [0.5, 0.8], [1.7, 3.4]


def fitting(fitbasis, trainable, large_x=True):
    """A runcard's section with wide ranges of the exponents for every flavour."""
    exponents = {"smallx": SMALLX, **({"largex": LARGEX} if large_x else {})}
    basis = [{"fl": fl, **exponents, "trainable": trainable} for fl in FITBASES[fitbasis]]
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
    setup = FitSetup(make_card(fitting=fitting(fitbasis, trainable)), data, (5, 16))
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
    alone = FitSetup(make_card(), data, (2,))
    together = fit(setup, epochs=60, **last)
    single = fit(alone, epochs=60, **last)
    assert single.replicas == (2,)
    np.testing.assert_allclose(leaves(single)[0], leaves(together)[1], atol=2e-4)
    for name in ("training_chi2", "validation_chi2", "experimental_chi2"):
        np.testing.assert_allclose(getattr(single, name)[0], getattr(together, name)[1], rtol=1e-3)


def test_seeds_of_networks(setup, make_card):
    """n3fit's rule for the seed of a replica; another nnseed gives other weights."""
    np.testing.assert_array_equal(setup.nnseeds, replica_seeds(make_card().nnseed, (1, 2)))


#: parameter -> spellings of one value; ABSENT leaves the key out
ABSENT = object()
SPELLINGS = {
    "nodes_per_layer": ([6, 5, 8], [6.0, 5e0, 8]),
    "activation_per_layer": (["tanh", "tanh", "linear"], ("tanh", "tanh", "linear")),
    "initializer": ("he_normal", "he_normal"),
    "optimizer": (
        {"optimizer_name": "SGD", "learning_rate": 1, "momentum": 0},
        {"optimizer_name": "SGD", "learning_rate": 1e0, "momentum": None, "clipnorm": 1, "nesterov": False},
    ),
    "epochs": (100, 1e2),
    "stopping_patience": (1, 1.0),
    "stopping_delta": (0, 0.0, None, ABSENT),
    "positivity": (
        {"initial": 100, "multiplier": 2},
        {"initial": 1e2, "multiplier": 2.0, "threshold": None},
        {"initial": 100, "multiplier": 2, "threshold": 1e-6},
    ),
    "integrability": ({}, {"initial": None, "multiplier": None}, None, ABSENT),
    "layer_type": ("dense", None, ABSENT),
    "dropout": (0, 0.0, None, ABSENT),
    "regularizer": (None, ABSENT),
    "regularizer_args": (None, ABSENT),
    "threshold_chi2": (10, 1e1, None, ABSENT),
    "feature_scaling_points": (10, 1e1),
}


@pytest.mark.parametrize("key", Parameters.model_fields)
def test_a_parameter_means_the_same_in_every_spelling(parameters, key):
    """In a card and in a trial, to the type of each number: 1e1 is 10 where points are counted."""
    spelt = [{k: v for k, v in {**parameters, key: value}.items() if v is not ABSENT} for value in SPELLINGS[key]]
    read = [
        Methodology.from_parameters(road(each))
        for each in spelt
        for road in (Parameters.model_validate, trial_parameters)
    ]
    assert len({repr(methodology) for methodology in read}) == 1


def test_a_regularizer_means_the_same_in_every_spelling(parameters):
    given = ({"l1": 1}, {"l1": 1.0, "l2": None}, {"l1": 1e0, "l2": 0})
    spelt = [{**parameters, "regularizer": "l1_l2", "regularizer_args": each} for each in given]
    assert len({repr(Methodology.from_parameters(trial_parameters(each))) for each in spelt}) == 1


def test_feature_scaling_with_its_points_as_1e1(make_card, data, leaves):
    """It passed the check of a card and ended its fit."""
    cards = [
        make_card(fitting=fitting("EVOL", False, large_x=False), parameters={**make_card().scan_parameters(), **more})
        for more in ({"feature_scaling_points": 10, "epochs": 3}, {"feature_scaling_points": 1e1, "epochs": 3e0})
    ]
    first, second = (fit_runcard(card, data, (1,)) for card in cards)
    np.testing.assert_array_equal(leaves(first), leaves(second))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"epochs": 0, "dropout": 1.5}, "epochs: is out of range, given 0, .*dropout: is out of range, given 1.5"),
        ({"optimizer": {"optimizer_name": "Adamm"}}, "optimizer_name: unknown optimizer .did you mean 'Adam'"),
        ({"initializer": None}, "initializer: unknown initializer, given nothing"),
        ({"regularizer_args": {"l1": 1}}, "regularizer_args are given, but no regularizer"),
        ({"activation_per_layer": ["tanh"]}, "must have the same length, given 3 and 1 layer"),
    ],
)
def test_what_is_wrong_with_the_parameters_of_a_trial_is_told_at_once(parameters, changed, told):
    with pytest.raises(TrainingError, match=f"^the parameters of a fit: .*{told}"):
        trial_parameters({**parameters, **changed})


def test_a_trial_is_read_as_n3fit_reads_it(parameters):
    """One activation for all layers, fractions of epochs, several parameters at once, whole sets, unknown keys."""
    expected = trial_parameters({**parameters, "epochs": 12, "dropout": 0.25})
    few = {"activation_per_layer": lambda depth: ["tanh"] * (depth - 1) + ["linear"], "epochs": 12.9, "unknown": 1}
    assert trial_parameters({**parameters, **few, "both": {"dropout": 0.25}}, ["both"]) == expected
    assert trial_parameters({"parameters": {**parameters, "epochs": 12, "dropout": 0.25}}) == expected
    assert trial_parameters({**parameters, "activation_per_layer": "tanh", "epochs": 12, "dropout": 0.25}) == expected


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
    training = setup.full_fit.training[0]
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
