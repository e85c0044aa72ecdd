"""The data layer against validphys, for every data set of `tests/data/dis_fit.yml`; see make_data_reference.py."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ruamel.yaml import YAML

from hyperparton.data.load import load_fit_data
from hyperparton.data.masks import (
    diagonal_mask,
    diagonalise,
    kfold_masks,
    replica_seeds,
    training_masks,
)
from hyperparton.data.predictions import chi2, chi2_by_dataset, predict
from hyperparton.data.pseudodata import make_replicas
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.check import read_runcard

HERE = Path(__file__).parent
CARDS = HERE.parent / "data"
REPLICAS = (1, 2, 3)


def _read(name: str) -> dict:
    return YAML(typ="safe").load((CARDS / name).read_text(encoding="utf-8"))


def _card(fracs=None, **settings) -> Runcard:
    card = read_runcard(CARDS / "dis_fit.yml")
    if fracs is not None:
        entries = zip(card.dataset_inputs, fracs, strict=True)
        settings["dataset_inputs"] = tuple(entry.model_copy(update={"frac": frac}) for entry, frac in entries)
    return card.model_copy(update=settings)


@pytest.fixture(scope="module")
def script():
    return SimpleNamespace(**runpy.run_path(str(HERE / "make_data_reference.py")))


@pytest.fixture(scope="module")
def reference():
    with np.load(HERE / "data" / "data_reference.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def data():
    return load_fit_data(_card())


@pytest.fixture(scope="module")
def grouped(script):
    """As for `diagonal_basis: false`, with training fractions of all kinds."""
    return load_fit_data(_card(fracs=script.toy_fracs(19), diagonal_basis=False))


@pytest.fixture(scope="module")
def in_group_order(reference, grouped):
    """Rows of our data in the order of n3fit's groups."""
    slices = grouped.slices()
    return np.concatenate([np.arange(s.start, s.stop) for s in (slices[name] for name in reference["grouped_names"])])


def test_the_same_points_pass_the_cuts_set_by_set(data, reference):
    assert [dataset.name for dataset in data.datasets] == list(reference["names"])
    for dataset in data.datasets:
        np.testing.assert_array_equal(dataset.kept, reference[f"kept_{dataset.name}"], err_msg=dataset.name)
    assert data.ndata == 3089


def test_positivity_and_integrability_sets_keep_the_same_points(data, reference):
    special = {observable.name: observable.ndata for observable in data.positivity + data.integrability}
    assert special == {name: len(reference[f"kept_{name}"]) for name in reference["special_names"]}


def test_central_values(data, reference):
    np.testing.assert_array_equal(data.central, reference["central"])


@pytest.mark.parametrize("name", ["t0", "experimental"])
def test_covariance_matrices(data, reference, script, name):
    matrix = data.covmat if name == "t0" else data.experimental_covmat
    sigma = np.sqrt(reference[f"{name}_diagonal"])
    rows = list(script.ROWS)
    np.testing.assert_allclose(np.diag(matrix), reference[f"{name}_diagonal"], rtol=1e-10)
    scale = np.outer(sigma[rows], sigma)
    np.testing.assert_allclose(matrix[rows] / scale, reference[f"{name}_rows"] / scale, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(script.vectors(len(matrix)) @ matrix, reference[f"{name}_products"], rtol=1e-8)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_eigenvalues_of_the_diagonal_basis(data, reference):
    basis = diagonalise(data.covmat)
    np.testing.assert_allclose(basis.eigenvalues, reference["t0_eigenvalues"], rtol=1e-8)
    rotated = basis.rotation @ data.covmat @ basis.rotation.T
    np.testing.assert_allclose(rotated, np.diag(basis.eigenvalues), atol=1e-10)


def test_predictions_of_the_t0_set(data, reference):
    np.testing.assert_allclose(data.t0_predictions, reference["t0_predictions"], rtol=1e-9)


def test_predictions_of_a_made_up_pdf(data, reference, script):
    observables = [dataset.observable for dataset in data.datasets] + list(data.positivity + data.integrability)
    ours = np.concatenate([predict(each, lambda x, q0: script.toy_pdf(x)) for each in observables])
    np.testing.assert_allclose(ours, reference["toy_predictions"], rtol=1e-9)


@pytest.mark.parametrize("name", ["t0", "experimental"])
def test_chi2_of_all_data_and_of_each_set(data, reference, name):
    matrix = data.covmat if name == "t0" else data.experimental_covmat
    total = chi2(data.central, data.t0_predictions, matrix)
    ours = [float(total), *chi2_by_dataset(data.datasets, data.t0_predictions, matrix).values()]
    np.testing.assert_allclose(ours, reference[f"chi2_{name}"], rtol=1e-9)


@pytest.mark.parametrize("name", ["trvlseed", "nnseed", "mcseed"])
def test_seeds_of_replicas(reference, name):
    np.testing.assert_array_equal(replica_seeds(getattr(_card(), name), REPLICAS), reference[f"{name}s"])


def test_training_masks_in_the_diagonal_basis(data, reference):
    def masks(replicas, fraction):
        return [diagonal_mask(data.ndata, seed, fraction) for seed in replica_seeds(_card().trvlseed, replicas)]

    np.testing.assert_array_equal(masks(REPLICAS, 0.75), reference["diagonal_masks"])
    np.testing.assert_array_equal(masks(REPLICAS, 0.5), reference["diagonal_masks_half"])
    np.testing.assert_array_equal(masks((3, 1), 0.75), reference["diagonal_masks"][[2, 0]])


def test_training_masks_in_the_basis_of_the_data(grouped, reference, in_group_order):
    names = dict(zip(reference["grouped_names"], reference["group_names"], strict=True))
    assert {dataset.name: dataset.group for dataset in grouped.datasets} == names
    ours = training_masks(grouped, [int(seed) for seed in replica_seeds(_card().trvlseed, REPLICAS)])
    np.testing.assert_array_equal(ours[:, in_group_order], reference["standard_masks"])


def test_masks_of_folds(data, reference):
    hidden = [*(each["datasets"] for each in _read("dis_scan.yml")["kfold"]["partitions"]), []]
    np.testing.assert_array_equal(kfold_masks(data, hidden), reference["kfold_masks"])


def test_replicas_of_the_data(data, reference):
    np.testing.assert_allclose(make_replicas(data, _card().mcseed, (1, 2)), reference["replicas"], rtol=1e-9)


def test_replicas_with_multiplicative_uncertainties_apart(reference):
    apart = load_fit_data(_card(separate_multiplicative=True))
    ours = make_replicas(apart, _card().mcseed, (1, 2))
    np.testing.assert_allclose(ours, reference["replicas_separate"], rtol=1e-9)


def test_replicas_of_grouped_data(grouped, reference, in_group_order):
    ours = make_replicas(grouped, _card().mcseed, (1, 2))
    np.testing.assert_allclose(ours[:, in_group_order], reference["replicas_grouped"], rtol=1e-9)
