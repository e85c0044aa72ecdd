"""The PDF model that is compiled against the one in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.catalogue import FITBASES
from hyperparton.pdf import batched
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture
from hyperparton.pdf.preprocessing import Preprocessing

KINDS = [
    ("EVOL", "dense", ("tanh", "sigmoid", "linear"), False),
    ("NN31IC", "dense_per_flavour", ("tanh", "relu", "linear"), True),
    ("FLAVOUR", "dense", ("selu", "square_singlet", "modified_tanh"), True),
    ("CCBAR_ASYMM", "dense", ("tanh", "tanh", "linear"), False),
    ("CCBAR_ASYMM_FLAVOUR", "dense", ("tanh", "tanh", "linear"), False),
    ("PDF4LHC20", "dense", ("tanh", "tanh", "linear"), False),
]


@pytest.mark.parametrize(("fitbasis", "layer_type", "activations", "scaled"), KINDS)
def test_the_compiled_model_is_the_pdf_model(fitbasis, layer_type, activations, scaled):
    """Padded widths and points, nodes as rows: the PDFs of `PDFModel` in double precision."""
    size = len(FITBASES[fitbasis])
    ranges = tuple((0.5, 0.9) for _ in range(size)), tuple((1.7, 3.4) for _ in range(size))
    architecture = Architecture((7, 11, size), activations, layer_type, 1 if scaled else 2)
    preprocessing = Preprocessing(*ranges, (False,) * size, large_x=not scaled)
    scaling = (lambda x: 0.1 * np.log(x) + 1.0) if scaled else None
    model = PDFModel(architecture, fitbasis, FITBASES[fitbasis], preprocessing, "All", scaling)
    parameters, grid = model.start("glorot_normal", [3, 4]), np.geomspace(1e-6, 0.9, 9)
    shape, points = batched.network_shape(model, grid), batched.point_arrays(model, grid)
    points = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), points)
    masks = batched.node_masks(architecture, 2)
    weights = batched.pad_weights(architecture, parameters["layers"])
    factor = batched.preprocessing_factor(parameters["exponents"], points)
    ours, same = batched.xf(shape, points, masks, weights, factor)
    expected = np.swapaxes(model.evaluate(parameters, grid), 1, 2)
    scale = np.abs(expected).max(axis=2, keepdims=True)
    assert np.max(np.abs(np.asarray(ours) - expected) / scale) < 2e-5
    np.testing.assert_array_equal(ours, same)
    back = batched.unpad_weights(architecture, weights)
    jax.tree.map(np.testing.assert_array_equal, back, parameters["layers"])


@pytest.mark.parametrize("layer_type", ["dense", "dense_per_flavour"])
def test_dropout_in_a_network(layer_type):
    """Nodes of the first of three layers times a mask: the PDFs are those of the network without these nodes."""
    ranges = tuple((0.5, 0.9) for _ in range(8)), tuple((1.7, 3.4) for _ in range(8))
    architecture = Architecture((6, 5, 8), ("tanh", "tanh", "linear"), layer_type)
    model = PDFModel(architecture, "EVOL", FITBASES["EVOL"], Preprocessing(*ranges, (False,) * 8), "All")
    parameters, grid = model.start("glorot_normal", [3, 4]), np.array([0.01, 0.3])
    shape = batched.network_shape(model, grid)
    points = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), batched.point_arrays(model, grid))
    flavours = (8,) if layer_type == "dense_per_flavour" else ()
    mask = np.ones((2, *flavours, shape.widths[0], shape.points), np.float32)
    mask[..., [1, 4], :] = 0.0
    weights = batched.pad_weights(architecture, parameters["layers"])
    factor = batched.preprocessing_factor(parameters["exponents"], points)
    ours = batched.xf(shape, points, batched.node_masks(architecture, 2), weights, factor, jnp.asarray(mask))
    second = np.array(parameters["layers"][1]["kernel"])
    second[..., [1, 4], :] = 0.0
    layers = [parameters["layers"][0], {**parameters["layers"][1], "kernel": second}, parameters["layers"][2]]
    for xf, expected in zip(ours, ({**parameters, "layers": layers}, parameters), strict=True):
        expected = np.swapaxes(model.evaluate(expected, grid), 1, 2)
        assert np.max(np.abs(np.asarray(xf) - expected) / np.abs(expected).max(axis=2, keepdims=True)) < 2e-5


def test_the_last_bias_has_no_part_in_scaled_networks():
    """What is subtracted at x = 1 has it too: its gradient is zero, not a rounding error that optimizers follow."""
    size = 9
    preprocessing = Preprocessing(((0.5, 0.9),) * size, ((0.0, 0.0),) * size, (False,) * size, large_x=False)
    architecture = Architecture((7, 11, size), ("sigmoid", "tanh", "linear"), "dense", 1)
    basis = FITBASES["CCBAR_ASYMM"]
    model = PDFModel(architecture, "CCBAR_ASYMM", basis, preprocessing, "All", lambda x: 0.1 * np.log(x) + 1.0)
    parameters, grid = model.start("glorot_normal", [8]), np.geomspace(1e-6, 0.9, 9)
    parameters["layers"][2]["bias"] = np.ones((1, size), np.float32)
    shape = batched.network_shape(model, grid)
    points = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), batched.point_arrays(model, grid))
    masks, factor = batched.node_masks(architecture, 1), batched.preprocessing_factor(parameters["exponents"], points)
    layers = batched.pad_weights(architecture, parameters["layers"])

    def xf(layers):
        return batched.xf(shape, points, masks, layers, factor)[0]

    expected = np.swapaxes(model.evaluate(parameters, grid), 1, 2)
    assert np.max(np.abs(xf(layers) - expected) / np.abs(expected).max(axis=2, keepdims=True)) < 5e-5
    slope = jax.grad(lambda layers: jnp.sum(xf(layers) ** 2))(jax.tree.map(jnp.asarray, layers))
    assert np.any(slope[1]["bias"])
    assert not np.any(slope[2]["bias"])
