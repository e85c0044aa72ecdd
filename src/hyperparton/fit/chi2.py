"""The chi2 of a subset of the data as a quadratic form of the features of a PDF.

With predictions ``T phi`` (see `fit.observables`) and residuals r = T phi - d, a chi2 is |W r|^2 with some
whitening W of the chosen points, so it is a quadratic form of phi with a matrix of the size of the features, and an
epoch costs the same for 300 or 30,000 points.

The features are whitened themselves (`Convolution.compressed`): with all data the matrix is close to one, with fewer
its eigenvalues lie between 0 and 1.  That, and writing the form around the minimum of all data, makes it usable in
single precision, where the same form of the PDF values themselves would not be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from hyperparton.data.masks import Diagonalisation
from hyperparton.errors import DataError
from hyperparton.text import counted

__all__ = ["ModeRows", "PackedFactor", "ReducedChi2", "cholesky", "reduce_points", "reduce_rows", "stack", "whitened"]


@dataclass(frozen=True, eq=False)
class ReducedChi2:
    """chi2(phi) = e H e - 2 g e + c with e = phi - origin, for `ndata` points; double precision."""

    part: np.ndarray
    """(feature, feature) H, or where there is a `whole` what is to be taken from that"""
    pull: np.ndarray
    """(feature,) g"""
    constant: float
    """c, the chi2 at the origin"""
    origin: np.ndarray
    """(feature,)"""
    ndata: int
    whole: np.ndarray | None = None
    """(feature, feature) shared by many, so that of a chi2 and what it leaves one matrix is held"""
    exact: Callable[[np.ndarray], np.ndarray] | None = None
    """where the features are not exact, chi2 (model,) from the predictions (model, dat) of all data"""

    @property
    def hessian(self) -> np.ndarray:
        """(feature, feature) H, symmetric; where there is a `whole` it is made at each call."""
        return self.part if self.whole is None else self.whole - self.part

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """chi2 (model,) of features (model, feature)."""
        e = features - self.origin
        return np.sum((e @ self.hessian - 2.0 * self.pull) * e, axis=1) + self.constant

    def without(self, other: ReducedChi2) -> ReducedChi2:
        """What is left of this chi2 when the independent part `other`, with the same origin, is taken out."""
        return ReducedChi2(
            other.hessian,
            self.pull - other.pull,
            self.constant - other.constant,
            self.origin,
            self.ndata - other.ndata,
            self.hessian,
        )

    def of(self, features: np.ndarray, predictions: np.ndarray | None) -> np.ndarray:
        """chi2 (model,) of features (model, feature), or where they are not exact of predictions (model, dat)."""
        if self.exact is None:
            return self(features)
        assert predictions is not None
        return self.exact(predictions)


@dataclass(frozen=True, eq=False)
class PackedFactor:
    """The lower factor L of a covariance matrix (dat, dat), in half the memory of a matrix (LAPACK's format RFP)."""

    size: int
    packed: np.ndarray

    @classmethod
    def of(cls, factor: np.ndarray) -> PackedFactor:
        if not len(factor):  # all points train, so none validates
            return cls(0, np.zeros(0))
        return cls(len(factor), lapack.dtrttf(factor, uplo="L")[0])  # pyright: ignore[reportAttributeAccessIssue]

    def whitened(self, rows: np.ndarray) -> np.ndarray:
        """L^-1 rows, for `rows` (dat, ...)."""
        if not self.size:
            return rows
        columns = np.asfortranarray(rows.reshape(self.size, -1))
        solved = lapack.dtfsm(1.0, self.packed, columns, uplo="L")  # pyright: ignore[reportAttributeAccessIssue]
        return solved.reshape(rows.shape)


def reduce_rows(rows: np.ndarray, target: np.ndarray, origin: np.ndarray, ndata: int) -> ReducedChi2:
    """|rows phi - target|^2 for whitened rows (dat, feature) and target (dat,), of points or of eigenmodes."""
    residual = target - rows @ origin
    return ReducedChi2(rows.T @ rows, rows.T @ residual, float(residual @ residual), origin, ndata)


def cholesky(covmat: np.ndarray, what: str) -> np.ndarray:
    """The lower factor of the covariance matrix (dat, dat) of `what`; raises DataError where there is none."""
    try:
        return linalg.cholesky(covmat, lower=True)
    except linalg.LinAlgError:
        raise DataError(
            f"the covariance matrix of {what} is not positive definite: uncertainties of its "
            f"{counted(len(covmat), 'point')} are zero or fully correlated"
        ) from None


def whitened(factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """L^-1 rows, with the lower factor L (dat, dat) of a covariance matrix, for `rows` (dat, ...)."""
    return linalg.solve_triangular(factor, rows, lower=True, check_finite=False)


def reduce_points(
    matrix: np.ndarray,
    central: np.ndarray,
    covmat: np.ndarray,
    used: np.ndarray,
    kept: np.ndarray,
    origin: np.ndarray | None = None,
) -> ReducedChi2:
    """chi2 of the points `used` with the residuals of those not `kept` set to zero.

    matrix (dat, feature), central (dat,), covmat (dat, dat), used and kept (dat,) booleans.  The covariance is
    inverted for all points used; a hidden fold is then left out by zero residuals, as n3fit does it.
    """
    factor = cholesky(covmat[np.ix_(used, used)], "the points of a fit")
    rows = np.column_stack([matrix[used], central[used]]) * kept[used][:, None]
    rows = whitened(factor, rows)
    origin = np.zeros(matrix.shape[1]) if origin is None else origin
    return reduce_rows(rows[:, :-1], rows[:, -1], origin, int(np.sum(used & kept)))


@dataclass(frozen=True, eq=False)
class ModeRows:
    """The eigenmodes of some points, independent and of unit variance, as rows of features; for all replicas."""

    rows: np.ndarray
    """(mode, feature) the predictions"""
    summed: np.ndarray
    """(feature, feature) H of all modes"""
    measured: np.ndarray
    """(mode,) the measured data"""
    whitening: np.ndarray | None
    """(mode, dat) what makes predictions and pseudodata those of the modes; None where no one asks, for it is large"""

    @classmethod
    def build(
        cls,
        matrix: np.ndarray,
        measured: np.ndarray,
        modes: Diagonalisation,
        whitens: bool,
        threshold: float = 0.0,
    ) -> ModeRows:
        """For predictions matrix @ features, matrix (dat, feature), and measured data (dat,).

        Modes with an eigenvalue below `threshold` are rows of zeros: as in n3fit they add nothing to a chi2, and count
        among its points.  Raises DataError for another eigenvalue that is not positive.
        """
        used = (modes.eigenvalues >= threshold) | (threshold == 0)
        smallest = modes.eigenvalues[used].min(initial=1.0)
        if smallest <= 0:
            raise DataError(
                f"the correlation matrix of the data has an eigenvalue that is not positive: {smallest:.3g}"
            )
        scale = np.sqrt(np.where(used, modes.eigenvalues, np.inf))
        whitening = modes.rotation / scale[:, None]
        rows = whitening @ matrix
        targets = (measured[None] @ whitening.T)[0]
        return cls(rows, rows.T @ rows, targets, whitening if whitens else None)

    def targets(self, pseudodata: np.ndarray | None, count: int) -> np.ndarray:
        """(rep, mode) what so many replicas are fitted to: the measured data, or pseudodata (rep, dat)."""
        if pseudodata is None:
            return np.broadcast_to(self.measured, (count, len(self.measured)))
        assert self.whitening is not None, "it was built without pseudodata"
        return pseudodata @ self.whitening.T

    def exact(self, rows: np.ndarray, mask: np.ndarray, target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """chi2 (model,) of the modes in `mask` (mode,) from predictions (model, dat) of all data.

        `rows` (dat,) are the points that have these modes, `target` (mode,) is what is fitted.
        """
        assert self.whitening is not None, "it was built without it"
        return np.sum(((predictions[:, rows] @ self.whitening.T - target)[:, mask]) ** 2, axis=1)

    def split(
        self, pseudodata: np.ndarray | None, masks: Sequence[np.ndarray], origin: np.ndarray
    ) -> list[tuple[ReducedChi2, ReducedChi2]]:
        """chi2 of the modes in each mask (mode,), and of the others, of one replica for each mask (see `targets`)."""
        pairs, targets = [], self.targets(pseudodata, len(masks))
        for mask, target in zip(masks, targets, strict=True):
            # the modes are independent, so the rest is a difference; the smaller part is the one to sum
            residual = target - self.rows @ origin
            constant = float(residual @ residual)
            everything = ReducedChi2(self.summed, self.rows.T @ residual, constant, origin, len(self.rows))
            fewer = mask if 2 * mask.sum() <= len(mask) else ~mask
            part = reduce_rows(self.rows[fewer], target[fewer], origin, int(fewer.sum()))
            rest = everything.without(part)
            pairs.append((part, rest) if fewer is mask else (rest, part))
        return pairs


def stack(
    reduced: Sequence[ReducedChi2], kept: np.ndarray, matrices: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """H (fit, feature, feature), g (fit, feature) and c (fit,) of several fits in single precision.

    They act on the features `kept`, booleans (feature,); the others are taken to be zero, and their terms go into g
    and c.  Without `matrices` None stands for H.
    """
    hessians = None
    if matrices:
        size = int(kept.sum())
        hessians = np.empty((len(reduced), size, size), np.float32)
    pulls, constants = [], []
    for place, each in enumerate(reduced):
        hessian, pull, constant = _restricted(each, kept)
        if hessians is not None:
            hessians[place] = hessian[np.ix_(kept, kept)]
        pulls.append(pull)
        constants.append(constant)
    return hessians, np.stack(pulls), np.array(constants, np.float32)


def _restricted(chi2: ReducedChi2, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """H of all features, and g and c of one fit for the features `kept` (feature,)."""
    hessian, e = chi2.hessian, -chi2.origin[~kept]
    coupling = hessian[np.ix_(kept, ~kept)] @ e
    constant = chi2.constant + e @ hessian[np.ix_(~kept, ~kept)] @ e - 2.0 * chi2.pull[~kept] @ e
    return hessian, (chi2.pull[kept] - coupling).astype(np.float32), float(constant)
