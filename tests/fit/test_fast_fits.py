"""Whole fits on the fast path: one of the small data sets is given tables of two protons, made up."""

import dataclasses
import logging

import numpy as np
import pytest

from hyperparton.data.types import FKTable, Observable
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.observables import build_convolution
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.parameters import Parameters

HADRONIC = "SLAC_NC_NOTFIXED_P_EM-F2"
ACCURACY = 1e-5


def two_protons(dataset):
    """The data set with tables that are smooth in both x and give about the measured values for a usual PDF."""
    (own,) = dataset.observable.tables
    x, rows = own.xgrid[own.xgrid > 1e-3], len(own.values)
    centre = np.geomspace(0.02, 0.5, rows)
    near = np.exp(-0.5 * (np.log(x)[None] - np.log(centre)[:, None]) ** 2)
    values = np.einsum("dx,dy->dxy", near, near)[:, None] * np.array([1.0, 0.5])[None, :, None, None]
    usual = np.sqrt(x) * (1 - x) ** 3
    values *= dataset.central[:, None, None, None]
    values /= 1.5 * np.einsum("dx,x->d", near, usual)[:, None, None, None] ** 2
    table = FKTable("two", own.q0, x, True, np.array([[1, 1], [1, 2]]), values)
    observable = Observable(dataset.observable.name, "NULL", (table,), rows)
    return dataclasses.replace(dataset, observable=observable)


@pytest.fixture(scope="module")
def hadronic(data):
    sets = tuple(two_protons(d) if d.name == HADRONIC else d for d in data.datasets)
    return dataclasses.replace(data, datasets=sets)


@pytest.fixture(scope="module")
def fast(make_card, hadronic):
    return FitSetup(make_card(hadronic_accuracy=ACCURACY, diagonal_basis=False), hadronic, (1, 2))


@pytest.fixture(scope="module")
def full(make_card, hadronic):
    return FitSetup(make_card(diagonal_basis=False), hadronic, (1, 2))


@pytest.fixture(scope="module")
def methodology(parameters):
    return Methodology.from_parameters(Parameters.model_validate({**parameters, "threshold_chi2": 1e6}))


def test_a_fit_tells_the_chi2_of_the_full_tables(fast, full, methodology):
    trained = fast.train(methodology, [fast.full_fit], None)
    assert fast.condensed is not None
    assert np.all(trained.best_epoch >= 0)
    assert np.all(trained.difference <= ACCURACY)
    # the forms of the full tables are others, and other code makes them
    features = full.compressed.features(trained.model.evaluate(trained.parameters, full.grid))
    for kind, told in (("training", trained.training_chi2), ("validation", trained.validation_chi2)):
        forms = getattr(full.full_fit, kind)
        expected = [form(f[None])[0] / form.ndata for form, f in zip(forms, features, strict=True)]
        np.testing.assert_allclose(told, expected, rtol=1e-9)
    predictions = build_convolution(full.observables, full.grid).predict(
        trained.model.evaluate(trained.parameters, full.grid)
    )
    np.testing.assert_allclose(predictions, features @ full.compressed.matrix.T, rtol=1e-6)


def test_a_fit_that_the_fast_path_leads_astray_is_repeated_by_the_full_tables(fast, full, methodology, caplog):
    """With an accuracy beyond single precision every fit is: the result is that of the full tables, digit for digit."""
    short = dataclasses.replace(methodology, epochs=100, patience=100)
    other = fast.sharing(FitSetup(fast.card, fast.data, (1, 2)))
    other.__dict__["predictions"] = dataclasses.replace(fast.predictions, wanted=1e-12)
    with caplog.at_level(logging.WARNING, "hyperparton"):
        trained = other.train(short, [other.full_fit], None)
    expected = full.train(short, [full.full_fit], None)
    assert "2 of 2 fits" in caplog.text
    np.testing.assert_array_equal(trained.validation_chi2, expected.validation_chi2)
    np.testing.assert_array_equal(trained.best_epoch, expected.best_epoch)
    kernels = [np.asarray(t.parameters["layers"][0]["kernel"]) for t in (trained, expected)]
    np.testing.assert_array_equal(*kernels)
    np.testing.assert_array_equal(trained.difference, 0.0)


def test_without_hadronic_data_there_is_no_fast_path(make_card, data):
    assert FitSetup(make_card(hadronic_accuracy=ACCURACY), data, (1,)).condensed is None
