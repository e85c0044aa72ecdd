"""Whole fits against n3fit's from the same start weights, epoch by epoch; see make_course_reference.py.

n3fit's sum rules are a sum over 2,000 points, so most of the comparison is made with these points in place of ours.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from hyperparton.data import load_fit_data
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.sumrules import Quadrature
from hyperparton.runcard import parse_runcard
from hyperparton.train import ModelTrainer
from hyperparton.train.fit import FitSetup, run_fit
from hyperparton.train.methodology import Methodology
from hyperparton.train.models import build_model

HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("make_course_reference", HERE / "make_course_reference.py")
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)
REFERENCE = np.load(HERE / "data" / "course_reference.npz")
REPLICAS = (1, 2)


def n3fit_rule():
    """n3fit's points and weights: 1,000 spaced in log x up to 0.1, 1,000 in x from there."""
    x = np.concatenate([np.logspace(-9, -1, 1001)[:-1], np.linspace(0.1, 1, 1000)])
    spacing = np.concatenate([[0.0], np.diff(x), [0.0]])
    weights = 0.5 * (spacing[1:] + spacing[:-1])
    return Quadrature(x, weights, weights / x)


def start_weights(course, folds):
    """n3fit's start weights, one model per fold and replica."""

    def together(name):
        return np.concatenate([REFERENCE[f"{course}/{name}/{k}"] for k in range(folds)]).astype(np.float32)

    depth = len(script.COURSES[course]["nodes_per_layer"])
    layers = [{"kernel": together(f"w{2 * i}"), "bias": together(f"w{2 * i + 1}")} for i in range(depth)]
    return {"layers": layers, "exponents": {"alpha": together("alpha"), "beta": together("beta")}}


@pytest.fixture
def as_n3fit(monkeypatch):
    """Start from n3fit's weights and, unless told otherwise, integrate with its points."""

    def prepare(course, folds=1, own_rule=False):
        weights = start_weights(course, folds)
        monkeypatch.setattr(PDFModel, "start", lambda model, initializer, seeds: weights)
        if not own_rule:
            monkeypatch.setattr(PDFModel, "rule", n3fit_rule())

    return prepare


def load(course):
    card = parse_runcard(json.dumps(script.card(course)))
    return card, load_fit_data(card)


@pytest.fixture(scope="module")
def full_fit():
    card, data = load("fit")
    return FitSetup.from_runcard(card, data, REPLICAS)


@pytest.fixture(scope="module")
def trial():
    """A trial of two folds and two replicas from n3fit's start weights: the trainer's models and its result."""
    with pytest.MonkeyPatch.context() as patch:
        weights = start_weights("folds", 2)
        patch.setattr(PDFModel, "start", lambda model, initializer, seeds: weights)
        patch.setattr(PDFModel, "rule", n3fit_rule())
        card, data = load("folds")
        trainer = ModelTrainer.from_runcard(card, data, REPLICAS)
        trainer.set_hyperopt(True, [])
        setup, params = trainer.setup, script.parameters("folds")
        trained = setup.train(Methodology.from_parameters(params), setup.folds(), None)
        yield setup, trained, trainer.hyperparametrizable(params)


def points(setup):
    """(model, 1) points of the training, validation and experimental chi2."""
    fold = setup.full_fit()[0]
    return np.array([[fold.training[0].ndata], [fold.validation[0].ndata], [fold.experimental.ndata]])


def chi2_of(fold, features):
    """chi2 (model, replica) of a fold for features (rep, feature)."""
    rows = [[each(features[r : r + 1])[0] for r, each in enumerate(part)] for part in (fold.training, fold.validation)]
    return np.array([*rows, fold.experimental(features)])


def test_chi2_of_the_start_weights(full_fit, as_n3fit):
    """n3fit's losses with its masks and rotation.

    The second replica starts near a pole of the NMC ratio, with a chi2 of 2e6 per point, where single precision, in
    which n3fit works, gives no more.
    """
    as_n3fit("fit")
    methodology = Methodology.from_parameters(script.parameters("fit"))
    model = build_model(methodology, full_fit.fitting, full_fit.sum_rules, full_fit.xgrids)
    xf = model.evaluate(model.start("", []), full_fit.grid)
    ours = chi2_of(full_fit.full_fit()[0], full_fit.compressed.features(xf, np))
    reference = REFERENCE["fit/chi2/0"][0]
    np.testing.assert_allclose(ours[:, 0], reference[:, 0], rtol=1e-6)
    np.testing.assert_allclose(ours[:, 1], reference[:, 1], rtol=1e-4)


