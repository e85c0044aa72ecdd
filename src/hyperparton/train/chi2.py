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

from hyperparton.data.masks import Diagonalisation
from hyperparton.errors import DataError

__all__ = ["ReducedChi2", "reduce_eigenmodes", "reduce_points", "stack"]


@dataclass(frozen=True, eq=False)
class ReducedChi2:
    """chi2(phi) = |matrix @ (phi, 1)|^2 for `ndata` points; matrix (row, feature + 1), double precision."""

    matrix: np.ndarray
    ndata: int
    nonlinear: int
    """how many of the last features are not linear in the PDFs; rows from this number on do not act on them"""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """chi2 (model,) of features (model, feature)."""
        residual = features @ self.matrix[:, :-1].T + self.matrix[:, -1]
        return np.sum(residual**2, axis=1)


def _compress(rows: np.ndarray, ndata: int, nonlinear: int) -> ReducedChi2:
    """Orthogonal reduction of `rows`, with zeros in the columns of the non-linear features below the first ones.

    The factorisation starts with the `nonlinear` last features, so only that many rows couple to them and the rest
    is a smaller matrix acting on the linear features alone.
    """
    columns = rows.shape[1]
    linear = columns - 1 - nonlinear
    order = [*range(linear, columns - 1), *range(linear), columns - 1]
    factor = linalg.qr(rows[:, order], mode="r", overwrite_a=True, check_finite=False)[0][:columns]
    back = np.empty_like(factor)
    back[:, order] = factor
    return ReducedChi2(back, ndata, nonlinear)


def _cholesky(covmat: np.ndarray, what: str) -> np.ndarray:
    try:
        return linalg.cholesky(covmat, lower=True)
    except linalg.LinAlgError:
        raise DataError(
            f"the covariance matrix of {what} is not positive definite: its {len(covmat)} points have uncertainties "
            "that are zero or fully correlated"
        ) from None


def reduce_points(
    matrix: np.ndarray,
    central: np.ndarray,
    covmat: np.ndarray,
    used: np.ndarray,
    kept: np.ndarray,
    nonlinear: int = 0,
) -> ReducedChi2:
    """chi2 of the points `used` with the residuals of those not `kept` set to zero.

    matrix (dat, feature), central (dat,), covmat (dat, dat), used and kept (dat,) booleans.  The covariance is
    inverted for all points used; a hidden fold is then left out by zero residuals, as n3fit does it.
    """
    factor = _cholesky(covmat[np.ix_(used, used)], "the points of a fit")
    rows = np.column_stack([matrix[used], -central[used]]) * kept[used][:, None]
    whitened = linalg.solve_triangular(factor, rows, lower=True, check_finite=False)
    return _compress(whitened, int(np.sum(used & kept)), nonlinear)


def reduce_eigenmodes(
    matrix: np.ndarray, central: np.ndarray, modes: Diagonalisation, used: np.ndarray, nonlinear: int = 0
) -> ReducedChi2:
    """chi2 of the eigenmodes `used` (mode,); matrix (dat, feature), central (dat,).

    Raises DataError for an eigenvalue that is not positive.
    """
    values = modes.eigenvalues[used]
    if values.min(initial=1.0) <= 0:
        raise DataError(f"the correlation matrix of the data has an eigenvalue that is not positive: {values.min():.3g}")
    whitening = modes.rotation[used] / np.sqrt(values)[:, None]
    return _compress(whitening @ np.column_stack([matrix, -central]), int(np.sum(used)), nonlinear)


def stack(reduced: list[ReducedChi2]) -> tuple[np.ndarray, np.ndarray]:
    """The matrices of several models in single precision, as the two blocks that are not zero.

    `coupled` (model, row, feature + 1) with one row per non-linear feature, and `linear` (model, row, linear + 1)
    for the rest; shorter ones are filled with zero rows.
    """
    nonlinear = reduced[0].nonlinear
    columns = reduced[0].matrix.shape[1]
    rest = max(max(r.matrix.shape[0] for r in reduced) - nonlinear, 0)
    coupled = np.zeros((len(reduced), nonlinear, columns), np.float32)
    linear = np.zeros((len(reduced), rest, columns - nonlinear), np.float32)
    alone = [*range(columns - 1 - nonlinear), columns - 1]
    for i, r in enumerate(reduced):
        top, bottom = r.matrix[:nonlinear], r.matrix[nonlinear:]
        coupled[i, : len(top)] = top
        linear[i, : len(bottom)] = bottom[:, alone]
    return coupled, linear
