"""chi2, phi2 and -log p: written out for points and tested against n3fit 4.1.5, and from features as a trial does it.

n3fit's numbers are made by oracle/make_fit_reference.py.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

from hyperparton.hyperloss.metrics import Metrics, ReducedMetrics

REFERENCE = np.load(Path(__file__).parents[1] / "oracle" / "data" / "fit_reference.npz")


def whitened(factor, residuals):
    return linalg.solve_triangular(factor, residuals, lower=True)


def plain_metrics(central_prediction, predictions, data, covmat):
    """Metrics of the prediction of the mean PDF (dat,) and of each replica (rep, dat) for `data` (dat,)."""
    ndata = len(data)
    residual = central_prediction - data
    factor = linalg.cholesky(covmat, lower=True)
    chi2exp = float(np.sum(whitened(factor, residual) ** 2))
    total = covmat if len(predictions) == 1 else covmat + np.cov(predictions, rowvar=False)
    chi2 = float(np.sum(whitened(linalg.cholesky(total, lower=True), residual) ** 2))
    relative = linalg.cholesky(total / np.outer(data, data), lower=True)
    log_det = 2.0 * float(np.sum(np.log(np.diag(relative))))
    spread = whitened(factor, (predictions - data).T)
    phi2 = np.mean(np.sum(spread**2, axis=0)) - np.sum(spread.mean(axis=1) ** 2)
    return Metrics(
        chi2=chi2 / ndata,
        # rounding can leave a tiny negative number when the replicas agree
        phi2=float(np.sqrt(max(phi2, 0.0) / ndata)),
        logp=0.5 * (np.log(2.0 * np.pi) + (log_det + chi2) / ndata),
        chi2exp=chi2exp / ndata,
    )


def reference_of(count):
    """Predictions (rep, dat) of so many replicas, data, covariance matrix and n3fit's numbers."""
    predictions = REFERENCE["metrics/predictions"][:, :count].T
    return predictions, REFERENCE["metrics/data"], REFERENCE["metrics/covmat"], REFERENCE[f"metrics/{count}"]


@pytest.mark.parametrize("count", [6, 1])
def test_metrics(count):
    predictions, data, covmat, expected = reference_of(count)
    ours = plain_metrics(predictions.mean(axis=0), predictions, data, covmat)
    np.testing.assert_allclose([ours.chi2, ours.phi2, ours.logp, ours.chi2exp], expected, rtol=1e-10, atol=1e-7)


@pytest.mark.parametrize("count", [6, 1])
def test_metrics_from_features(count):
    """Features that are the predictions themselves, around any origin."""
    predictions, data, covmat, expected = reference_of(count)
    reduced = ReducedMetrics.build(np.eye(len(data)), data, covmat, origin=0.9 * data)
    ours = reduced(predictions.mean(axis=0), predictions)
    np.testing.assert_allclose([ours.chi2, ours.phi2, ours.logp, ours.chi2exp], expected, rtol=1e-9, atol=1e-7)
