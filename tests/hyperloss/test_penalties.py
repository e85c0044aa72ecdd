"""Penalties against n3fit 4.1.5 on the same weights; the numbers are made by oracle/make_fit_reference.py."""

from pathlib import Path

import numpy as np

from hyperparton.catalogue import FITBASES
from hyperparton.hyperloss.penalties import FoldFit, integrability, patience, saturation
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture
from hyperparton.pdf.preprocessing import Preprocessing

REFERENCE = np.load(Path(__file__).parents[1] / "oracle" / "data" / "fit_reference.npz")


def penalised():
    """A model of one replica with n3fit's weights, its parameters, and n3fit's arrays by name."""
    reference = {k.split("/")[1]: REFERENCE[k] for k in REFERENCE.files if k.startswith("penalty/")}
    ranges = tuple((0.0, 4.0) for _ in range(8))
    architecture = Architecture((7, 8), ("tanh", "linear"))
    model = PDFModel(architecture, "EVOL", FITBASES["EVOL"], Preprocessing(ranges, ranges, (False,) * 8), "All")
    w = [reference[f"w{i}"][None].astype(np.float32) for i in range(4)]
    layers = [{"kernel": w[0], "bias": w[1]}, {"kernel": w[2], "bias": w[3]}]
    exponents = {name: reference[name][None].astype(np.float32) for name in ("alpha", "beta")}
    return model, {"layers": layers, "exponents": exponents}, reference


def test_penalties():
    model, parameters, reference = penalised()
    fit = FoldFit(
        xf=lambda x: model.evaluate_evolution(parameters, x),
        best_epoch=np.array([1000, 30]),
        epochs=5000,
        patience=500,
        validation_chi2=np.array([2.42, 1.1]),
    )
    np.testing.assert_allclose(saturation(fit), reference["saturation"], rtol=2e-3)
    np.testing.assert_allclose(integrability(fit), reference["integrability"], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(patience(fit), reference["patience"], rtol=1e-12)
