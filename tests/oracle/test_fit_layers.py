"""PDFs, losses and stopping against n3fit 4.1.5 on the same weights and inputs.

The numbers are made by make_fit_reference.py.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.catalogue import FITBASES
from hyperparton.fit.chi2 import reduce_points
from hyperparton.fit.multipliers import start_and_multiplier
from hyperparton.fit.positivity import elu
from hyperparton.fit.stopping import Criteria, monitor, start
from hyperparton.hyperloss.loss import convergence_penalty
from hyperparton.pdf.bases import working_to_evolution
from hyperparton.pdf.feature_scaling import feature_scaling
from hyperparton.pdf.model import PDFModel, Points
from hyperparton.pdf.network import Architecture
from hyperparton.pdf.preprocessing import Preprocessing
from hyperparton.pdf.sum_rules import Quadrature

REFERENCE = np.load(Path(__file__).parent / "data" / "fit_reference.npz")
X = REFERENCE["x"]
#: the fit bases that n3fit has
BASES = [name for name in FITBASES if f"pdf/{name}/xf" in REFERENCE]


def arrays(prefix):
    """Reference arrays below `prefix`, by the rest of their name."""
    return {k[len(prefix) + 1 :]: REFERENCE[k] for k in REFERENCE.files if k.startswith(prefix + "/")}


def kernels(reference, layer_type, flavours=8):
    """n3fit's flat weights as our layers, with a model axis of one."""
    flat = [reference[f"w{i}"].astype(np.float32) for i in range(sum(k.startswith("w") for k in reference))]
    if layer_type == "dense":
        return [{"kernel": k[None], "bias": b[None]} for k, b in zip(flat[::2], flat[1::2], strict=True)]
    layers = [flat[i : i + 2 * flavours] for i in range(0, len(flat), 2 * flavours)]
    return [{"kernel": np.stack(layer[::2])[None], "bias": np.stack(layer[1::2])[None]} for layer in layers]


def model_and_parameters(key, fitbasis, sum_rules, nodes, activations, layer_type="dense", scaling=None):
    reference = arrays(key)
    size = len(FITBASES[fitbasis])
    ranges = tuple((0.0, 4.0) for _ in range(size))
    preprocessing = Preprocessing(ranges, ranges, (False,) * size, large_x=scaling is None)
    architecture = Architecture(nodes, activations, layer_type, 2 if scaling is None else 1)
    model = PDFModel(architecture, fitbasis, FITBASES[fitbasis], preprocessing, sum_rules, scaling)
    exponents = {name: reference[name][None].astype(np.float32) for name in ("alpha", "beta")}
    return model, {"layers": kernels(reference, layer_type), "exponents": exponents}, reference


# (reference, fitbasis, sum rules, layer type)
PDFS = [
    *((name, name, "All", "dense") for name in BASES),
    *((f"{name}/but_charm", name, "ALLBUTCSR", "dense") for name in BASES),
    ("MSR", "EVOL", "MSR", "dense"),
    ("VSR", "EVOL", "VSR", "dense"),
    ("off", "EVOL", None, "dense"),
    ("per_flavour", "EVOL", "All", "dense_per_flavour"),
]


