"""Sum rules against adaptive quadrature of the fitted function itself."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from hyperparton.catalogue import FITBASES
from hyperparton.data.types import EVOLUTION_BASIS
from hyperparton.pdf.bases import V15_FREE, WORKING_BASIS
from hyperparton.pdf.model import PDFModel, Points
from hyperparton.pdf.network import Architecture
from hyperparton.pdf.preprocessing import Preprocessing
from hyperparton.pdf.sum_rules import X_MIN, normalisation, quadrature

# the ranges of the NNPDF4.0 fit in the evolution basis
SMALLX = ((1.091, 1.119), (0.7795, 1.095), (0.472, 0.7576), (0.07483, 0.4501), (0.5731, 0.779), (-0.5498, 1.0),
          (0.5469, 0.857), (1.081, 1.142), (0.472, 0.7576))  # fmt: skip
LARGEX = ((1.471, 3.021), (2.742, 5.547), (1.571, 3.559), (1.714, 3.467), (1.555, 3.465), (1.778, 3.5),
          (1.555, 3.391), (1.491, 3.092), (1.571, 3.559))  # fmt: skip


def pdf_model(fitbasis="EVOL", sum_rules="All"):
    elements = FITBASES[fitbasis]
    size = len(elements)
    preprocessing = Preprocessing(SMALLX[:size], LARGEX[:size], (False,) * size)
    architecture = Architecture((25, 20, size), ("tanh", "tanh", "linear"))
    return PDFModel(architecture, fitbasis, elements, preprocessing, sum_rules)


def wild(model, seed, scale):
    """Parameters with weights `scale` times those of a start."""
    parameters = model.start("glorot_normal", [seed])
    rng = np.random.default_rng(seed)
    for layer in parameters["layers"]:
        layer["kernel"] = scale * layer["kernel"]
        layer["bias"] = scale * 0.3 * rng.normal(size=layer["bias"].shape).astype(np.float32)
    return parameters


def integral(model, parameters, flavour, power):
    """Integral of x^power (x f) from X_MIN to 1 by scipy, piecewise in log x."""
    k = V15_FREE.index(flavour)

    def integrand(t):
        x = np.exp(t)
        return model.evaluate(parameters, np.array([x]))[0, 0, k] * x ** (power + 1)

    edges = np.log([X_MIN, 1e-6, 1e-4, 1e-2, 0.1, 0.5, 0.9, 1.0])
    return sum(quad(integrand, a, b, epsabs=1e-11, epsrel=1e-9, limit=200)[0] for a, b in pairwise(edges))


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("fitbasis", ["EVOL", "FLAVOUR"])
def test_sum_rules_hold(fitbasis, scale):
    model = pdf_model(fitbasis)
    parameters = wild(model, 3, scale)
    momentum = integral(model, parameters, "sng", 0) + integral(model, parameters, "g", 0)
    assert momentum == pytest.approx(1.0, abs=1e-5)
    for flavour, number in (("v", 3.0), ("v3", 1.0), ("v8", 3.0)):
        assert integral(model, parameters, flavour, -1) == pytest.approx(number, rel=1e-5)


@pytest.mark.parametrize(("fitbasis", "sum_rules"), [("CCBAR_ASYMM", "All"), ("CCBAR_ASYMM_FLAVOUR", "All")])
def test_charm_has_number_zero(fitbasis, sum_rules):
    model = pdf_model(fitbasis, sum_rules)
    parameters = wild(model, 3, 1.0)
    assert integral(model, parameters, "v15", -1) == pytest.approx(3.0, rel=1e-5)
    assert integral(model, parameters, "v", -1) == pytest.approx(3.0, rel=1e-5)


@pytest.mark.parametrize("fitbasis", ["CCBAR_ASYMM", "EVOL"])
def test_all_but_the_number_of_charm(fitbasis):
    """Three valence quarks besides charm, V = V15 + 4 (c - cbar); V15 is as the network has it."""
    model, off = pdf_model(fitbasis, "ALLBUTCSR"), pdf_model(fitbasis, None)
    parameters = wild(model, 3, 1.0)
    v, v15 = integral(model, parameters, "v", -1), integral(model, parameters, "v15", -1)
    charm = (v - v15) / 4
    assert abs(charm) > 0.01
    assert v - charm == pytest.approx(3.0, rel=1e-5)
    for flavour, number in (("v3", 1.0), ("v8", 3.0)):
        assert integral(model, parameters, flavour, -1) == pytest.approx(number, rel=1e-5)
    x = np.array([1e-3, 0.1, 0.5])
    raw, ours = (m.evaluate_evolution(parameters, x)[0, :, EVOLUTION_BASIS.index("v15")] for m in (off, model))
    np.testing.assert_allclose(ours, raw)


#: n3fit's own test of its sum rules: normalisations for integrals that numpy draws with seed 422
N3FIT = {"g": 6.7740397, "v": -3.8735497, "v3": 15.276561, "v8": 5.9522753, "v15": 8.247783}


def test_normalisations_of_n3fit():
    """n3fit's integral of a flavour is that of x f or of f, whichever its rule needs; the photon's adds momentum."""
    np.random.seed(422)
    drawn = dict(zip(EVOLUTION_BASIS, np.random.normal(size=14), strict=True))
    photon = np.random.normal()
    names = {"sng": "sigma"}
    integrals = np.array([[drawn[names.get(name, name)] for name in V15_FREE]])
    found = dict(zip(V15_FREE, normalisation(integrals, integrals, "All", np)[0], strict=True))
    for name, value in N3FIT.items():
        if name == "g":  # hyperparton's fits have no photon
            value = (1 - drawn["sigma"]) / (1 - drawn["sigma"] - photon) * value
        assert found[name] == pytest.approx(value, rel=1e-6)
    assert {found[name] for name in ("sng", "t3", "t8", "t15")} == {1.0}


def test_modes_leave_the_rest_alone():
    off, msr, vsr = (pdf_model(sum_rules=mode) for mode in (None, "MSR", "VSR"))
    parameters = wild(off, 5, 1.0)
    x = np.array([1e-3, 0.1, 0.5])
    raw, with_msr, with_vsr = (m.evaluate(parameters, x)[0] for m in (off, msr, vsr))
    changed_msr = [WORKING_BASIS[i] for i in range(8) if not np.allclose(raw[:, i], with_msr[:, i])]
    changed_vsr = [WORKING_BASIS[i] for i in range(8) if not np.allclose(raw[:, i], with_vsr[:, i])]
    assert changed_msr == ["g"]
    assert changed_vsr == ["v", "v3", "v8"]


def test_single_precision_keeps_the_sum_rules():
    """Integrated with many more nodes."""
    model = pdf_model()
    parameters = wild(model, 8, 1.5)
    for layer in parameters["layers"]:
        layer.update({kind: np.asarray(array, np.float32) for kind, array in layer.items()})
    fine = quadrature(60, 60)
    points = Points(*(np.asarray(a, np.float32) for a in vars(model.points(fine.x)).values()))
    xf = np.asarray(model.xf(parameters, points), np.float64)[0]
    k = {name: i for i, name in enumerate(WORKING_BASIS)}
    assert fine.momentum @ (xf[:, k["sng"]] + xf[:, k["g"]]) == pytest.approx(1.0, abs=1e-5)
    for flavour, number in (("v", 3.0), ("v3", 1.0), ("v8", 3.0)):
        assert fine.valence @ xf[:, k[flavour]] == pytest.approx(number, rel=1e-5)


def test_quadrature_of_closed_forms():
    """Beta functions: integral of x^a (1-x)^b from 0 to 1, of which the part below 1e-9 is negligible here."""
    from scipy.special import beta

    rule = quadrature()
    for a, b in ((0.9, 2.5), (0.5, 3.3), (1.4, 1.5)):
        xf = rule.x**a * (1 - rule.x) ** b
        assert rule.momentum @ xf == pytest.approx(beta(a + 1, b + 1), rel=1e-6)
        below = X_MIN**a / a
        assert rule.valence @ xf == pytest.approx(beta(a, b + 1) - below, rel=1e-6)