@pytest.mark.parametrize("epochs", [1, 10, 100, 200])
def test_course_of_a_fit(full_fit, as_n3fit, epochs):
    """chi2 after that many updates of Nadam, clipped to 6e-6, with multipliers pushed twice.

    Single precision carries the first replica to 1e-4; the second, from its pole, to 5%.
    """
    as_n3fit("fit")
    result = fit(full_fit, epochs)
    ours = np.array([result.training_chi2, result.validation_chi2, result.experimental_chi2])
    reference = REFERENCE["fit/chi2/0"][script.MOMENTS.index(epochs)] / points(full_fit)
    np.testing.assert_allclose(ours[:, 0], reference[:, 0], rtol=1e-5 if epochs == 1 else 2e-4)
    np.testing.assert_allclose(ours[:, 1], reference[:, 1], rtol=5e-2)


def fit(setup, epochs):
    """A fit of `epochs` updates; the threshold lets no epoch pass as the best."""
    methodology = Methodology.from_parameters({**script.parameters("fit"), "epochs": epochs})
    result = run_fit(setup, methodology, setup.full_fit())
    assert not result.passed.any()
    return result


def test_pdfs_at_the_end_of_a_fit(full_fit, as_n3fit):
    as_n3fit("fit")
    ours, reference = fit(full_fit, 200).xf(script.X)[0], REFERENCE["fit/xf/0"][0]
    scale = np.abs(reference).max(axis=0) + 1e-30
    print("xf", np.abs((ours - reference) / scale).max())
    assert np.max(np.abs(ours - reference) / scale) < 1e-3


def test_course_with_our_own_quadrature(full_fit, as_n3fit):
    """A more accurate integral of the sum rules moves the fit by as little as its difference to n3fit's."""
    as_n3fit("fit", own_rule=True)
    result = fit(full_fit, 200)
    ours = np.array([result.training_chi2, result.validation_chi2, result.experimental_chi2])[:, 0]
    print("own", ours / (REFERENCE["fit/chi2/0"][-1] / points(full_fit))[:, 0] - 1)
    np.testing.assert_allclose(ours, (REFERENCE["fit/chi2/0"][-1] / points(full_fit))[:, 0], rtol=1e-2)


@pytest.mark.parametrize("k", [0, 1])
def test_folds_of_a_trial(trial, k):
    """Training, validation and hidden chi2 of each fold: Adam, trained exponents, data replicas, points split."""
    setup, trained, _ = trial
    features = setup.compressed.features(
        trained.model.evaluate(trained.select(slice(2 * k, 2 * k + 2)), setup.grid), np
    )
    ours, reference = chi2_of(setup.folds()[k], features), REFERENCE[f"folds/chi2/{k}"][-1]
    print("folds", k, ours / reference - 1, trained.best_epoch)
    np.testing.assert_allclose(ours, reference, rtol=1e-2)


def test_metrics_of_a_trial(trial):
    """What the trial reports against n3fit's trial; n3fit divides the validation chi2 by the points of all folds."""
    setup, _, result = trial
    meta, fitted = result["kfold_meta"], [[v.ndata for v in fold.validation] for fold in setup.folds()]
    all_points = [v.ndata for v in setup.full_fit()[0].validation]
    for name in ("experimental_losses", "hyper_losses_chi2", "hyper_losses_phi2", "hyper_losses_logp",
                 "trvl_losses_chi2", "trvl_losses_chi2exp", "trvl_losses_phi2", "trvl_losses_logp"):  # fmt: skip
        print(name, np.array(meta[name]) / REFERENCE[f"folds/meta/{name}"] - 1)
    for name in ("saturation", "patience", "integrability"):
        print(name, np.array(meta["penalties"][name]), REFERENCE[f"folds/meta/{name}"])
    print(np.array(meta["validation_losses"]) * fitted / all_points / REFERENCE["folds/meta/validation_losses"] - 1)
    print(result["loss"], REFERENCE["folds/loss"])
