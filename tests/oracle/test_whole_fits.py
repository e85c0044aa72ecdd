"""Whole fits against n3fit's from the same start weights, epoch by epoch; see make_whole_fits_reference.py.

n3fit's sum rules are a sum over 2,000 points, so the comparison is made with these points in place of ours.
"""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hyperparton.catalogue import INITIALIZERS
from hyperparton.data.load import load_fit_data
from hyperparton.fit.run import run_fit
from hyperparton.fit.setup import FitSetup
from hyperparton.hyperloss.trainer import ModelTrainer
from hyperparton.pdf.model import PDFModel
from hyperparton.runcard.check import parse_runcard

HERE = Path(__file__).parent
script = SimpleNamespace(**runpy.run_path(str(HERE / "make_whole_fits_reference.py")))
fits = SimpleNamespace(**runpy.run_path(str(HERE / "n3fit_fits.py")))
REFERENCE = np.load(HERE / "data" / "whole_fits_reference.npz")
FITS = tuple(name for name, case in script.CASES.items() if case["folds"] is None)
#: fits with the numbers of updates after which they are compared
AFTER = [(name, n) for name in FITS for n in script.MOMENTS[1:] if n <= script.CASES[name]["epochs"]]

#: a case's weights stand for an initializer
INITIALIZER_OF = dict(zip(script.CASES, INITIALIZERS, strict=False))
CASE_OF = {initializer: case for case, initializer in INITIALIZER_OF.items()}


def of_case(case):
    return fits.start_weights(REFERENCE, case, len(script.CASES[case]["folds"] or [None]))


@pytest.fixture(scope="module", autouse=True)
def as_n3fit():
    """n3fit's start weights and quadrature in place of ours."""
    with pytest.MonkeyPatch.context() as patch:
        # the first parameter of `start`, an initializer, says the case here
        patch.setattr(PDFModel, "start", lambda model, initializer, seeds: of_case(CASE_OF[initializer]))
        patch.setattr(PDFModel, "rule", fits.n3fit_rule())
        yield


def load(case):
    card = parse_runcard(json.dumps(script.card(case)))
    return card, load_fit_data(card), range(1, script.CASES[case]["replicas"] + 1)


def parameters(case, **changes):
    return {**script.parameters(case), "initializer": INITIALIZER_OF[case], **changes}


@pytest.fixture(scope="module", params=FITS)
def case(request):
    """Name of a case, its setup."""
    return request.param, FitSetup(*load(request.param))


@pytest.fixture(scope="module")
def trial():
    """A trial of two folds and two replicas: the setup, the trained models, the result."""
    trainer = ModelTrainer.from_runcard(*load("folds"))
    trainer.set_hyperopt(True, [])
    setup, params = trainer.setup, parameters("folds")
    trained = setup.train(fits.methodology_of(params), setup.folds, None)
    return setup, trained, trainer.hyperparametrizable(params)


def test_chi2_of_the_start_weights(case):
    """n3fit's losses of real data, with its masks and its rotation."""
    name, setup = case
    model = setup.model(fits.methodology_of(parameters(name)))
    features = setup.compressed.features(model.evaluate(model.start(INITIALIZER_OF[name], []), setup.grid))
    fits.close(fits.chi2_of(setup.full_fit, features), REFERENCE[f"{name}/chi2/0"][0], 1e-5)


def fit(name, setup, epochs):
    result = run_fit(setup, fits.methodology_of(parameters(name, epochs=epochs)))
    assert not result.passed.any()  # a threshold that no epoch passes: it ends with the last weights
    return result


@pytest.mark.parametrize(("case", "epochs"), AFTER, indirect=["case"])
def test_chi2_after_some_epochs(case, epochs):
    """chi2 after that many updates, clipped, with multipliers pushed at 100 and 200; `exponents` trains those too."""
    name, setup = case
    result, fold = fit(name, setup, epochs), setup.full_fit
    points = np.array([[fold.training[0].ndata], [fold.validation[0].ndata], [fold.experimental.ndata]])
    ours = points * [result.training_chi2, result.validation_chi2, result.experimental_chi2]
    # in single precision n3fit's scaled inputs, less those at x = 1, have an error of their own
    strict = epochs <= 10 and "feature_scaling_points" not in script.CASES[name]
    fits.close(ours, REFERENCE[f"{name}/chi2/0"][script.MOMENTS.index(epochs)], 1e-5 if strict else 1e-4)


def test_pdfs_at_the_end_of_a_fit(case):
    name, setup = case
    ours, reference = fit(name, setup, script.CASES[name]["epochs"]).xf(script.X), REFERENCE[f"{name}/xf/0"]
    scale = np.abs(reference).max(axis=1, keepdims=True) + 1e-30
    print(f"largest difference {np.max(np.abs(ours - reference) / scale):.2g}")
    assert np.max(np.abs(ours - reference) / scale) < 5e-4


@pytest.mark.parametrize("k", [0, 1])
def test_folds_of_a_trial(trial, k):
    """Training, validation and hidden chi2 of each fold at its end: Adam, data replicas, points split."""
    setup, trained, _ = trial
    xf = trained.model.evaluate(trained.select(slice(2 * k, 2 * k + 2)), setup.grid)
    ours = fits.chi2_of(setup.folds[k], setup.compressed.features(xf))
    fits.close(ours, REFERENCE[f"folds/chi2/{k}"][-1], 1e-4)


@pytest.mark.parametrize("kind", ["chi2", "chi2exp", "phi2", "logp"])
def test_metrics_of_a_trial(trial, kind):
    """Of the data that are hidden and of those that are fitted, over two replicas."""
    meta = trial[2]["kfold_meta"]
    fits.close(meta[f"trvl_losses_{kind}"], REFERENCE[f"folds/meta/trvl_losses_{kind}"], 2e-4)
    if kind != "chi2exp":
        fits.close(meta[f"hyper_losses_{kind}"], REFERENCE[f"folds/meta/hyper_losses_{kind}"], 2e-4)


def test_losses_of_a_trial(trial):
    """n3fit divides the validation chi2 by the points of all folds, hidden ones included."""
    setup, _, result = trial
    meta = result["kfold_meta"]
    fits.close(meta["experimental_losses"], REFERENCE["folds/meta/experimental_losses"], 1e-4)
    shown = [[part.ndata for part in fold.validation] for fold in setup.folds]
    everything = [part.ndata for part in setup.full_fit.validation]
    ours = np.array(meta["validation_losses"]) * shown / everything
    fits.close(ours, REFERENCE["folds/meta/validation_losses"], 1e-4)


def test_penalties_of_a_trial(trial):
    setup, _, result = trial
    penalties, meta = result["kfold_meta"]["penalties"], REFERENCE
    fits.close(penalties["saturation"], meta["folds/meta/saturation"], 1e-4)
    np.testing.assert_allclose(penalties["integrability"], meta["folds/meta/integrability"], atol=1e-3, rtol=1e-2)
    shown = [[part.ndata for part in fold.validation] for fold in setup.folds]
    everything = [part.ndata for part in setup.full_fit.validation]
    fits.close(np.array(penalties["patience"]) * shown / everything, meta["folds/meta/patience"], 1e-4)
