"""Reference predictions and χ² in double precision, with numpy.

The fit has its own, compiled ones; these make the t0 predictions and are what the fit's are tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from hyperparton.data.covmat import correlations
from hyperparton.data.operations import operate
from hyperparton.data.types import DataSet, FKTable, Observable, dataset_rows

__all__ = ["PDFValues", "chi2", "chi2_by_dataset", "convolve", "predict"]

#: function of the x nodes (x,) and Q0 in GeV that gives x f (..., evol, x)
PDFValues = Callable[[np.ndarray, float], np.ndarray]


def predict(observable: Observable, xf: PDFValues) -> np.ndarray:
    """(..., dat) predictions for x f in the evolution basis; leading axes (member, rep) are kept."""
    parts = [convolve(table, np.asarray(xf(table.xgrid, table.q0))) for table in observable.tables]
    result = operate(observable.operation, parts)
    return np.broadcast_to(result, (*result.shape[:-1], observable.ndata))


def convolve(table: FKTable, xf: np.ndarray) -> np.ndarray:
    """(..., dat) of one table for x f (..., evol, x) on its nodes."""
    if table.hadronic:
        one, two = xf[..., table.channels[:, 0], :], xf[..., table.channels[:, 1], :]
        return np.einsum("dcxy,...cx,...cy->...d", table.values, one, two, optimize=True)
    flat = xf[..., table.channels, :]
    flat = flat.reshape(*flat.shape[:-2], -1)
    return flat @ table.values.reshape(len(table.values), -1).T


def chi2(data: np.ndarray, predictions: np.ndarray, covmat: np.ndarray) -> np.ndarray:
    """χ² (...) of predictions (..., dat) with the covariance matrix (dat, dat), not divided by the number of points."""
    sigma, correlated = correlations(covmat)
    residuals = np.atleast_2d((np.asarray(predictions) - data) / sigma)
    rows = residuals.reshape(-1, residuals.shape[-1])
    factor = cho_factor(correlated, lower=True)
    values = np.einsum("rd,dr->r", rows, cho_solve(factor, rows.T))
    return values.reshape(np.shape(predictions)[:-1])


def chi2_by_dataset(datasets: Sequence[DataSet], predictions: np.ndarray, covmat: np.ndarray) -> dict[str, float]:
    """Data set -> its χ² alone (its own block of the covariance matrix) for (dat,) predictions of all."""
    rows = dataset_rows(datasets)
    return {
        each.name: float(chi2(each.central, predictions[rows[each.name]], covmat[rows[each.name], rows[each.name]]))
        for each in datasets
    }
