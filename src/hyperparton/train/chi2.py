"""The chi2 of a subset of the data as a small matrix acting on the features of a PDF.

With predictions ``T phi`` (see `pdf.convolution`) and residuals r = T phi - d, a chi2 is |W r|^2 with some
whitening W of the chosen points.  An orthogonal factorisation of ``[W T | -W d]`` leaves a matrix of at most
(features + 1) rows with the same |.|^2 for every phi, so an epoch costs the same for 300 or 30,000 points.
(Normal equations would square the condition number and are not usable in single precision.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from hyperparton.errors import DataError

__all__ = ["ReducedChi2", "correlation_eigenmodes", "reduce_eigenmodes", "reduce_points", "stack"]


@dataclass(frozen=True, eq=False)
class ReducedChi2:
    """chi2(phi) = |matrix @ (phi, 1)|^2 for `ndata` points; matrix (row, feature + 1), double precision."""

    matrix: np.ndarray
    ndata: int

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """chi2 (model,) of features (model, feature)."""
        residual = features @ self.matrix[:, :-1].T + self.matrix[:, -1]
        return np.sum(residual**2, axis=1)


def _compress(rows: np.ndarray, ndata: int) -> ReducedChi2:
    if rows.shape[0] > rows.shape[1]:
        rows = linalg.qr(rows, mode="r", overwrite_a=True, check_finite=False)[0][: rows.shape[1]]
    return ReducedChi2(rows, ndata)


def _cholesky(covmat: np.ndarray, what: str) -> np.ndarray:
    try:
        return linalg.cholesky(covmat, lower=True)
    except linalg.LinAlgError:
        raise DataError(
            f"the covariance matrix of {what} is not positive definite: its {len(covmat)} points have uncertainties "
            "that are zero or fully correlated"
        ) from None


def reduce_points(
    matrix: np.ndarray, central: np.ndarray, covmat: np.ndarray, used: np.ndarray, kept: np.ndarray
) -> ReducedChi2:
    """chi2 of the points `used` with the residuals of those not `kept` set to zero.

    matrix (dat, feature), central (dat,), covmat (dat, dat), used and kept (dat,) booleans.  The covariance is
    inverted for all points used; a hidden fold is then left out by zero residuals, as n3fit does it.
    """
    factor = _cholesky(covmat[np.ix_(used, used)], "the points of a fit")
    rows = np.column_stack([matrix[used], -central[used]]) * kept[used][:, None]
    return _compress(linalg.solve_triangular(factor, rows, lower=True, check_finite=False), int(np.sum(used & kept)))


def correlation_eigenmodes(covmat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (mode,), increasing, and rotation (mode, dat) of the correlation matrix of `covmat`.

    The rotation includes the division by the uncertainties: modes of residuals r are ``rotation @ r`` with
    variances equal to the eigenvalues.
    """
    sigma = np.sqrt(np.diag(covmat))
    values, vectors = linalg.eigh(covmat / np.outer(sigma, sigma), check_finite=False)
    if values[0] <= 0:
        raise DataError(f"the correlation matrix of the data has an eigenvalue that is not positive: {values[0]:.3g}")
    return values, vectors.T / sigma


def reduce_eigenmodes(
    matrix: np.ndarray, central: np.ndarray, values: np.ndarray, rotation: np.ndarray, used: np.ndarray
) -> ReducedChi2:
    """chi2 of the eigenmodes `used` (mode,) of `correlation_eigenmodes`; matrix (dat, feature), central (dat,)."""
    whitening = rotation[used] / np.sqrt(values[used])[:, None]
    return _compress(whitening @ np.column_stack([matrix, -central]), int(np.sum(used)))


def stack(reduced: list[ReducedChi2]) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (model, row, feature + 1) in single precision, shorter ones filled with zero rows; ndata (model,)."""
    rows = max((r.matrix.shape[0] for r in reduced), default=0)
    stacked = np.zeros((len(reduced), rows, reduced[0].matrix.shape[1]), np.float32)
    for i, r in enumerate(reduced):
        stacked[i, : r.matrix.shape[0]] = r.matrix
    return stacked, np.array([r.ndata for r in reduced])
