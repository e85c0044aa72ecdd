"""The gradient of the compiled program, from one step of plain gradient descent, against finite differences.

The loss that is differenced is written out here in double precision: chi2 of the training data, positivity and
integrability with their first multipliers.
"""

import numpy as np
import pytest

from hyperparton.data.predictions import predict

RATE = 1e-6
POSITIVITY, INTEGRABILITY = 100.0, 10.0
DESCENT = {"optimizer_name": "SGD", "learning_rate": RATE, "clipnorm": 1e30}


def elu(y):
    """The loss of a positivity point, with n3fit's alpha, in double precision."""
    return np.where(y > 0, y, 1e-7 * np.expm1(np.minimum(y, 0.0)))


@pytest.fixture(scope="module")
def step(setup, fit, last):
    """A function that does one step; its arguments replace parameters."""
    return lambda **parameters: fit(setup, epochs=1, optimizer=DESCENT, **{**last, **parameters})


@pytest.fixture(scope="module")
def start(setup, step):
    """Parameters before the step."""
    model = step().trained.model
    return model, model.start("glorot_normal", setup.nnseeds)


def loss(setup, model, parameters):
    """(rep,) training loss."""
    features = setup.compressed.features(model.evaluate(parameters, setup.grid))
    training = setup.full_fit.training
    total = np.array([chi2(features[r : r + 1])[0] for r, chi2 in enumerate(training)])

    def xf(x, q0):
        return np.swapaxes(model.evaluate_evolution(parameters, x), 1, 2)

    for observable in setup.data.positivity:
        total += elu(-POSITIVITY * predict(observable, xf)).sum(axis=-1)
    for observable in setup.data.integrability:
        total += ((INTEGRABILITY * predict(observable, xf)) ** 2).sum(axis=-1)
    return total


def moved(parameters, direction, size):
    """Parameters a distance `size` along `direction`, layer by layer."""
    layers = [
        {kind: np.asarray(layer[kind], float) + size * along[kind] for kind in layer}
        for layer, along in zip(parameters["layers"], direction, strict=True)
    ]
    return {**parameters, "layers": layers}


def test_gradient_of_the_training_loss(setup, step, start):
    model, before = start
    after = step().trained.parameters["layers"]
    gradient = [
        {kind: (np.asarray(old[kind], float) - np.asarray(new[kind], float)) / RATE for kind in old}
        for old, new in zip(before["layers"], after, strict=True)
    ]
    rng = np.random.default_rng(4)
    for _ in range(5):
        direction = [{kind: rng.normal(size=layer[kind].shape) for kind in layer} for layer in before["layers"]]
        size = 1e-6
        ahead, behind = (loss(setup, model, moved(before, direction, sign * size)) for sign in (1, -1))
        expected = (ahead - behind) / (2 * size)
        terms = [(g[kind] * d[kind]).reshape(2, -1) for g, d in zip(gradient, direction, strict=True) for kind in g]
        ours = np.concatenate(terms, axis=1)
        # the step is rounded to single precision, and the terms of the sum cancel
        np.testing.assert_allclose(ours.sum(axis=1), expected, atol=2e-3 * np.abs(ours).sum(axis=1).min())


def test_regularizers_add_their_own_gradient(step, start):
    """l1 |w| + l2 w^2 of the kernels: the step changes by -rate (l1 sign w + 2 l2 w), biases as without."""
    _, before = start
    l1, l2 = 3e4, 5e4
    plain = step().trained.parameters["layers"]
    both = step(regularizer="l1_l2", regularizer_args={"l1": l1, "l2": l2}).trained.parameters["layers"]
    for old, without, with_it in zip(before["layers"], plain, both, strict=True):
        kernel = np.asarray(old["kernel"], float)
        expected = -RATE * (l1 * np.sign(kernel) + 2 * l2 * kernel)
        np.testing.assert_allclose(with_it["kernel"] - without["kernel"], expected, atol=2e-6)
        np.testing.assert_array_equal(with_it["bias"], without["bias"])
