"""Data sets of two protons, from their runcard to their chi2, against validphys; see make_global_reference.py."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hyperparton.data.operations import OPERATIONS
from hyperparton.fit.observables import build_convolution

HERE = Path(__file__).parent
comparison = SimpleNamespace(**runpy.run_path(str(HERE / "compare_global.py")))
script = comparison.script
REFERENCE = dict(np.load(HERE / "data" / "global_reference.npz", allow_pickle=False))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theories")
    script.make_tables(script.CARD, folder, *script.SMALL)
    return comparison.load(script.CARD, folder)


@pytest.fixture(scope="module")
def found(data):
    return comparison.differences(data, REFERENCE)


@pytest.mark.parametrize(("kind", "bound"), comparison.BOUNDS.items())
def test_as_validphys_says(found, kind, bound):
    assert found[kind] <= bound


def test_the_selection_has_each_operation_of_the_metadata(data):
    """No set of NNPDF's global cards has SMN or SMT; `tests/data/test_hadronic_tables.py` has made-up sets of these."""
    assert all(each.observable.hadronic for each in data.datasets)
    assert {each.observable.operation for each in data.datasets} == set(OPERATIONS) - {"SMN", "SMT"}
    assert any(each.hadronic for each in data.positivity)


def test_the_comparison_sees_a_wrong_number(data):
    wrong = {**REFERENCE, "predictions_D0_WPWM_1P96TEV_ASY": REFERENCE["predictions_D0_WPWM_1P96TEV_ASY"] * (1 + 1e-6)}
    assert comparison.differences(data, wrong)["predictions"] > comparison.BOUNDS["predictions"]


def test_a_fit_predicts_what_validphys_does(data):
    """The convolution of a fit, with its folded channels, for the PDF set of the reference."""
    pdfset = comparison.find_pdfset(script.PDF_SET)
    convolution = build_convolution([each.observable for each in data.datasets])
    evolution = pdfset.evolution_basis(convolution.grid, 1.65, members=[0])[0]
    # charm and anticharm are equal in this set, so the fit's eight flavours hold it
    places = [1, 2, 3, 4, 5, 9, 10, 11]
    expected = np.concatenate([REFERENCE[f"predictions_{each.name}"] for each in data.datasets])
    np.testing.assert_allclose(convolution.predict(evolution[places].T[None])[0], expected, rtol=1e-6)