@pytest.mark.parametrize(("name", "fitbasis", "sum_rules", "layer_type"), PDFS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_pdf(name, fitbasis, sum_rules, layer_type, precision):
    """x f in the evolution basis; n3fit's sum rules are a sum over 2,000 points, so its A_k differ by up to 1e-4."""
    nodes, acts = (7, 5, len(FITBASES[fitbasis])), ("tanh", "sigmoid", "linear")
    model, parameters, reference = model_and_parameters(f"pdf/{name}", fitbasis, sum_rules, nodes, acts, layer_type)
    if precision == "float64":
        xf = model.evaluate_evolution(parameters, X)[0]
    else:
        points = Points(*(np.asarray(a, np.float32) for a in vars(model.points(X)).values()))
        xf = model.xf(parameters, points)[0] @ working_to_evolution(model.working).T
    scale = np.abs(reference["xf"]).max(axis=0) + 1e-30
    tolerance = 1e-5 if sum_rules is None else 2e-4
    assert np.max(np.abs(xf - reference["xf"]) / scale) < tolerance
    # with the normalisation taken out, single precision is what is left
    for flavour in range(1, 14):
        largest = np.argmax(np.abs(reference["xf"][:, flavour]))
        rescaled = xf[:, flavour] * reference["xf"][largest, flavour] / xf[largest, flavour]
        assert np.max(np.abs(rescaled - reference["xf"][:, flavour])) < 1e-5 * scale[flavour]


def test_sum_rules_with_n3fit_quadrature():
    """With n3fit's own 2,000 points in place of the Gauss nodes the normalised PDFs agree to 1e-5."""
    log, lin = np.logspace(-9, -1, 1001)[:-1], np.linspace(0.1, 1, 1000)
    x = np.concatenate([log, lin])
    spacing = np.concatenate([[0.0], np.abs(np.diff(x)), [0.0]])
    weights = 0.5 * (spacing[1:] + spacing[:-1])
    for name in BASES:
        model, parameters, reference = model_and_parameters(
            f"pdf/{name}", name, "All", (7, 5, len(FITBASES[name])), ("tanh", "sigmoid", "linear")
        )
        model.__dict__["rule"] = Quadrature(x, weights, weights / x)
        xf = model.evaluate_evolution(parameters, X)[0]
        scale = np.abs(reference["xf"]).max(axis=0) + 1e-30
        assert np.max(np.abs(xf - reference["xf"]) / scale) < 1e-5


def test_feature_scaling():
    reference = arrays("pdf/scaled")
    scaling = feature_scaling([X[:-1]], 5)
    np.testing.assert_allclose(scaling(X), reference["scaled"], atol=1e-6)
    model, parameters, reference = model_and_parameters(
        "pdf/scaled", "EVOL", "All", (7, 5, 8), ("tanh", "sigmoid", "linear"), scaling=scaling
    )
    xf = model.evaluate_evolution(parameters, X)[0]
    assert np.max(np.abs(xf - reference["xf"]) / (np.abs(reference["xf"]).max(axis=0) + 1e-30)) < 2e-4


def test_losses():
    reference = arrays("loss")
    covmat, mask = np.linalg.inv(reference["inverse"]), reference["mask"]
    chi2 = reduce_points(np.eye(9), reference["data"][0], covmat, np.ones(9, bool), mask)
    np.testing.assert_allclose(chi2(reference["prediction"][0]), reference["chi2"].ravel(), rtol=1e-5)
    y = reference["prediction"][0]
    np.testing.assert_allclose(np.sum(elu(-30.0 * y)), reference["positivity"].ravel(), rtol=1e-5)
    np.testing.assert_allclose(((30.0 * y) ** 2).sum(), reference["integrability"].ravel(), rtol=1e-5)
    ours = [convergence_penalty(c) for c in (0.9, 1.2, 1.5, 4.0)]
    np.testing.assert_allclose(ours, reference["hyperopt"], rtol=1e-6, atol=1e-8)
    cases = [(None, None), (10.0, None), (None, 1.1), (10.0, 1.1)]
    np.testing.assert_allclose([start_and_multiplier(i, m, 1e6, 1300) for i, m in cases], reference["multipliers"])


def test_stopping():
    """Three replicas epoch by epoch: one that stops, one that goes on, one that positivity never lets pass."""
    reference = arrays("stopping")
    chi2, positivity, ndata = reference["chi2"], reference["positivity"], float(reference["ndata"])
    epochs, reps = chi2.shape
    ints = lambda value: jnp.full(reps, value, jnp.int32)  # noqa: E731
    floats = lambda value: jnp.full(reps, value, jnp.float32)  # noqa: E731
    criteria = Criteria(ints(epochs), ints(9), floats(0.0), floats(3.0), floats(1e-6))
    state = start(criteria)
    for epoch in range(epochs):
        state, _ = monitor(
            state,
            criteria,
            jnp.int32(epoch),
            chi2[epoch] + positivity[epoch],
            chi2[epoch] / ndata,
            positivity[epoch][:, None],
        )
    np.testing.assert_array_equal(state.best_epoch, reference["best"])
    np.testing.assert_array_equal(state.stop_epoch, reference["stop"])
