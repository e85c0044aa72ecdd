"""k folds: what they hide, and what they judge by."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hyperparton.data.load import load_fit_data
from hyperparton.data.masks import diagonal_mask, diagonalise, training_masks
from hyperparton.data.predictions import chi2
from hyperparton.errors import DataError, TrainingError
from hyperparton.fit.folds import FoldSource, build_folds
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.kfold import Partition

FITS = runpy.run_path(str(Path(__file__).parents[1] / "fit" / "conftest.py"))
SETS, PARTITIONS = FITS["SETS"], FITS["PARTITIONS"]
KFOLD = {"partitions": PARTITIONS, "threshold": 1e9}


@pytest.fixture(scope="module")
def folded(make_card, data):
    return FitSetup(make_card(kfold=KFOLD), data, (1, 2))


@pytest.fixture(scope="module")
def xf(folded):
    """Any x f (rep, x, working) of sensible size on the grid."""
    x, k = folded.grid[:, None], np.arange(8)
    return np.stack([(0.5 + 0.1 * k) * x**0.3 * (1 - x) ** (3 + 0.1 * k + r) for r in range(2)])


@pytest.fixture(scope="module")
def predictions(folded, xf):
    return folded.convolution.predict(xf)


def rows(setup, names):
    chosen = np.zeros(setup.data.ndata, bool)
    for name in names:
        chosen[setup.data.slices()[name]] = True
    return chosen


@pytest.mark.parametrize("k", range(4))
def test_what_a_fold_hides(folded, k):
    fold, hidden = folded.folds[k], rows(folded, PARTITIONS[k]["datasets"])
    everything = np.ones_like(hidden)
    np.testing.assert_array_equal(fold.hidden, hidden if k < 3 else everything)
    np.testing.assert_array_equal(fold.fitted, ~hidden)
    assert fold.weight == (2.5 if k == 1 else 1.0)
    assert fold.experimental.ndata == fold.hidden.sum()
    trained = folded.data.ndata if k >= 2 else (~hidden).sum()
    for training, validation in zip(fold.training, fold.validation, strict=True):
        assert (training.ndata, training.ndata + validation.ndata) == (int(0.75 * trained), trained)


@pytest.mark.parametrize("k", range(4))
def test_chi2_of_a_fold_in_the_diagonal_basis(folded, xf, predictions, k):
    """Training and validation are the eigenmodes of the data that are fitted: together their whole chi2."""
    data, fold = folded.data, folded.folds[k]
    trained = np.ones(data.ndata, bool) if k >= 2 else fold.fitted
    features, covmat = folded.compressed.features(xf), data.covmat[np.ix_(trained, trained)]
    modes = diagonalise(covmat)
    for r in range(2):
        ours = [part[r](features[r : r + 1])[0] for part in (fold.training, fold.validation)]
        residual = modes.rotation @ (predictions[r] - data.central)[trained]
        mask = diagonal_mask(trained.sum(), folded.split_seeds[r], 0.75)
        expected = [np.sum(residual[m] ** 2 / modes.eigenvalues[m]) for m in (mask, ~mask)]
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
        np.testing.assert_allclose(sum(ours), chi2(data.central[trained], predictions[r][trained], covmat), rtol=1e-6)


def test_eigenmodes_below_a_threshold(make_card, data, xf, predictions):
    """They add nothing to training and validation, and count among the points, as in n3fit's fitting_data_dict."""
    modes = diagonalise(data.covmat)
    threshold = float(np.quantile(modes.eigenvalues, 0.3))
    setup = FitSetup(make_card(threshold=threshold), data, (1, 2))
    used, features = modes.eigenvalues >= threshold, setup.compressed.features(xf)
    for r, (training, validation) in enumerate(zip(setup.full_fit.training, setup.full_fit.validation, strict=True)):
        mask = diagonal_mask(data.ndata, setup.split_seeds[r], 0.75)
        residual = modes.rotation @ (predictions[r] - data.central)
        for part, chosen in ((training, mask), (validation, ~mask)):
            expected = np.sum((residual**2 / modes.eigenvalues)[chosen & used])
            np.testing.assert_allclose(part(features[r : r + 1])[0], expected, rtol=1e-6)
            assert part.ndata == chosen.sum() > (chosen & used).sum()
    assert setup.full_fit.experimental.ndata == data.ndata


def test_the_name_of_the_only_group_seeds_the_split(make_card, data):
    """n3fit hashes the name of the group, which is `unset` for data sets without a custom_group."""
    renamed = replace(data, datasets=tuple(replace(each, group="unset") for each in data.datasets))
    setup = FitSetup(make_card(metadata_group="custom_group"), renamed, (1,))
    mask = diagonal_mask(data.ndata, setup.split_seeds[0], 0.75, "unset")
    modes = setup.fold_source.of_eigenmodes(np.ones(data.ndata, bool), None, setup.split_seeds)[0][0]
    rows = next(iter(setup.fold_source._modes.values())).rows
    np.testing.assert_allclose(modes.hessian, rows[mask].T @ rows[mask], rtol=1e-9, atol=1e-9)
    assert (mask != diagonal_mask(data.ndata, setup.split_seeds[0], 0.75)).any()


@pytest.mark.parametrize("k", range(4))
def test_chi2_of_what_is_hidden(folded, xf, predictions, k):
    """The inverse covariance of all data, with residuals of the hidden data only: n3fit's experimental loss."""
    data, fold = folded.data, folded.folds[k]
    residual = np.where(fold.hidden, predictions - data.central, 0.0)
    expected = np.einsum("rd,rd->r", residual, np.linalg.solve(data.covmat, residual.T).T)
    np.testing.assert_allclose(fold.experimental(folded.compressed.features(xf)), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def split_by_points(make_card, data, folded):
    """Folds with half of the points of each set in training: masks (rep, dat), folds."""
    card = make_card(diagonal_basis=False, kfold=KFOLD)
    halves = tuple(replace(dataset, frac=0.5) for dataset in data.datasets)
    half = replace(data, datasets=halves)
    seeds = folded.split_seeds
    folds = build_folds(FoldSource(half, folded.compressed, card), None, seeds, card.kfold.partitions)
    return training_masks(half, seeds), folds


@pytest.mark.parametrize("k", range(4))
def test_chi2_of_a_fold_in_the_basis_of_the_data(data, split_by_points, folded, xf, predictions, k):
    """The inverse of the covariance of the training points, with residuals of the hidden ones zero, as in n3fit."""
    masks, fold = split_by_points[0], split_by_points[1][k]
    assert 0.45 < masks.mean() < 0.55
    shown = np.ones(data.ndata, bool) if k >= 2 else fold.fitted
    features = folded.compressed.features(xf)
    for r, mask in enumerate(masks):
        for part, chosen in ((fold.training, mask), (fold.validation, ~mask)):
            residual = np.where(shown, predictions[r] - data.central, 0.0)[chosen]
            expected = residual @ np.linalg.solve(data.covmat[np.ix_(chosen, chosen)], residual)
            np.testing.assert_allclose(part[r](features[r : r + 1])[0], expected, rtol=1e-6)
            assert part[r].ndata == (chosen & shown).sum()


def test_a_fold_that_hides_everything(folded):
    """A runcard is told so when it is read; partitions made otherwise, when the folds are."""
    everything = Partition(datasets=SETS)
    with pytest.raises(DataError, match=r"hides all points \(233\): nothing to fit"):
        build_folds(folded.fold_source, None, folded.split_seeds, [everything])


def test_folds_need_partitions(setup):
    with pytest.raises(TrainingError, match="a scan needs kfold: partitions in the runcard"):
        setup.folds  # noqa: B018 - made when it is asked for


@pytest.mark.parametrize("diagonal_basis", [True, False])
def test_shares_of_sets_change_nothing_in_the_diagonal_basis(diagonal_basis):
    """`check` says that `frac` changes nothing there; where points are split, it does."""
    path = Path(__file__).parents[2] / "examples" / "dis_small.yml"
    counts, pulls = [], []
    for share in ("0.75", "0.25"):
        text = path.read_text().replace("frac: 0.75", f"frac: {share}")
        text += f"\ndiagonal_basis: {str(diagonal_basis).lower()}\n"
        card = parse_runcard(text, path)
        setup = FitSetup(card, load_fit_data(card, None, None), (1,))
        counts.append([fold.training[0].ndata for fold in setup.folds])
        pulls.append([fold.training[0].pull for fold in setup.folds])
    assert (counts[0] == counts[1]) == diagonal_basis
    for one, other in zip(*pulls, strict=True):
        assert np.array_equal(one, other) == diagonal_basis
